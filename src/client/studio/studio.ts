/** The studio page: connects the camera, the connection, the picture, the faces, the controls and the panels. */

import '../language/page-language.ts';

import type { FaceInfo, PresetInfo, SessionStats } from '../../shared/messages.ts';
import type { SettingsPatch } from '../../shared/settings.ts';
import { stepFace, toggled } from '../../shared/steps.ts';
import { errorText } from '../language/error-texts.ts';
import { t } from '../language/translate.ts';
import { announce, element } from '../lib/dom.ts';
import { isThisMachine } from '../lib/format.ts';
import { storedJson, storeNote } from '../lib/local-notes.ts';
import { markNote } from '../lib/mark-question.ts';
import { toast } from '../lib/toast.ts';
import { keepAwake } from '../lib/wake-lock.ts';
import { remarkOf, seenSilent, silentRemark } from '../notices/stream-notices.ts';
import { mayUseCameras } from '../peer/camera-capture.ts';
import { NetworkStats } from '../peer/network-stats.ts';
import { cameraStateOf, isActive, type Situation } from '../peer/stream-state.ts';
import { isClustered, openConnection } from '../transport/open-stream.ts';
import { CapturePanel } from './capture/capture-panel.ts';
import { LightHint } from './capture/light-hint.ts';
import { FaceBoxes } from './face-boxes.ts';
import { addedText, FaceUpload } from './face-upload.ts';
import { FacePacks } from './gallery/face-packs.ts';
import { FacePage } from './gallery/face-page.ts';
import { GalleryTools } from './gallery/gallery-tools.ts';
import { TryOn } from './gallery/try-on.ts';
import { Keyboard } from './keyboard.ts';
import { MidiPanel } from './midi/midi-panel.ts';
import {
  adopt,
  keepable,
  OptimisticSettings,
  presetOf,
  restored,
  usableFaces,
  withoutGone,
} from './optimistic-settings.ts';
import { BackgroundPanel } from './panels/background-panel.ts';
import { FaceGallery } from './panels/face-gallery.ts';
import { MachinePanel } from './panels/machine-panel.ts';
import { ModelsPanel } from './panels/models-panel.ts';
import { PhonePanel } from './panels/phone-panel.ts';
import { PreflightLine } from './panels/preflight-line.ts';
import { PresetsBar } from './panels/presets-bar.ts';
import { RecordingPanel } from './panels/recording-panel.ts';
import { SharePanel } from './panels/share-panel.ts';
import { StatsPanel } from './panels/stats-panel.ts';
import { SwapControls } from './panels/swap-controls.ts';
import { PictureView } from './picture-view.ts';
import type { ShortcutAction } from './shortcuts.ts';
import { SituationDisplay } from './situation-display.ts';
import { StreamControl } from './stream-control.ts';

const view = new PictureView();
const statsPanel = new StatsPanel();
const network = new NetworkStats();
new MachinePanel();
const preflight = new PreflightLine();
const sharePanel = new SharePanel();
const faceBoxes = new FaceBoxes(pickPerson);
const recording = new RecordingPanel();
const controls = new SwapControls(changeControl);
const background = new BackgroundPanel({ onChange: change, onError: toast });
const capture = new CapturePanel({ onChange: change, onSound: (track) => void connection.replaceSound(track) });
const light = new LightHint(view.before);
const models = new ModelsPanel((engine) => change({ engine }));
const facePage = new FacePage({ onChoose: ({ id }) => chooseFace(id), onAddPhoto: (face) => upload.choose(face) });
const gallery = new FaceGallery({
  onChoose: chooseFace,
  onAddPhoto: (face) => upload.choose(face),
  onOpen: (face) => void facePage.open(face),
  tools: new GalleryTools(() => gallery.refresh()),
  onError: toast,
});
const tryOn = new TryOn(element('gallery', HTMLUListElement), {
  session: () => lastStats?.session ?? null,
  chosen: () => optimistic?.shown.face ?? null,
  nameOf: (face) => gallery.nameOf(face),
  onError: toast,
});
const packs = new FacePacks(toast);
new MidiPanel({ settings: () => optimistic?.shown ?? null, onChange: change, onStep: stepTo });
const upload = new FaceUpload({ faces: () => gallery.faces, onAdded: onFaceAdded, onError: toast });
const presets = new PresetsBar({
  onApply: applyPreset,
  settings: () => (optimistic === null ? null : presetOf(optimistic.shown)),
  faces: () => gallery.faces,
  onError: toast,
});
const display = new SituationDisplay({
  start: () => void stream.start(),
  retry: () => connection.retry(),
  reload: () => location.reload(),
});
new Keyboard(onShortcut);

