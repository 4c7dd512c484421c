/** The studio page: puts camera, connection, picture, faces, controls and numbers together. */

import type { FaceInfo, PresetInfo, SessionStats, SwapSettings } from '../../shared/messages.ts';
import { stepFace, toggled } from '../../shared/steps.ts';
import { element } from '../lib/dom.ts';
import { isThisMachine } from '../lib/format.ts';
import { storedJson, storedNote, storeNote } from '../lib/local-notes.ts';
import { toast } from '../lib/toast.ts';
import { CameraCapture, cameras, listCameras, mayUseCameras } from '../peer/camera-capture.ts';
import { NetworkStats } from '../peer/network-stats.ts';
import {
  cameraProblem,
  isActive,
  type NoticeAction,
  noticeOf,
  remarkOf,
  type Situation,
  stateText,
} from '../peer/stream-state.ts';
import { StudioConnection } from '../peer/studio-connection.ts';
import { FaceBoxes } from './face-boxes.ts';
import { FaceUpload } from './face-upload.ts';
import { Keyboard } from './keyboard.ts';
import { adopt, keepable, OptimisticSettings, presetOf, restored, withoutGone } from './optimistic-settings.ts';
import { FaceGallery } from './panels/face-gallery.ts';
import { MachinePanel } from './panels/machine-panel.ts';
import { ModelsPanel } from './panels/models-panel.ts';
import { PreflightLine } from './panels/preflight-line.ts';
import { PresetsBar } from './panels/presets-bar.ts';
import { RecordingPanel } from './panels/recording-panel.ts';
import { SharePanel } from './panels/share-panel.ts';
import { StatsPanel } from './panels/stats-panel.ts';
import { SwapControls } from './panels/swap-controls.ts';
import { PictureView } from './picture-view.ts';
import type { ShortcutAction as KeyAction } from './shortcuts.ts';

const startButton = element('start', HTMLButtonElement);
const stopButton = element('stop', HTMLButtonElement);
const noticeButton = element('notice-action', HTMLButtonElement);
const cameraSelect = element('camera', HTMLSelectElement);
const resolutionSelect = element('resolution', HTMLSelectElement);

const view = new PictureView();
const numbers = new StatsPanel();
const network = new NetworkStats();
new MachinePanel();
const preflight = new PreflightLine();
const camera = new CameraCapture(() => void cameraGone());
const obs = new SharePanel();
const people = new FaceBoxes(pickPerson);
const recording = new RecordingPanel();
const controls = new SwapControls(control);
const models = new ModelsPanel((engine) => change({ engine }));
const gallery = new FaceGallery({ onChoose: chooseFace, onAddPhoto: (face) => upload.choose(face), onError: toast });
const upload = new FaceUpload({ faces: () => gallery.faces, onAdded: added, onError: toast });
const presets = new PresetsBar({
  onApply: applyPreset,
  settings: () => (agreement === null ? null : presetOf(agreement.shown)),
  faces: () => gallery.faces,
  onError: toast,
});
new Keyboard(obeyKey);

let situation: Situation = { state: 'idle', reason: 'welcome' };
/** There once the server said what it does by itself. */
let agreement: OptimisticSettings | null = null;
/** Who was last seen in the picture, while it runs. */
let seen: SessionStats | null = null;
/** The person whose face is being chosen, where each has their own. */
let picked: number | null = null;

const connection = new StudioConnection({
  onSituation: show,
  onVideo: (stream) => view.showSwapped(stream),
  onHello(defaults, locked) {
    obs.hint(locked);
    agreement ??= new OptimisticSettings(restored(storedJson('settings'), defaults));
    showSettings();
    if (isAway(situation)) show({ state: situation.state, reason: situation.state === 'idle' ? 'welcome' : 'stopped' });
  },
  onAway(reason) {
    const quiet = situation.state === 'idle' || situation.state === 'stopped';
    if (quiet && reason !== 'lost') show({ state: situation.state, reason });
  },
  onFaces: showFaces,
  onStats: (stats) => void showStats(stats),
  onPresets: (all) => presets.show(all),
  onSettings(settings, elsewhere) {
    if (elsewhere) agreement?.told(settings);
    else agreement?.answered(settings);
    // What was chosen elsewhere is chosen: a page that comes back goes on with it.
    if (elsewhere) storeNote('settings', JSON.stringify(keepable(settings)));
    showSettings();
  },
  onError({ message }) {
    agreement?.refused();
    showSettings();
    toast(message);
  },
  onStream: (name) => obs.live(name),
  stream: () => obs.wanted,
  settings() {
    picked = null;
    return agreement?.begin() ?? {};
  },
  onSent: () => agreement?.sent(),
});

function isAway({ state, reason }: Situation): boolean {
  return (state === 'idle' || state === 'stopped') && (reason === 'unready' || reason === 'unreachable');
}

