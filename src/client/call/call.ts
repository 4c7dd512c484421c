/** The call page, `/call/ROOM`: joins a room, sends camera and microphone, and shows the people in the call. */

import '../language/page-language.ts';

import type { CallJoin, FaceInfo, SessionStats } from '../../shared/messages.ts';
import { type SettingsPatch, wantsSwap } from '../../shared/settings.ts';
import { errorText } from '../language/error-texts.ts';
import { t } from '../language/translate.ts';
import { copyFrom } from '../lib/copy-text.ts';
import { announce, element, icon, press } from '../lib/dom.ts';
import { isThisMachine } from '../lib/format.ts';
import { storedJson, storedNote, storeNote, tabMemory } from '../lib/local-notes.ts';
import { changeMark, markNote } from '../lib/mark-question.ts';
import { toast } from '../lib/toast.ts';
import { keepAwake } from '../lib/wake-lock.ts';
import { callNotice, callRemark, cameraProblem, limitOf, silentRemark } from '../notices/stream-notices.ts';
import { CameraCapture, type CameraConstraints, cameras, listCameras, mayUseCameras } from '../peer/camera-capture.ts';
import { isActive, type Situation } from '../peer/stream-state.ts';
import { Microphone, microphoneProblem } from '../sound/microphone.ts';
import { CALL_VOICES } from '../sound/voice-changer.ts';
import { addedText, FaceUpload } from '../studio/face-upload.ts';
import { keepable, OptimisticSettings, restored, usableFaces, withoutGone } from '../studio/optimistic-settings.ts';
import { BackgroundPanel } from '../studio/panels/background-panel.ts';
import { FaceGallery } from '../studio/panels/face-gallery.ts';
import { isClustered, openConnection, watchPerson } from '../transport/open-stream.ts';
import { PlaceholderTrack } from './placeholder-track.ts';
import { TileGrid } from './tile-grid.ts';

const SWAPPED = t('Faces in this call may be changed by AI. A tile says so of its person.');

const room = decodeURIComponent(location.pathname.match(/([^/]*)\/?$/)![1]!);
const nameField = element('who', HTMLInputElement);
const micButton = element('mic', HTMLButtonElement);
const camButton = element('cam', HTMLButtonElement);
const cameraSelect = element('camera', HTMLSelectElement);
const address = element('address', HTMLInputElement);

const tiles = new TileGrid((conf) => watchPerson(connection, conf));
const camera = new CameraCapture(
  () => void onCameraGone(),
  () => showRemark(null),
);
const microphone = new Microphone(() => void onMicrophoneGone());
const background = new BackgroundPanel({ onChange: change, onError: toast });
const voiceSelect = element('voice', HTMLSelectElement);
const gallery = new FaceGallery({ onChoose: chooseFace, onAddPhoto: (face) => upload.choose(face), onError: toast });
const upload = new FaceUpload({ faces: () => gallery.faces, onAdded: onFaceAdded, onError: toast });

let situation: Situation = { state: 'idle', reason: 'welcome' };
let optimistic: OptimisticSettings | null = null;
/** Whether the person wants to be heard; the button shows whether they are. */
let wantsMicrophone = true;
/** Id of the camera that was unplugged in the call and is waited for; empty for none. */
let lostCamera = '';
/** Dark pictures that are sent while the camera is off or missing. */
let placeholder: PlaceholderTrack | null = null;

const connection = await openConnection({
  onSituation: show,
  onVideo: firstPicture,
  onHello(defaults, locked) {
    element('share-token', HTMLElement).hidden = !locked;
    // A call starts guarded: the real face is shown only once the person allows it.
    optimistic ??= new OptimisticSettings(
      restored(storedJson('call') ?? storedJson('settings'), { ...defaults, guarded: true }),
    );
    if (storedJson('call') === null) optimistic.change({ guarded: true });
    showSettings();
    void background.load();
    if (situation.state === 'idle') show({ state: 'idle', reason: 'welcome' });
  },
  onAway(reason) {
    if (situation.state === 'idle' && reason !== 'lost') show({ state: 'idle', reason });
  },
  onFaces: showFaces,
  onStats: showRemark,
  onSettings(settings) {
    optimistic?.answered(settings);
    showSettings();
  },
  onError(error) {
    optimistic?.refused();
    showSettings();
    toast(errorText(error));
  },
  onStream: () => undefined,
  stream: () => undefined,
  settings: () => optimistic?.begin() ?? {},
  onSent: () => optimistic?.sent(),
  call: (): CallJoin => ({ room, name: nameField.value.trim(), ...presence() }),
  onRoom: (people, you) => tiles.show(people, you),
  memory: tabMemory(`call.${room}`),
});