let situation: Situation = { state: 'idle', reason: 'welcome' };
/** The settings as this page shows them; null until the server said its defaults. */
let optimistic: OptimisticSettings | null = null;
/** The last statistics of the running session, with the faces in its picture; null while none runs. */
let lastStats: SessionStats | null = null;
/** The tracked person whose face is being chosen, where each person has a face of their own. */
let picked: number | null = null;

const connection = await openConnection({
  onSituation: show,
  onVideo: (video) => view.showSwapped(video),
  onHello(defaults, locked) {
    sharePanel.hint(locked);
    optimistic ??= new OptimisticSettings(restored(storedJson('settings'), defaults));
    showSettings();
    void background.load();
    if (isServerAway(situation))
      show({ state: situation.state, reason: situation.state === 'idle' ? 'welcome' : 'stopped' });
  },
  onAway(reason) {
    const isQuiet = situation.state === 'idle' || situation.state === 'stopped';
    if (isQuiet && reason !== 'lost') show({ state: situation.state, reason });
  },
  onFaces: showFaces,
  onStats: (stats) => void showStats(stats),
  onPresets: (all) => presets.show(all),
  onGuide: (guide) => phone.show(guide),
  onSettings(settings, elsewhere) {
    if (elsewhere) optimistic?.told(settings);
    else optimistic?.answered(settings);
    // Settings chosen on another page count as chosen here: a page that comes back goes on with them.
    if (elsewhere) storeNote('settings', JSON.stringify(keepable(settings)));
    showSettings();
  },
  onError(error) {
    optimistic?.refused();
    showSettings();
    toast(errorText(error));
  },
  onStream: (name) => sharePanel.live(name),
  stream: () => sharePanel.requestedName,
  settings() {
    picked = null;
    return optimistic?.begin() ?? {};
  },
  onSent: () => optimistic?.sent(),
});
const phone = new PhonePanel(
  (on) => connection.follow(on),
  () => sharePanel.streamName,
);
const stream = new StreamControl({
  connection,
  view,
  sound: () => capture.sound,
  situation: () => situation,
  show,
  onSilence: () => {
    show(situation);
    showRemark(stream.isSilent ? silentRemark() : null);
  },
});

function isServerAway({ state, reason }: Situation): boolean {
  return (state === 'idle' || state === 'stopped') && (reason === 'unready' || reason === 'unreachable');
}

function show(next: Situation): void {
  situation = next;
  keepAwake(isActive(next.state));
  display.show(stream.isSilent ? seenSilent(next) : next);
  connection.tellCamera(cameraStateOf(next));
  const { state, reason } = next;
  // It tells what this server's machine has room for.
  preflight.on =
    !isClustered && (state === 'idle' || state === 'stopped') && (reason === 'welcome' || reason === 'stopped');
  if (state !== 'live') clearLive();
}

/** Clears everything that belongs to a running picture. */
function clearLive(): void {
  lastStats = null;
  tryOn.end();
  statsPanel.clear();
  capture.showDelay(null);
  light.show([]);
  faceBoxes.clear();
  recording.clear();
  element('remark', HTMLElement).hidden = true;
}

function change(patch: SettingsPatch): void {
  if (optimistic === null) return;
  const settings = optimistic.change(patch);
  connection.set(patch);
  storeNote('settings', JSON.stringify(keepable(settings)));
  showSettings();
}

/** A change from the controls. Where each person gets a face of their own, all begin with the common one. */
function changeControl(patch: SettingsPatch): void {
  const tracks = lastStats?.faces.map(({ track }) => track) ?? [];
  const face = patch.face === undefined ? (optimistic?.shown.face ?? null) : patch.face;
  const map = patch.choice === 'mapped' ? adopt({}, tracks, face) : null;
  change(map === null ? patch : { ...patch, map });
}

function applyPreset({ name, settings }: PresetInfo): void {
  const { face = null } = settings;
  if (face !== null && !gallery.faces.some(({ id }) => id === face)) {
    toast(t('The face of {{preset}} is gone. Nothing was changed.', { preset: name }));
    return;
  }
  changeControl(settings);
  toast(isOn() ? name : t('{{preset}}. The swap is off.', { preset: name }));
}

const isOn = (): boolean => optimistic?.shown.on ?? true;

/** Does what a key stands for, and says so in a toast: the person may be looking at another window. */
function onShortcut(action: Exclude<ShortcutAction, 'help'>, key: string): void {
  if (optimistic === null) return;
  switch (action) {
    case 'next':
    case 'previous': {
      stepTo(action === 'next' ? 1 : -1);
      break;
    }
    case 'preset': {
      const preset = presets.of(key);
      if (preset === undefined) toast(t('There is no preset {{key}} yet.', { key }));
      else applyPreset(preset);
      break;
    }
    default: {
      change(toggled(optimistic.shown, action));
      const now = optimistic.shown[action];
      const said = {
        on: [t('Swap on'), t('Swap off')],
        offAir: [t('Off air'), t('On air')],
        keepEyes: [t('My eyes'), t('Swapped eyes')],
        keepMouth: [t('My mouth'), t('Swapped mouth')],
      };
      toast(said[action][now ? 0 : 1]!);
    }
  }
}

