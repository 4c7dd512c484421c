"""Lets schemathesis send session descriptions: the offers of browsers and programs, whole, cut and with a line changed."""

from pathlib import Path

import schemathesis
from hypothesis import strategies as st

OFFERS = [file.read_text() for file in sorted((Path(__file__).parent.parent / "fixtures/offers").glob("*.sdp"))]
FRAGMENTS = [
    "a=end-of-candidates\r\n",
    "a=mid:0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n",
    "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n",
]


@schemathesis.serializer("application/sdp", "application/trickle-ice-sdpfrag")
def text(_context, value):
    return value if isinstance(value, bytes) else str(value).encode()


@st.composite
def changed(draw, texts):
    lines = draw(st.sampled_from(texts)).splitlines()
    at = draw(st.integers(0, len(lines) - 1))
    how = draw(st.sampled_from(["whole", "cut", "changed", "twice"]))
    if how == "cut":
        lines = lines[:at]
    elif how == "changed":
        lines[at] = lines[at][:2] + draw(st.text(max_size=40))
    elif how == "twice":
        lines = lines + lines[at:]
    return "".join(f"{line}\r\n" for line in lines).encode()


schemathesis.openapi.media_type("application/sdp", changed(OFFERS))
schemathesis.openapi.media_type("application/trickle-ice-sdpfrag", changed(FRAGMENTS))
