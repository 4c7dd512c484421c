/** The call page, `/call/ROOM`: joins a room by name, sends camera and microphone, shows everybody in it. */

import type { CallJoin, FaceInfo, SessionStats, SwapSettings } from '../../shared/messages.ts';
import { copyFrom } from '../lib/copy-text.ts';
import { element, icon, press } from '../lib/dom.ts';
import { isThisMachine } from '../lib/format.ts';
import { storedJson, storedNote, storeNote, tabMemory } from '../lib/local-notes.ts';
import { toast } from '../lib/toast.ts';
import { CameraCapture, cameras, listCameras, mayUseCameras } from '../peer/camera-capture.ts';
import { callNotice, callRemark, cameraProblem, isActive, limitOf, type Situation } from '../peer/stream-state.ts';
import { StudioConnection } from '../peer/studio-connection.ts';
import { FaceUpload } from '../studio/face-upload.ts';
import { keepable, OptimisticSettings, restored, withoutGone } from '../studio/optimistic-settings.ts';
import { FaceGallery } from '../studio/panels/face-gallery.ts';
import { Microphone, microphoneProblem } from './microphone.ts';
import { PlaceholderTrack } from './placeholder-track.ts';
import { TileGrid } from './tile-grid.ts';

const room = decodeURIComponent(location.pathname.split('/')[2] ?? '');
const who = element('who', HTMLInputElement);
const micButton = element('mic', HTMLButtonElement);
const camButton = element('cam', HTMLButtonElement);
const cameraSelect = element('camera', HTMLSelectElement);
const address = element('address', HTMLInputElement);

const table = new TileGrid();
const camera = new CameraCapture(() => void cameraGone());
const microphone = new Microphone();
const gallery = new FaceGallery({ onChoose: chooseFace, onAddPhoto: (face) => upload.choose(face), onError: toast });
const upload = new FaceUpload({ faces: () => gallery.faces, onAdded: added, onError: toast });

let situation: Situation = { state: 'idle', reason: 'welcome' };
let agreement: OptimisticSettings | null = null;
/** There while the camera is off or missing. */
let blank: PlaceholderTrack | null = null;

const connection = new StudioConnection({
  onSituation: show,
  onVideo: firstPicture,
  onHello(defaults, locked) {
    element('share-token', HTMLElement).hidden = !locked;
    // In a call nobody is shown as they are unless they say so.
    agreement ??= new OptimisticSettings(
      restored(storedJson('call') ?? storedJson('settings'), { ...defaults, guarded: true }),
    );
    if (storedJson('call') === null) agreement.change({ guarded: true });
    showSettings();
    if (situation.state === 'idle') show({ state: 'idle', reason: 'welcome' });
  },
  onAway(reason) {
    if (situation.state === 'idle' && reason !== 'lost') show({ state: 'idle', reason });
  },
  onFaces: showFaces,
  onStats: remark,
  onSettings(settings) {
    agreement?.answered(settings);
    showSettings();
  },
  onError({ message }) {
    agreement?.refused();
    showSettings();
    toast(message);
  },
  onStream: () => undefined,
  stream: () => undefined,
  settings: () => agreement?.begin() ?? {},
  onSent: () => agreement?.sent(),
  call: (): CallJoin => ({ room, name: who.value.trim(), ...presence() }),
  onRoom: (people, you) => table.show(people, you),
  memory: tabMemory(`call.${room}`),
});

const presence = (): { muted: boolean; camera: boolean } => ({ muted: microphone.muted, camera: blank === null });

function show(next: Situation): void {
  situation = next;
  const { state, reason } = next;
  Object.assign(document.body.dataset, { state, reason });
  const { title, text } = callNotice(next);
  element('state', HTMLElement).textContent = title;
  element('notice', HTMLFormElement).hidden = state === 'live';
  element('notice-title', HTMLElement).textContent = title;
  element('notice-text', HTMLElement).textContent = text;
  element('leave', HTMLButtonElement).hidden = !isActive(state);
  if (state !== 'live') element('remark', HTMLElement).hidden = true;
  if (state === 'reconnecting') table.alone();
  if (!isActive(state)) quiet();
}

/** Nothing is open while nobody is in the call. */
function quiet(): void {
  table.clear();
  camera.close();
  microphone.close();
  blank?.close();
  blank = null;
}

/** Resolves when the person's own picture is back from the server. */
function firstPicture(stream: MediaStream): Promise<void> {
  const { video } = table.own;
  table.own.play(stream);
  table.own.show({ name: who.value.trim(), ...presence(), speaking: false });
  return new Promise((resolve) => video.addEventListener('loadeddata', () => resolve(), { once: true }));
}

async function join(): Promise<void> {
  if (!mayUseCameras()) {
    show({ state: 'failed', reason: 'insecure' });
    return;
  }
  storeNote('name', who.value.trim());
  connection.stop();
  show({ state: 'starting', reason: 'asking' });
  const wantsCamera = camButton.getAttribute('aria-pressed') === 'true';
  const track = wantsCamera ? await openCamera() : blankTrack();
  await microphone.open().catch((error: unknown) => toast(microphoneProblem(error as Error)));
  microphone.muted = micButton.getAttribute('aria-pressed') !== 'true';
  showButtons();
  if (situation.state === 'starting') connection.start(track, microphone.track);
  else quiet();
}