const presence = (): { muted: boolean; camera: boolean } => ({ muted: microphone.muted, camera: placeholder === null });

function show(next: Situation): void {
  situation = next;
  const { state, reason } = next;
  keepAwake(isActive(state));
  Object.assign(document.body.dataset, { state, reason });
  const { title, text } = callNotice(next);
  element('state', HTMLElement).textContent = title;
  element('notice', HTMLFormElement).hidden = state === 'live';
  element('notice-title', HTMLElement).textContent = title;
  element('notice-text', HTMLElement).textContent = text;
  element('leave', HTMLButtonElement).hidden = !isActive(state);
  if (state !== 'live') element('remark', HTMLElement).hidden = true;
  // The others stay while a worker is waited for.
  if (state === 'reconnecting' && reason !== 'in_line' && reason !== 'takeover') tiles.alone();
  // Said once a call, when the person joins; screen readers speak it.
  announce('swapped-note', isActive(state) && state !== 'starting' ? SWAPPED : '');
  if (!isActive(state)) closeAll();
}

/** Closes tiles, camera and microphone: outside the call nothing stays open. */
function closeAll(): void {
  tiles.clear();
  camera.close();
  microphone.close();
  placeholder?.close();
  placeholder = null;
}

/** Resolves when the person's own picture is back from the server. */
function firstPicture(stream: MediaStream): Promise<void> {
  const { video } = tiles.own;
  tiles.own.play(stream);
  if (optimistic !== null) tiles.own.disclose(wantsSwap(optimistic.shown));
  tiles.own.show({ name: nameField.value.trim(), ...presence(), speaking: false });
  return new Promise((resolve) => video.addEventListener('loadeddata', () => resolve(), { once: true }));
}

async function join(): Promise<void> {
  if (!mayUseCameras()) {
    show({ state: 'failed', reason: 'insecure' });
    return;
  }
  storeNote('name', nameField.value.trim());
  connection.stop();
  show({ state: 'starting', reason: 'asking' });
  const wantsCamera = camButton.getAttribute('aria-pressed') === 'true';
  const track = wantsCamera ? await openCamera() : placeholderTrack();
  await microphone.open().catch((error: unknown) => toast(microphoneProblem(error as Error)));
  wantsMicrophone = micButton.getAttribute('aria-pressed') === 'true';
  microphone.muted = !wantsMicrophone;
  keepInStep();
  showButtons();
  if (situation.state === 'starting') connection.start(track, microphone.track);
  else closeAll();
}

/** The camera's track, or the placeholder's where no camera opens: the person can still hear and be heard. */
async function openCamera(): Promise<MediaStreamTrack> {
  try {
    const track = await camera.open(cameraConstraints());
    await listCameras(cameraSelect, camera.deviceId);
    if (track !== null) {
      placeholder?.close();
      placeholder = null;
      return track;
    }
  } catch (error) {
    const { title, text } = callNotice({ state: 'failed', ...cameraProblem(error as Error) });
    toast(t('{{title}}. {{text}}', { title, text }));
  }
  return placeholderTrack();
}

function placeholderTrack(): MediaStreamTrack {
  placeholder ??= new PlaceholderTrack();
  return placeholder.track;
}

const cameraConstraints = (): CameraConstraints => ({
  deviceId: cameraSelect.value,
  resolution: '640x480',
  fps: 30,
});

function leave(): void {
  connection.stop();
  show({ state: 'stopped', reason: 'stopped' });
}

