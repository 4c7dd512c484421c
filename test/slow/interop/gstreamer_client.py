"""WHIP and WHEP with GStreamer's webrtcbin. Usage: gstreamer_client.py publish|play URL SECONDS [TOKEN [CODEC]]; says `ready` once
it is connected, and at the end how many pictures came and of what size."""

import sys

import gi
import session_client

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

what, url, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
token = sys.argv[4] if len(sys.argv) > 4 else None
codec = sys.argv[5] if len(sys.argv) > 5 else "VP8"
CAPS = f"application/x-rtp,media=video,encoding-name={codec},payload=96,clock-rate=90000"
ENCODE = {
    "VP8": "vp8enc deadline=1 keyframe-max-dist=20 ! rtpvp8pay",
    "H264": "x264enc tune=zerolatency speed-preset=veryfast key-int-max=20 bitrate=800 ! rtph264pay config-interval=-1",
}[codec]
DECODE = {"VP8": "rtpvp8depay ! vp8dec", "H264": "rtph264depay ! h264parse ! openh264dec"}[codec]

Gst.init(None)
loop = GLib.MainLoop()
seen = {"frames": 0, "size": "none"}
state = {"location": None, "ready": False}

if what == "publish":
    pipe = Gst.parse_launch(
        "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=20/1 ! "
        f"{ENCODE} ! {CAPS} ! webrtcbin name=rtc bundle-policy=max-bundle"
    )
    rtc = pipe.get_by_name("rtc")
    rtc.emit("get-transceiver", 0).set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
else:
    pipe = Gst.Pipeline()
    rtc = Gst.ElementFactory.make("webrtcbin", "rtc")
    rtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
    pipe.add(rtc)
    rtc.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, Gst.Caps.from_string(CAPS))


def picture(_sink, _buffer, pad):
    seen["frames"] += 1
    shape = pad.get_current_caps().get_structure(0)
    seen["size"] = f"{shape.get_value('width')}x{shape.get_value('height')}"


def take(_rtc, pad):
    if pad.direction != Gst.PadDirection.SRC:
        return
    sink = Gst.parse_bin_from_description(
        f"{DECODE} ! fakesink name=end signal-handoffs=true sync=false", True
    )
    pipe.add(sink)
    sink.get_by_name("end").connect("handoff", picture)
    sink.sync_state_with_parent()
    pad.link(sink.get_static_pad("sink"))


def ask(signal, argument):
    promise = Gst.Promise.new()
    rtc.emit(signal, argument, promise)
    promise.wait()
    return promise


def offer():
    # The offer belongs to the reply, which must outlive its use.
    reply = ask("create-offer", None).get_reply()
    ask("set-local-description", reply.get_value("offer"))
    return False


def gathered(_rtc, _property):
    if rtc.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
        GLib.idle_add(post)


def post():
    sdp = rtc.get_property("local-description").sdp.as_text()
    answer, state["location"] = session_client.post_offer(url, sdp, token)
    _, message = GstSdp.SDPMessage.new_from_text(answer)
    answered = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
    ask("set-remote-description", answered)
    return False


def turned(_rtc, _property):
    if state["ready"] or rtc.get_property("connection-state") != GstWebRTC.WebRTCPeerConnectionState.CONNECTED:
        return
    state["ready"] = True
    print("ready", flush=True)
    GLib.timeout_add(int(seconds * 1000), loop.quit)


rtc.connect("pad-added", take)
rtc.connect("on-negotiation-needed", lambda _: GLib.idle_add(offer))
rtc.connect("notify::ice-gathering-state", gathered)
rtc.connect("notify::connection-state", turned)
pipe.set_state(Gst.State.PLAYING)
GLib.timeout_add_seconds(20, lambda: not state["ready"] and loop.quit())
loop.run()
assert state["ready"], "not connected in time"
print(f"{seen['frames']} pictures of {seen['size']}", flush=True)
session_client.delete(state["location"], token)
pipe.set_state(Gst.State.NULL)