/** Without a camera a person can still hear and be heard. */
async function openCamera(): Promise<MediaStreamTrack> {
  try {
    const track = await camera.open(cameraConstraints());
    await listCameras(cameraSelect, camera.deviceId);
    if (track !== null) {
      blank?.close();
      blank = null;
      return track;
    }
  } catch (error) {
    const { title, text } = callNotice({ state: 'failed', ...cameraProblem(error as Error) });
    toast(`${title}. ${text}`);
  }
  return blankTrack();
}

function blankTrack(): MediaStreamTrack {
  blank ??= new PlaceholderTrack();
  return blank.track;
}

const cameraConstraints = (): { deviceId: string; resolution: string } => ({
  deviceId: cameraSelect.value,
  resolution: '640x480',
});

function leave(): void {
  connection.stop();
  show({ state: 'stopped', reason: 'stopped' });
}

function toggleMicrophone(): void {
  const on = micButton.getAttribute('aria-pressed') !== 'true';
  press(micButton, on);
  microphone.muted = !on;
  if (on && isActive(situation.state) && microphone.track === null)
    toast('There was no microphone when you joined. Leave and join again to use one.');
  told();
}

async function toggleCamera(): Promise<void> {
  const on = camButton.getAttribute('aria-pressed') !== 'true';
  press(camButton, on);
  if (isActive(situation.state)) {
    const track = on ? await openCamera() : blankTrack();
    if (!on) camera.close();
    await connection.replace(track);
  }
  told();
}

async function changeCamera(): Promise<void> {
  storeNote('camera', cameraSelect.value);
  if (!isActive(situation.state) || blank !== null) return;
  await connection.replace(await openCamera());
  told();
}

/** Unplugged: the others are told that it is off, until another one is chosen. */
async function cameraGone(): Promise<void> {
  await connection.replace(blankTrack());
  camera.close();
  await listCameras(cameraSelect, '');
  toast('The camera is gone. Choose another one, or plug it in again and switch it on here.');
  told();
}

/** The others, and this page's own buttons, say how it is. */
function told(): void {
  connection.tell({ type: 'presence', ...presence() });
  showButtons();
}

function showButtons(): void {
  if (isActive(situation.state)) {
    press(camButton, blank === null);
    press(micButton, !microphone.muted);
  }
  for (const [button, name, label] of [
    [micButton, 'mic', 'Microphone'],
    [camButton, 'camera', 'Camera'],
  ] as const) {
    const isOn = button.getAttribute('aria-pressed') === 'true';
    button.querySelector('svg')?.replaceWith(icon(isOn ? name : `${name}-off`));
    button.querySelector('span')!.textContent = `${label} ${isOn ? 'on' : 'off'}`;
  }
}

function change(patch: Partial<SwapSettings>): void {
  if (agreement === null) return;
  storeNote('call', JSON.stringify(keepable(agreement.change(patch))));
  connection.set(patch);
  showSettings();
}

function chooseFace(face: string | null): void {
  change({ face });
}

function showSettings(): void {
  if (agreement === null) return;
  const { face, guarded, badge } = agreement.shown;
  gallery.select(face);
  element('guarded', HTMLInputElement).checked = guarded;
  element('badge', HTMLInputElement).checked = badge;
}

function showFaces(faces: FaceInfo[]): void {
  gallery.show(faces);
  const ids = faces.map(({ id }) => id);
  const patch = agreement === null ? null : withoutGone(agreement.shown, ids);
  if (patch === null) return;
  change(patch);
  toast('Your face was deleted. Choose another one.');
}

function added(face: FaceInfo): void {
  toast(face.photos > 1 ? `${face.name} now has ${face.photos} photos.` : `${face.name} was added.`);
  chooseFace(face.id);
}

function remark(stats: SessionStats): void {
  if (agreement === null) return;
  const text = blank === null ? (callRemark(stats, agreement.shown) ?? limitOf(stats)) : null;
  element('remark', HTMLElement).hidden = text === null;
  element('remark', HTMLElement).textContent = text;
}

element('notice', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  who.value = who.value.trim();
  if (who.reportValidity()) void join();
});
element('leave', HTMLButtonElement).addEventListener('click', leave);
element('copy', HTMLButtonElement).addEventListener('click', () => void copyFrom(address));
micButton.addEventListener('click', toggleMicrophone);
camButton.addEventListener('click', () => void toggleCamera());
cameraSelect.addEventListener('change', () => void changeCamera());
for (const key of ['guarded', 'badge'] as const) {
  const box = element(key, HTMLInputElement);
  box.addEventListener('change', () => change({ [key]: box.checked }));
}

if (!isThisMachine(location.hostname))
  element('privacy', HTMLElement).textContent =
    `Pictures and sound go to ${location.hostname} and from there to the others in the call.`;
address.value = location.origin + location.pathname;
address.addEventListener('focus', () => address.select());
who.value = storedNote('name') ?? '';
void cameras().then(() => listCameras(cameraSelect, storedNote('camera') ?? ''));
show(mayUseCameras() ? situation : { state: 'failed', reason: 'insecure' });
