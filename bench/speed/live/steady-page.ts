/** Runs in the browser: a call by a page that knows WHIP only, with a record of every picture that it shows. */

import { canvas, drawTime, picture, publish, readTime } from './bench-page.ts';
import { codeAfter, codeHeight } from './timecode.ts';
import type { BenchCamera, Counted, Shown, Watched } from './watched-page.ts';

const FPS = 30;

type Draw = (context: CanvasRenderingContext2D, n: number) => void;

/** Draws a head that sways, nods and comes nearer, each with a period of its own. */
function portrait(face: ImageBitmap): Draw {
  return (context, n) => {
    const { width, height } = context.canvas;
    const side = height * (0.88 + 0.06 * Math.sin(n / 41));
    context.fillStyle = '#889';
    context.fillRect(0, 0, width, height);
    context.save();
    context.translate(width / 2 + 0.05 * width * Math.sin(n / 20), 0.56 * height + 0.03 * height * Math.cos(n / 15));
    context.rotate(0.09 * Math.sin(n / 27));
    context.drawImage(face, -side / 2, -side / 2, side, side);
    context.restore();
  };
}

/** Draws what the browser's camera gives: a clip, where Chromium was started with one. */
async function clip(width: number, height: number): Promise<Draw> {
  const video = document.createElement('video');
  video.muted = true;
  video.srcObject = await navigator.mediaDevices.getUserMedia({
    video: { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: FPS } },
  });
  await video.play();
  return (context) => context.drawImage(video, 0, 0, context.canvas.width, context.canvas.height);
}

let camera: MediaStream | null = null;
let width = 0;

/** Opens the camera that later calls send. Resolves when it has run for a second. */
export async function openCamera(shown: BenchCamera): Promise<void> {
  const draw = shown.face === null ? await clip(shown.width, shown.height) : portrait(await picture(shown.face));
  const [element, context] = canvas(shown.width, shown.height);
  width = shown.width;
  let n = 0;
  setInterval(() => {
    draw(context, n++);
    drawTime(context, performance.now());
  }, 1000 / FPS);
  camera = element.captureStream(FPS);
  await new Promise((resolve) => setTimeout(resolve, 1000));
}

/** Starts a call and records what it shows for so many milliseconds. The call goes on until the page is closed. */
export async function call(query: string, forMs: number): Promise<Watched> {
  const startMs = performance.now();
  const video = document.createElement('video');
  Object.assign(video, { muted: true, autoplay: true, playsInline: true });
  // Beyond the viewport the video would not be shown; larger than this, it would be scaled for no purpose.
  Object.assign(video, { width: 640, height: 480 });
  document.body.replaceChildren(video);
  const shown: Shown[] = [];
  const [, context] = canvas(width, codeHeight(width));
  const record: VideoFrameRequestCallback = (_, { presentationTime, presentedFrames }) => {
    const { videoWidth, videoHeight } = video;
    // In a picture that comes back smaller, the time code takes the same share.
    const strip = (context.canvas.height * videoWidth) / width;
    context.drawImage(video, 0, 0, videoWidth, Math.min(strip, videoHeight), 0, 0, width, context.canvas.height);
    const code = readTime(context);
    const delayMs = codeAfter(Math.floor(presentationTime), code);
    shown.push({ atMs: presentationTime - startMs, count: presentedFrames, code, delayMs });
    video.requestVideoFrameCallback(record);
  };
  video.requestVideoFrameCallback(record);
  const { peer, back } = await publish(camera!, query);
  video.srcObject = back;
  await new Promise((resolve) => setTimeout(resolve, forMs - (performance.now() - startMs)));
  const endedMs = performance.now() - startMs;
  return { endedMs, shown: [...shown], counted: await count(peer, endedMs) };
}

type Report = Record<string, number | string | undefined>;

async function count(peer: RTCPeerConnection, lastedMs: number): Promise<Counted> {
  const reports = [...((await peer.getStats()) as unknown as Map<string, Report>).values()];
  const of = (type: string): Report => reports.find((r) => r.type === type && r.kind === 'video') ?? {};
  const [back, sent] = [of('inbound-rtp'), of('outbound-rtp')];
  const number = (report: Report, name: string): number => Number(report[name] ?? 0);
  const codec = reports.find(({ id }) => id === back.codecId)?.mimeType;
  return {
    freezeCount: number(back, 'freezeCount'),
    framesReceived: number(back, 'framesReceived'),
    framesDecoded: number(back, 'framesDecoded'),
    framesDropped: number(back, 'framesDropped'),
    packetsLost: number(back, 'packetsLost'),
    qpBack: number(back, 'qpSum') / number(back, 'framesDecoded'),
    qpSent: number(sent, 'qpSum') / number(sent, 'framesEncoded'),
    framesSent: number(sent, 'framesSent'),
    kbpsBack: (8 * number(back, 'bytesReceived')) / lastedMs,
    kbpsSent: (8 * number(sent, 'bytesSent')) / lastedMs,
    width: number(back, 'frameWidth'),
    height: number(back, 'frameHeight'),
    codec: String(codec ?? ''),
  };
}

Object.assign(globalThis, { openCamera, call });
