/**
 * Runs in the browser: publishes a picture that carries the time, and reads the time off the picture that comes back.
 */

import { BITS, blockAt, codeAfter, codeHeight, readCode, WRAP } from './timecode.ts';

const [WIDTH, HEIGHT] = [640, 480];

/** Draws the time, modulo WRAP, as a row of black and white blocks at the top of a canvas. */
export function drawTime(context: CanvasRenderingContext2D, timeMs: number): void {
  const code = Math.floor(timeMs) % WRAP;
  for (let bit = 0; bit < BITS; bit++) {
    context.fillStyle = (code >> bit) & 1 ? '#fff' : '#000';
    const [left, top, side] = blockAt(bit, context.canvas.width);
    context.fillRect(left, top, side, side);
  }
}

/** Reads the time that was drawn, in milliseconds modulo WRAP. */
export function readTime(context: CanvasRenderingContext2D): number {
  const { width, height } = context.canvas;
  const { data } = context.getImageData(0, 0, width, Math.min(height, codeHeight(width)));
  return readCode(width, (x, y) => {
    let sum = 0;
    for (let down = -2; down < 2; down++)
      for (let right = -2; right < 2; right++) sum += data[4 * ((y + down) * width + x + right)]!;
    return sum / 16 > 128;
  });
}

/** A canvas that is read often, so kept in main memory, and its context. */
export function canvas(width = WIDTH, height = HEIGHT): [HTMLCanvasElement, CanvasRenderingContext2D] {
  const element = document.createElement('canvas');
  [element.width, element.height] = [width, height];
  return [element, element.getContext('2d', { willReadFrequently: true })!];
}

/** Decodes a picture file that came as base64. */
export async function picture(base64: string): Promise<ImageBitmap> {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return createImageBitmap(new Blob([bytes]));
}

/** Draws a slowly moving face and the time, 30 times a second. */
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

/**
 * Publishes a video track by WHIP. Resolves with the session's address and the stream that comes back, once the server
 * answered. @throws Error where it refuses.
 */
export async function publish(
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

/** Delays from drawing to presentation, in milliseconds, of the frames between the warm-up and the end. */
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
  const measureFrame = (): void => {
    if (done) return;
    context.drawImage(video, 0, 0, WIDTH, HEIGHT);
    const nowMs = performance.now();
    const delay = codeAfter(Math.floor(nowMs), readTime(context));
    if (nowMs - beganMs > warmUpMs && delay < 5000) delays.push(delay);
    video.requestVideoFrameCallback(measureFrame);
  };
  video.requestVideoFrameCallback(measureFrame);
  await new Promise((resolve) => setTimeout(resolve, warmUpMs + forMs));
  done = true;
  sent.stop();
  peer.close();
  await fetch(at, { method: 'DELETE' });
  return delays;
}

Object.assign(globalThis, { measureDelay });
