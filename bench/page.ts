/**
 * Runs in the browser: publishes a picture that carries the time, reads the time off the picture that comes back. The
 * time is drawn as a row of large black and white blocks, which survive any codec.
 */

const BITS = 20;
const BLOCK = 24;
const WRAP = 2 ** BITS;
const [WIDTH, HEIGHT] = [640, 480];
/** The row lies at the top, away from the face. */
const TOP = 4;

export function drawTime(context: CanvasRenderingContext2D, timeMs: number): void {
  const code = Math.floor(timeMs) % WRAP;
  for (let bit = 0; bit < BITS; bit++) {
    context.fillStyle = (code >> bit) & 1 ? '#fff' : '#000';
    context.fillRect(8 + bit * BLOCK, TOP, BLOCK, BLOCK);
  }
}

/** The time that was drawn, in milliseconds modulo WRAP. */
export function readTime(context: CanvasRenderingContext2D): number {
  let code = 0;
  for (let bit = 0; bit < BITS; bit++) {
    const [x, y] = [8 + bit * BLOCK + BLOCK / 2, TOP + BLOCK / 2];
    const { data } = context.getImageData(x - 2, y - 2, 4, 4);
    let sum = 0;
    for (let i = 0; i < data.length; i += 4) sum += data[i]!;
    if (sum / 16 > 128) code |= 1 << bit;
  }
  return code;
}

function canvas(): [HTMLCanvasElement, CanvasRenderingContext2D] {
  const element = document.createElement('canvas');
  [element.width, element.height] = [WIDTH, HEIGHT];
  return [element, element.getContext('2d', { willReadFrequently: true })!];
}

async function picture(base64: string): Promise<ImageBitmap> {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return createImageBitmap(new Blob([bytes]));
}

/** Draws the face, slowly moving, and the time, 30 times a second. */
function camera(face: ImageBitmap): { stream: MediaStream; stop(): void } {
  const [element, context] = canvas();
  let n = 0;
  const timer = setInterval(() => {
    context.fillStyle = '#889';
    context.fillRect(0, 0, WIDTH, HEIGHT);
    context.drawImage(face, 100 + 8 * Math.sin(n / 20), 60 + 4 * Math.cos(n / 15), 420, 420);
    n++;
    drawTime(context, performance.now());
  }, 1000 / 30);
  return { stream: element.captureStream(30), stop: () => clearInterval(timer) };
}

async function publish(
  stream: MediaStream,
  query: string,
): Promise<{ peer: RTCPeerConnection; at: string; back: MediaStream }> {
  const peer = new RTCPeerConnection();
  const back = new MediaStream();
  peer.ontrack = ({ track }) => back.addTrack(track);
  peer.addTransceiver(stream.getVideoTracks()[0]!, { direction: 'sendrecv' });
  await peer.setLocalDescription();
  await new Promise<void>((resolve) => {
    if (peer.iceGatheringState === 'complete') resolve();
    peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && resolve();
  });
  const answer = await fetch(`/whip${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp' },
    body: peer.localDescription!.sdp,
  });
  if (answer.status !== 201) throw new Error(`the server answered ${answer.status}: ${await answer.text()}`);
  await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
  return { peer, at: answer.headers.get('location')!, back };
}

/** Delays from drawing to presentation, in milliseconds, of the frames between warm-up and end. */
export async function measureDelay(face: string, query: string, warmUpMs: number, forMs: number): Promise<number[]> {
  const sent = camera(await picture(face));
  const { peer, at, back } = await publish(sent.stream, query);
  const video = document.createElement('video');
  // A video outside the viewport is not decoded for canvases.
  Object.assign(video, {
    muted: true,
    autoplay: true,
    playsInline: true,
    srcObject: back,
    width: WIDTH,
    height: HEIGHT,
  });
  document.body.replaceChildren(video);
  const [, context] = canvas();
  const delays: number[] = [];
  const beganMs = performance.now();
  let done = false;
  const look = (): void => {
    if (done) return;
    context.drawImage(video, 0, 0, WIDTH, HEIGHT);
    const nowMs = performance.now();
    const delay = (Math.floor(nowMs) - readTime(context) + WRAP) % WRAP;
    if (nowMs - beganMs > warmUpMs && delay < 5000) delays.push(delay);
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  await new Promise((resolve) => setTimeout(resolve, warmUpMs + forMs));
  done = true;
  sent.stop();
  peer.close();
  await fetch(at, { method: 'DELETE' });
  return delays;
}

Object.assign(globalThis, { measureDelay });
