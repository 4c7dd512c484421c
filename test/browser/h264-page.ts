/** Connections in H.264 alone, opened in Chromium. */

interface Client {
  connection: RTCPeerConnection;
  messages: string[];
  location: string;
}
declare global {
  interface Window {
    clients: Record<string, Client>;
  }
}

/** A connection to open. */
export interface PageConnection {
  /** Under which it is found in `window.clients`, and its `<video>` in the document. */
  name: string;
  /** Where its offer is posted. */
  path: string;
  /** Whether it sends the camera and a microphone, or only watches. */
  publishes: boolean;
  /** Names of the layers that it offers; none for one picture. */
  layers: readonly string[];
}

/** Opens one in the page that evaluates this; so it refers to nothing but its argument. @returns the status and the answer. */
export async function connectInPage({ name, path, publishes, layers }: PageConnection): Promise<{
  status: number;
  answer: string;
}> {
  const connection = new RTCPeerConnection();
  const h264 = RTCRtpReceiver.getCapabilities('video')!.codecs.filter(({ mimeType }) => mimeType === 'video/H264');
  const messages: string[] = [];
  connection.createDataChannel('disclosure').onmessage = ({ data }) => messages.push(data as string);
  if (publishes) {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: true });
    const video = connection.addTransceiver(stream.getVideoTracks()[0]!, {
      direction: 'sendrecv',
      streams: [stream],
      sendEncodings: layers.map((rid, n) => ({ rid, scaleResolutionDownBy: 2 ** n })),
    });
    video.setCodecPreferences(h264);
    connection.addTransceiver(stream.getAudioTracks()[0]!, { direction: 'sendonly', streams: [stream] });
  } else {
    connection.addTransceiver('video', { direction: 'recvonly' }).setCodecPreferences(h264);
    connection.addTransceiver('audio', { direction: 'recvonly' });
  }
  const view = document.createElement('video');
  view.id = name;
  view.muted = true;
  view.autoplay = true;
  document.body.append(view);
  view.style.cssText = 'position:fixed;left:0;top:0;width:320px;height:240px;opacity:1;z-index:9';
  connection.ontrack = ({ streams: [stream] }) => {
    view.srcObject = stream!;
  };
  await connection.setLocalDescription();
  while (connection.iceGatheringState !== 'complete') await new Promise((resolve) => setTimeout(resolve, 20));
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp' },
    body: connection.localDescription!.sdp,
  });
  const answer = await response.text();
  if (response.status === 201) await connection.setRemoteDescription({ type: 'answer', sdp: answer });
  window.clients ??= {};
  window.clients[name] = { connection, messages, location: response.headers.get('location') ?? '' };
  return { status: response.status, answer };
}
