"""Prints the folders of NVIDIA's libraries that Python packages carry (nvidia-*, tensorrt), joined by colons."""

import glob
import os
import site
import sys
import sysconfig

roots = {sysconfig.get_paths()[key] for key in ("purelib", "platlib")} | set(site.getsitepackages()) | set(sys.path)
patterns = ("nvidia/*/lib", "nvidia/*/lib64", "nvidia/lib", "tensorrt_libs", "cuda_toolkit/lib")
found = []
for root in sorted(one for one in roots if one and os.path.isdir(one)):
    for pattern in patterns:
        for folder in sorted(glob.glob(os.path.join(root, pattern))):
            if folder not in found and glob.glob(os.path.join(folder, "*.so*")):
                found.append(folder)
print(":".join(found))
