"""Runs the networks of the GPU bench in Python's onnxruntime: reference.py SHARE FILE..., an answer as JSON."""

import json
import sys
import time

try:
    import numpy
    import onnxruntime
except ImportError as error:
    print(f"Python has no onnxruntime here: {error}", file=sys.stderr)
    sys.exit(3)

share, files = float(sys.argv[1]), sys.argv[2:]
wanted = [p for p in ("CUDAExecutionProvider", "CPUExecutionProvider") if p in onnxruntime.get_available_providers()]
rows = []
for file in files:
    session = onnxruntime.InferenceSession(file, providers=wanted)
    for batch in (1, 2, 4, 8, 16):
        feeds = {
            one.name: numpy.full([batch, *one.shape[1:]], 0.3, numpy.float32) for one in session.get_inputs()
        }
        for _ in range(3):
            session.run(None, feeds)
        times, until = [], time.perf_counter() + share
        while len(times) < 3 or time.perf_counter() < until:
            began = time.perf_counter()
            session.run(None, feeds)
            times.append(1000 * (time.perf_counter() - began))
        p50 = sorted(times)[len(times) // 2]
        rows.append({"file": file.rsplit("/", 1)[-1], "batch": batch, "p50": round(p50, 3), "on": session.get_providers()[0]})
print(json.dumps({"version": onnxruntime.__version__, "providers": wanted, "rows": rows}))
