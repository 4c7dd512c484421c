"""WHIP and WHEP with aiortc. Usage: aiortc_client.py publish|play URL SECONDS [TOKEN]; says `ready` once it is connected,
and at the end how many pictures came and of what size."""

import asyncio
import sys

import session_client
from aiortc import RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import MediaStreamError

what, url, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
token = sys.argv[4] if len(sys.argv) > 4 else None


async def count(track, seen):
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        seen["frames"] += 1
        seen["size"] = f"{frame.width}x{frame.height}"


async def main():
    peer = RTCPeerConnection()
    seen = {"frames": 0, "size": "none"}
    connected = asyncio.Event()

    @peer.on("connectionstatechange")
    def turn():
        if peer.connectionState == "connected":
            connected.set()

    @peer.on("track")
    def take(track):
        if track.kind == "video":
            asyncio.ensure_future(count(track, seen))

    if what == "publish":
        # aiortc's own green picture of 640x480.
        peer.addTrack(VideoStreamTrack())
        peer.getTransceivers()[0].direction = "sendrecv"
    else:
        peer.addTransceiver("video", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    answer, location = session_client.post_offer(url, peer.localDescription.sdp, token)
    await peer.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
    await asyncio.wait_for(connected.wait(), 15)
    print("ready", flush=True)
    await asyncio.sleep(seconds)
    print(f"{seen['frames']} pictures of {seen['size']}", flush=True)
    session_client.delete(location, token)
    await peer.close()


asyncio.run(main())