async function toggleMicrophone(): Promise<void> {
  wantsMicrophone = micButton.getAttribute('aria-pressed') !== 'true';
  press(micButton, wantsMicrophone);
  microphone.muted = !wantsMicrophone;
  if (wantsMicrophone && isActive(situation.state) && microphone.track === null && !(await openMicrophone()))
    toast(t('There is no microphone: the others see you but do not hear you. Plug one in.'));
  announcePresence();
}

/** Opens the default microphone in a running call. @returns whether there is one. */
async function openMicrophone(): Promise<boolean> {
  await microphone.open().catch(() => undefined);
  if (isActive(situation.state)) await connection.replaceSound(microphone.track);
  else microphone.close();
  return microphone.track !== null;
}

/** The microphone was unplugged: the call goes on with another one, or without. */
async function onMicrophoneGone(): Promise<void> {
  if (!(await openMicrophone())) toast(t('The microphone is gone: the others do not hear you. Plug one in.'));
  else if (microphone.track!.label === '') toast(t('The microphone is gone. Going on with another one.'));
  else toast(t('The microphone is gone. Going on with {{device}}.', { device: microphone.track!.label }));
  announcePresence();
}

async function onDevicesChanged(): Promise<void> {
  await takeCameraBack();
  await takeMicrophone();
}

/** A microphone that was plugged in is used, if the person wants one and has none. */
async function takeMicrophone(): Promise<void> {
  if (!isActive(situation.state) || !wantsMicrophone || microphone.track !== null) return;
  if (await openMicrophone()) {
    const device = microphone.track!.label;
    toast(device === '' ? t('Going on with the microphone.') : t('Going on with {{device}}.', { device }));
  }
  announcePresence();
}

/** A changed voice is late, for which the picture waits. */
function keepInStep(): void {
  const soundOffsetMs = -microphone.latencyMs;
  if (optimistic !== null && optimistic.shown.soundOffsetMs !== soundOffsetMs) change({ soundOffsetMs });
}

async function changeVoice(): Promise<void> {
  const voice = CALL_VOICES[voiceSelect.value as keyof typeof CALL_VOICES];
  const isOther = await microphone.change(voice).catch(() => {
    toast(t('This browser cannot change the voice. It stays as it is.'));
    voiceSelect.value = 'own';
    return false;
  });
  if (!isOther || !isActive(situation.state)) return;
  keepInStep();
  await connection.replaceSound(microphone.track);
}

async function toggleCamera(): Promise<void> {
  lostCamera = '';
  const on = camButton.getAttribute('aria-pressed') !== 'true';
  press(camButton, on);
  if (isActive(situation.state)) {
    const track = on ? await openCamera() : placeholderTrack();
    if (!on) camera.close();
    await connection.replace(track);
  }
  announcePresence();
}

async function changeCamera(): Promise<void> {
  lostCamera = '';
  storeNote('camera', cameraSelect.value);
  if (!isActive(situation.state) || placeholder !== null) return;
  await connection.replace(await openCamera());
  announcePresence();
}

/**
 * The camera was unplugged: the others see it as off until it is plugged in again, or another one is chosen. A phone that was
 * locked, or used for something else, takes the camera away and gives it back.
 */
async function onCameraGone(): Promise<void> {
  const wasHidden = document.hidden;
  lostCamera = camera.deviceId;
  await connection.replace(placeholderTrack());
  camera.close();
  await listCameras(cameraSelect, '');
  toast(t('The camera is gone. Choose another one, or plug it in again.'));
  announcePresence();
  if (wasHidden) document.addEventListener('visibilitychange', () => void onShownAgain(), { once: true });
}

/** The camera that was unplugged, and no other one, is used again as soon as it is there. */
async function takeCameraBack(): Promise<void> {
  const isThere = (await cameras()).some(({ deviceId }) => deviceId === lostCamera);
  if (lostCamera === '' || !isThere || placeholder === null || !isActive(situation.state)) return;
  await listCameras(cameraSelect, lostCamera);
  lostCamera = '';
  await connection.replace(await openCamera());
  announcePresence();
}

