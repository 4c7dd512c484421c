/** The studio page: puts camera, connection, picture, gallery, controls and numbers together. */

import type { FaceChoice, Fallback, SwapSettings } from '../messages.ts';
import { listCameras, openCamera } from './camera.ts';
import { Connection } from './connection.ts';
import { element } from './dom.ts';
import { Gallery } from './gallery.ts';
import { Numbers } from './numbers.ts';
import {
  cameraNotice,
  IDLE,
  type Notice,
  RECONNECTING,
  STATE_TEXT,
  type StreamState,
  serverNotice,
  showPercent,
  WAITING,
} from './states.ts';
import { View } from './view.ts';

const startButton = element('start', HTMLButtonElement);
const stopButton = element('stop', HTMLButtonElement);
const camera = element('camera', HTMLSelectElement);
const resolution = element('resolution', HTMLSelectElement);
const choice = element('choice', HTMLSelectElement);
const fallback = element('fallback', HTMLSelectElement);
const mapHint = element('map-hint', HTMLParagraphElement);
const noticeAction = element('notice-action', HTMLButtonElement);

const view = new View();
const numbers = new Numbers();
const gallery = new Gallery({ onChoose: chooseFace });
let settings: Partial<SwapSettings> = {};
/** The person whose face is being chosen, where each has their own. */
let picked: number | null = null;

const connection = new Connection({
  onVideo(stream) {
    view.after.srcObject = stream;
    void view.after.play().catch(() => undefined);
  },
  onLive() {
    show('starting', WAITING);
    whenPicture(view.after, () => show('live', null));
  },
  onLost(error) {
    show('reconnecting', error === null ? RECONNECTING : serverNotice(error));
  },
  onRefused(error) {
    stop();
    show('failed', serverNotice(error));
  },
  onSettings: showSettings,
  async onStats(stats) {
    numbers.show(stats, await connection.roundTripMs());
    view.showFaces(stats.faces, picked, settings.choice === 'mapped' ? pickPerson : null);
  },
  onFaces: (faces) => gallery.show(faces),
  onError: ({ message }) => say(message),
});

function show(state: StreamState, notice: Notice | null): void {
  document.body.dataset.state = state;
  say(notice === null || state === 'stopped' ? STATE_TEXT[state] : notice.title);
  startButton.hidden = state !== 'stopped' && state !== 'failed';
  stopButton.hidden = !startButton.hidden;
  if (notice === null) return;
  element('notice-title', HTMLParagraphElement).textContent = notice.title;
  element('notice-text', HTMLParagraphElement).textContent = notice.text;
  noticeAction.hidden = notice.action === undefined;
  noticeAction.textContent = notice.action ?? '';
}

function say(text: string): void {
  element('state', HTMLParagraphElement).textContent = text;
}

/** Calls back once the video really shows a picture; browsers without frame callbacks tell by `playing`. */
function whenPicture(video: HTMLVideoElement, then: () => void): void {
  if ('requestVideoFrameCallback' in video) video.requestVideoFrameCallback(then);
  else (video as HTMLVideoElement).addEventListener('playing', then, { once: true });
}

const cameraStream = (): MediaStream | null =>
  view.before.srcObject instanceof MediaStream ? view.before.srcObject : null;

/** A track of the chosen camera, shown as "before"; null when there is none, and the page says why. */
async function openChosenCamera(): Promise<MediaStreamTrack | null> {
  if (navigator.mediaDevices?.getUserMedia === undefined) {
    show('failed', cameraNotice(null));
    return null;
  }
  cameraStream()
    ?.getTracks()
    .forEach((track) => {
      track.stop();
    });
  try {
    const stream = await openCamera({ deviceId: camera.value, resolution: resolution.value });
    const [track] = stream.getVideoTracks();
    if (track === undefined) throw new DOMException('no video', 'NotFoundError');
    view.before.srcObject = stream;
    track.onended = () => {
      stop();
      show('failed', cameraNotice(new DOMException('gone', 'NotFoundError')));
    };
    await listCameras(camera, camera.value);
    return track;
  } catch (error) {
    stop();
    show('failed', cameraNotice(error instanceof Error ? error : { name: String(error) }));
    return null;
  }
}

async function start(): Promise<void> {
  show('starting', WAITING);
  const track = await openChosenCamera();
  if (track !== null) connection.start(track, settings);
}

function stop(): void {
  connection.stop();
  cameraStream()
    ?.getTracks()
    .forEach((track) => {
      track.stop();
    });
  view.before.srcObject = null;
  view.after.srcObject = null;
  show('stopped', IDLE);
}

/** A camera or resolution chosen while live takes effect at once, without a new connection. */
async function changeCamera(): Promise<void> {
  localStorage.setItem('camera', camera.value);
  localStorage.setItem('resolution', resolution.value);
  if (stopButton.hidden) return;
  const track = await openChosenCamera();
  if (track !== null) await connection.replace(track);
}

function change(patch: Partial<SwapSettings>): void {
  showSettings({ ...settings, ...patch });
  connection.set(patch);
}

function chooseFace(face: string | null): void {
  if (settings.choice === 'mapped' && picked !== null) change({ map: { ...settings.map, [picked]: face } });
  else change({ face });
}

function pickPerson(track: number): void {
  picked = track;
  gallery.select(settings.map?.[track] ?? null);
  say('Now choose the face this person should wear.');
}

function showSettings(next: Partial<SwapSettings>): void {
  settings = next;
  if (next.choice !== 'mapped') picked = null;
  gallery.select(picked === null ? (next.face ?? null) : (next.map?.[picked] ?? null));
  choice.value = next.choice ?? 'all';
  fallback.value = next.fallback ?? 'passthrough';
  mapHint.hidden = next.choice !== 'mapped';
  for (const key of ['strength', 'shape'] as const) {
    const share = next[key] ?? 1;
    element(key, HTMLInputElement).value = String(Math.round(share * 100));
    document.getElementById(`${key}-value`)!.textContent = showPercent(share);
  }
}

startButton.onclick = () => void start();
noticeAction.onclick = () => void start();
stopButton.onclick = stop;
camera.onchange = () => void changeCamera();
resolution.onchange = () => void changeCamera();
choice.onchange = () => change({ choice: choice.value as FaceChoice });
fallback.onchange = () => change({ fallback: fallback.value as Fallback });
for (const key of ['strength', 'shape'] as const) {
  const slider = element(key, HTMLInputElement);
  slider.oninput = () => change({ [key]: Number(slider.value) / 100 });
}
navigator.mediaDevices?.addEventListener?.('devicechange', () => void listCameras(camera, camera.value));

resolution.value = localStorage.getItem('resolution') ?? '640x480';
void listCameras(camera, localStorage.getItem('camera') ?? '');