/** Takes the next face, or the one before. */
function stepTo(by: 1 | -1): void {
  if (optimistic === null) return;
  const { map, face: common } = optimistic.shown;
  const face = stepFace(gallery.faces, picked === null ? common : (map[picked] ?? null), by);
  toast(gallery.nameOf(face));
  chooseFace(face);
}

function chooseFace(face: string | null): void {
  if (optimistic?.shown.choice !== 'mapped') change({ face });
  else if (picked !== null) change({ map: { ...optimistic.shown.map, [picked]: face } });
  else if (isActive(situation.state)) toast(t('First click the person in the picture who is to wear it.'));
  else change({ face });
}

function pickPerson(track: number | null): void {
  picked = track;
  showSettings();
}

function showSettings(): void {
  if (optimistic === null) return;
  const settings = optimistic.shown;
  const { choice, map, face, engine } = settings;
  if (choice !== 'mapped') picked = null;
  controls.show(settings);
  background.show(settings);
  capture.show(settings);
  models.select(engine);
  gallery.select(picked === null ? face : (map[picked] ?? null));
  document.body.dataset.choice = choice;
  document.body.classList.toggle('off-air', settings.offAir);
  element('after-tag', HTMLElement).textContent =
    !isOn() || engine === 'none' || (choice !== 'mapped' && face === null) ? t('As it is') : t('Swapped');
  element('people-hint', HTMLElement).textContent =
    picked === null
      ? t(
          'While the picture runs, click a person in it, then the face they should wear. New people get the face chosen here.',
        )
      : t('Person {{number}} is chosen: now choose their face above.', { number: picked });
  announce('mark-note', markNote(settings, isClustered));
  showPeople();
}

/** Shows boxes over the people in the picture, where each has a face of their own. */
function showPeople(): void {
  if (lastStats === null || optimistic === null) return;
  const { choice, map } = optimistic.shown;
  const { faces, width, height } = lastStats;
  const wears = (track: number): string => gallery.nameOf(map[track] ?? null);
  if (choice !== 'mapped') faceBoxes.clear();
  else faceBoxes.show({ faces, picture: { width, height }, mirrored: view.mirrored, picked, wears });
}

/** Shows the faces, and takes faces that were deleted out of the settings. */
function showFaces(faces: FaceInfo[]): void {
  gallery.show(faces);
  packs.show(faces);
  presets.show();
  if (optimistic === null) return;
  const patch = withoutGone(optimistic.shown, usableFaces(faces, isActive(situation.state)));
  showSettings();
  if (patch === null) return;
  change(patch);
  toast(t('The chosen face is gone, blocked, or waits for a confirmation: no face is swapped. Choose another one.'));
}

function onFaceAdded(face: FaceInfo): void {
  toast(addedText(face));
  chooseFace(face.id);
}

function showRemark(remark: string | null): void {
  element('remark', HTMLElement).hidden = remark === null || situation.state !== 'live';
  element('remark', HTMLElement).textContent = remark;
}

async function showStats(stats: SessionStats): Promise<void> {
  statsPanel.show(stats, network.read(await connection.network()));
  if (optimistic === null || situation.state !== 'live') return;
  if (!isClustered) recording.show(stats);
  capture.showDelay(stats);
  // Where a part is shown, the boxes do not lie in the camera's own picture.
  light.show(optimistic.shown.framing === 'whole' ? stats.faces : []);
  showRemark(stream.isSilent ? silentRemark() : remarkOf(stats, optimistic.shown));
  lastStats = stats;
  if (optimistic.shown.choice === 'mapped') assignNewPeople(stats.faces.map(({ track }) => track));
  showPeople();
}

/** Gives people who are new in the picture a face. The tracker counts a person who was lost and found again as new. */
function assignNewPeople(tracks: number[]): void {
  const { map, face } = optimistic!.shown;
  const adopted = adopt(map, tracks, face);
  if (adopted !== null) change({ map: adopted });
  if (picked !== null && !tracks.includes(picked)) pickPerson(tracks.length === 1 ? tracks[0]! : null);
}

if (!isThisMachine(location.hostname))
  element('privacy', HTMLElement).textContent = t('Your pictures go to {{host}} and no further.', {
    host: location.hostname,
  });
show(mayUseCameras() ? situation : { state: 'failed', reason: 'insecure' });