function show(next: Situation): void {
  const focused = document.activeElement;
  situation = next;
  const { state, reason } = next;
  document.body.dataset.state = state;
  document.body.dataset.reason = reason;
  element('state', HTMLElement).textContent = stateText(next);
  const notice = noticeOf(next);
  element('notice', HTMLDivElement).hidden = notice === null;
  if (notice !== null) {
    element('notice-title', HTMLElement).textContent = notice.title;
    element('notice-text', HTMLElement).textContent = notice.text;
    noticeButton.hidden = notice.action === undefined;
    noticeButton.textContent = notice.action?.label ?? '';
    noticeButton.dataset.does = notice.action?.does ?? '';
  }
  preflight.on = (state === 'idle' || state === 'stopped') && (reason === 'welcome' || reason === 'stopped');
  startButton.hidden = isActive(state);
  stopButton.hidden = !isActive(state);
  if (state !== 'live') quiet();
  // The button that was pressed may just have gone; the keyboard goes on at its successor.
  if (focused?.closest('[hidden]')) (startButton.hidden ? stopButton : startButton).focus();
}

/** Nothing that belongs to a running picture stays when it does not run. */
function quiet(): void {
  seen = null;
  numbers.clear();
  people.clear();
  recording.clear();
  element('remark', HTMLElement).hidden = true;
}

async function start(): Promise<void> {
  if (!mayUseCameras()) {
    show({ state: 'failed', reason: 'insecure' });
    return;
  }
  connection.stop();
  show({ state: 'starting', reason: 'asking' });
  try {
    const track = await camera.open(cameraConstraints());
    if (track === null) return;
    await showCamera();
    if (camera.stream?.getVideoTracks()[0] === track) connection.start(track);
  } catch (error) {
    cameraFailed(error);
  }
}

function stop(): void {
  camera.close();
  connection.stop();
  view.clear();
  show({ state: 'stopped', reason: 'stopped' });
}

const cameraConstraints = (): { deviceId: string; resolution: string } => ({
  deviceId: cameraSelect.value,
  resolution: resolutionSelect.value,
});

async function showCamera(): Promise<void> {
  view.showCamera(camera.stream);
  await listCameras(cameraSelect, camera.deviceId);
}

function cameraFailed(error: unknown): void {
  stop();
  show({ state: 'failed', ...cameraProblem(error instanceof Error ? error : { name: String(error) }) });
}

/** A camera or resolution chosen while the stream runs takes effect at once, on the same connection. */
async function changeCamera(): Promise<void> {
  keepCamera();
  if (!isActive(situation.state)) return;
  if (camera.stream === null) {
    await start();
    return;
  }
  try {
    const { track, error } = await camera.change(cameraConstraints());
    if (track === null) return;
    await showCamera();
    await connection.replace(track);
    if (error === undefined) return;
    resolutionSelect.value = camera.resolution;
    keepCamera();
    toast('The camera could not be opened like that. It goes on as before.');
  } catch (error) {
    cameraFailed(error);
  }
}

function keepCamera(): void {
  storeNote('camera', cameraSelect.value);
  storeNote('resolution', resolutionSelect.value);
}

/** Unplugged: goes on with another camera, or waits for one. */
async function cameraGone(): Promise<void> {
  const gone = camera.deviceId;
  camera.close();
  for (const { deviceId, label } of await cameras()) {
    if (deviceId === gone) continue;
    const track = await camera.open({ ...cameraConstraints(), deviceId }).catch(() => null);
    if (track === null) continue;
    await showCamera();
    await connection.replace(track);
    toast(`The camera is gone. Going on with ${label || 'another one'}.`);
    return;
  }
  stop();
  show({ state: 'failed', reason: 'unplugged' });
}

async function devicesChanged(): Promise<void> {
  await listCameras(cameraSelect, camera.deviceId || (storedNote('camera') ?? ''));
  const waits = situation.reason === 'unplugged' || situation.reason === 'no_camera';
  if (waits && (await cameras()).length > 0) await start();
}

function change(patch: Partial<SwapSettings>): void {
  if (agreement === null) return;
  const settings = agreement.change(patch);
  connection.set(patch);
  storeNote('settings', JSON.stringify(keepable(settings)));
  showSettings();
}

/** When each person is to have their own face, all begin with the common one. */
function control(patch: Partial<SwapSettings>): void {
  const people = seen?.faces.map(({ track }) => track) ?? [];
  const face = patch.face === undefined ? (agreement?.shown.face ?? null) : patch.face;
  const map = patch.choice === 'mapped' ? adopt({}, people, face) : null;
  change(map === null ? patch : { ...patch, map });
}

function applyPreset({ name, settings }: PresetInfo): void {
  const { face = null } = settings;
  if (face !== null && !gallery.faces.some(({ id }) => id === face)) {
    toast(`The face of ${name} is gone. Nothing was changed.`);
    return;
  }
  control(settings);
  toast(isOn() ? name : `${name}. The swap is off.`);
}

const isOn = (): boolean => agreement?.shown.on ?? true;

