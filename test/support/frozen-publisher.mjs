/** A WHIP publisher as a process of its own, to be frozen or killed: `node frozen-publisher.mjs URL`. Says "connected". */
import wrtc from '@roamhq/wrtc';

const url = process.argv[2];
const connection = new wrtc.RTCPeerConnection({});
const source = new wrtc.nonstandard.RTCVideoSource();
connection.addTransceiver(source.createTrack(), { direction: 'sendrecv' });
await connection.setLocalDescription(await connection.createOffer());
while (connection.iceGatheringState !== 'complete') await new Promise((resolve) => setTimeout(resolve, 10));
const headers = { 'content-type': 'application/sdp' };
const answer = await fetch(`${url}/whip`, { method: 'POST', headers, body: connection.localDescription.sdp });
await connection.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
const data = new Uint8Array((320 * 240 * 3) / 2).fill(100);
setInterval(() => source.onFrame({ width: 320, height: 240, data }), 50);
connection.onconnectionstatechange = () => connection.connectionState === 'connected' && console.log('connected');