async function onShownAgain(): Promise<void> {
  if (document.hidden || !isActive(situation.state) || placeholder === null) return;
  await connection.replace(await openCamera());
  announcePresence();
}

/** Tells the others, and shows on this page's buttons, whether camera and microphone are on. */
function announcePresence(): void {
  connection.tellPresence(presence());
  showButtons();
}

function showButtons(): void {
  if (isActive(situation.state)) {
    press(camButton, placeholder === null);
    press(micButton, !microphone.muted);
  }
  for (const [button, name, labels] of [
    [micButton, 'mic', [t('Microphone on'), t('Microphone off')]],
    [camButton, 'camera', [t('Camera on'), t('Camera off')]],
  ] as const) {
    const isOn = button.getAttribute('aria-pressed') === 'true';
    button.querySelector('svg')?.replaceWith(icon(isOn ? name : `${name}-off`));
    button.querySelector('span')!.textContent = labels[isOn ? 0 : 1];
  }
}

function change(patch: SettingsPatch): void {
  if (optimistic === null) return;
  storeNote('call', JSON.stringify(keepable(optimistic.change(patch))));
  connection.set(patch);
  showSettings();
}

function chooseFace(face: string | null): void {
  change({ face });
}

function showSettings(): void {
  if (optimistic === null) return;
  const { face, guarded, badge } = optimistic.shown;
  gallery.select(face);
  background.show(optimistic.shown);
  element('guarded', HTMLInputElement).checked = guarded;
  element('badge', HTMLInputElement).checked = badge;
  element('mark-note', HTMLElement).textContent = markNote(optimistic.shown, isClustered);
  if (situation.state === 'live') tiles.own.disclose(wantsSwap(optimistic.shown));
}

function showFaces(faces: FaceInfo[]): void {
  gallery.show(faces);
  const usable = usableFaces(faces, isActive(situation.state));
  const patch = optimistic === null ? null : withoutGone(optimistic.shown, usable);
  if (patch === null) return;
  change(patch);
  toast(t('Your face was deleted, or waits for a confirmation. Choose a face.'));
}

function onFaceAdded(face: FaceInfo): void {
  toast(addedText(face));
  chooseFace(face.id);
}

function showRemark(stats: SessionStats | null): void {
  if (optimistic === null) return;
  const ofStats = stats === null ? null : (callRemark(stats, optimistic.shown) ?? limitOf(stats));
  const text = placeholder === null ? (camera.isSilent ? silentRemark() : ofStats) : null;
  element('remark', HTMLElement).hidden = text === null || situation.state !== 'live';
  element('remark', HTMLElement).textContent = text;
}

element('notice', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  nameField.value = nameField.value.trim();
  if (nameField.reportValidity()) void join();
});
element('leave', HTMLButtonElement).addEventListener('click', leave);
element('copy', HTMLButtonElement).addEventListener('click', () => void copyFrom(address));
micButton.addEventListener('click', () => void toggleMicrophone());
navigator.mediaDevices?.addEventListener?.('devicechange', () => void onDevicesChanged());
camButton.addEventListener('click', () => void toggleCamera());
cameraSelect.addEventListener('change', () => void changeCamera());
voiceSelect.addEventListener('change', () => void changeVoice());
const guardedBox = element('guarded', HTMLInputElement);
guardedBox.addEventListener('change', () => change({ guarded: guardedBox.checked }));
const markBox = element('badge', HTMLInputElement);
markBox.addEventListener('change', () => void changeMark(markBox, change));

if (!isThisMachine(location.hostname))
  element('privacy', HTMLElement).textContent = t(
    'Pictures and sound go to {{host}} and from there to the others in the call.',
    { host: location.hostname },
  );
address.value = location.origin + location.pathname;
address.addEventListener('focus', () => address.select());
nameField.value = storedNote('name') ?? '';
void cameras().then(() => listCameras(cameraSelect, storedNote('camera') ?? ''));
show(mayUseCameras() ? situation : { state: 'failed', reason: 'insecure' });