/** Who presses a key may not be looking: each says what it did. */
function obeyKey(action: Exclude<KeyAction, 'help'>, key: string): void {
  if (agreement === null) return;
  switch (action) {
    case 'next':
    case 'previous': {
      const { map, face: common } = agreement.shown;
      const face = stepFace(
        gallery.faces,
        picked === null ? common : (map[picked] ?? null),
        action === 'next' ? 1 : -1,
      );
      toast(gallery.nameOf(face));
      chooseFace(face);
      break;
    }
    case 'preset': {
      const preset = presets.of(key);
      if (preset === undefined) toast(`There is no preset ${key} yet.`);
      else applyPreset(preset);
      break;
    }
    default: {
      change(toggled(agreement.shown, action));
      const now = agreement.shown[action] ?? true;
      const said = {
        on: ['Swap on', 'Swap off'],
        keepEyes: ['My eyes', 'Swapped eyes'],
        keepMouth: ['My mouth', 'Swapped mouth'],
      };
      toast(said[action][now ? 0 : 1]!);
    }
  }
}

function chooseFace(face: string | null): void {
  if (agreement?.shown.choice !== 'mapped') change({ face });
  else if (picked !== null) change({ map: { ...agreement.shown.map, [picked]: face } });
  else if (isActive(situation.state)) toast('First click the person in the picture who is to wear it.');
  else change({ face });
}

function pickPerson(track: number | null): void {
  picked = track;
  showSettings();
}

function showSettings(): void {
  if (agreement === null) return;
  const settings = agreement.shown;
  const { choice, map, face, engine } = settings;
  if (choice !== 'mapped') picked = null;
  controls.show(settings);
  models.select(engine);
  gallery.select(picked === null ? face : (map[picked] ?? null));
  document.body.dataset.choice = choice;
  element('after-tag', HTMLElement).textContent =
    !isOn() || engine === 'none' || (choice !== 'mapped' && face === null) ? 'As it is' : 'Swapped';
  element('people-hint', HTMLElement).textContent =
    picked === null
      ? 'While the picture runs, click a person in it, then the face they should wear. New people get the face chosen here.'
      : `Person ${picked} is chosen: now choose their face above.`;
  showPeople();
}

/** Boxes over the people in the picture, where each has a face of their own. */
function showPeople(): void {
  if (seen === null || agreement === null) return;
  const { choice, map } = agreement.shown;
  const { faces, width, height } = seen;
  const wears = (track: number): string => gallery.nameOf(map[track] ?? null);
  if (choice !== 'mapped') people.clear();
  else people.show({ faces, picture: { width, height }, mirrored: view.mirrored, picked, wears });
}

/** A face that is not there any more cannot be worn. */
function showFaces(faces: FaceInfo[]): void {
  gallery.show(faces);
  presets.show();
  if (agreement === null) return;
  const patch = withoutGone(
    agreement.shown,
    faces.map(({ id }) => id),
  );
  showSettings();
  if (patch === null) return;
  change(patch);
  toast('The chosen face is gone: people show as they are. Choose another one.');
}

function added(face: FaceInfo): void {
  toast(face.photos > 1 ? `${face.name} now has ${face.photos} photos.` : `${face.name} was added.`);
  chooseFace(face.id);
}

async function showStats(stats: SessionStats): Promise<void> {
  numbers.show(stats, network.read(await connection.network()));
  if (agreement === null || situation.state !== 'live') return;
  recording.show(stats);
  const remark = remarkOf(stats, agreement.shown);
  element('remark', HTMLElement).hidden = remark === null;
  element('remark', HTMLElement).textContent = remark;
  seen = stats;
  if (agreement.shown.choice === 'mapped') meetPeople(stats.faces.map(({ track }) => track));
  showPeople();
}

/** New people get a face. One who was chosen and lost again is a new one to the tracker. */
function meetPeople(tracks: number[]): void {
  const { map, face } = agreement!.shown;
  const adopted = adopt(map, tracks, face);
  if (adopted !== null) change({ map: adopted });
  if (picked !== null && !tracks.includes(picked)) pickPerson(tracks.length === 1 ? tracks[0]! : null);
}

const actions: Record<NoticeAction, () => void> = {
  start: () => void start(),
  retry: () => connection.retry(),
  reload: () => location.reload(),
};

startButton.addEventListener('click', () => void start());
stopButton.addEventListener('click', stop);
noticeButton.addEventListener('click', () => actions[noticeButton.dataset.does as NoticeAction]());
cameraSelect.addEventListener('change', () => void changeCamera());
resolutionSelect.addEventListener('change', () => void changeCamera());
navigator.mediaDevices?.addEventListener?.('devicechange', () => void devicesChanged());

if (!isThisMachine(location.hostname))
  element('privacy', HTMLElement).textContent = `Your pictures go to ${location.hostname} and no further.`;
resolutionSelect.value = storedNote('resolution') ?? '640x480';
void listCameras(cameraSelect, storedNote('camera') ?? '');
show(mayUseCameras() ? situation : { state: 'failed', reason: 'insecure' });
