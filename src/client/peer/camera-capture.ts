/** The browser's cameras, and the one that is open. */

import { t } from '../language/translate.ts';
import { createElement } from '../lib/dom.ts';

/** What a camera is opened with. */
export interface CameraConstraints {
  /** Empty leaves the choice to the browser. */
  deviceId: string;
  /** `640x480`, or empty for the camera's own. */
  resolution: string;
  /** Pictures a second, where the camera can. */
  fps: number;
}

/** How long a camera may be without pictures before that is told: cameras pause for a moment when their light changes. */
const SILENT_MS = 2000;

/** Opens at most one camera at a time. */
export class CameraCapture {
  readonly #onGone: () => void;
  readonly #onSilence: () => void;
  #isSilent = false;
  #stream: MediaStream | null = null;
  #constraints: CameraConstraints | null = null;
  /** Counts openings and closings, so that an opening that was called off can tell. */
  #generation = 0;

  /**
   * @param onGone called when the open camera was unplugged.
   * @param onSilence called when `isSilent` changed.
   */
  constructor(onGone: () => void, onSilence: () => void = () => undefined) {
    this.#onGone = onGone;
    this.#onSilence = onSilence;
  }

  /** Whether the open camera gives no pictures: its cover is closed, or the system gives them to another program. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** The open camera's stream; null while none is open. */
  get stream(): MediaStream | null {
    return this.#stream;
  }

  /** The resolution that the last camera was opened with. */
  get resolution(): string {
    return this.#constraints?.resolution ?? '';
  }

  /** The open camera's id, as in the list of devices; empty while none is open. */
  get deviceId(): string {
    return this.#stream?.getVideoTracks()[0]?.getSettings().deviceId ?? '';
  }

  /**
   * Opens a camera. The one before is closed first, since many machines give out only one at a time. Where the chosen
   * camera is not there any more, the browser's default opens. Resolves with null when `close` or another `open` came
   * in the meantime.
   * @throws DOMException as getUserMedia does.
   */
  async open(constraints: CameraConstraints): Promise<MediaStreamTrack | null> {
    this.close();
    const generation = this.#generation;
    const stream = await openStream(constraints).catch((error: unknown) => {
      const missing = error instanceof Error && ['OverconstrainedError', 'NotFoundError'].includes(error.name);
      if (constraints.deviceId === '' || !missing) throw error;
      return openStream({ ...constraints, deviceId: '' });
    });
    const track = stream.getVideoTracks()[0];
    if (generation !== this.#generation || track === undefined) {
      stopTracks(stream);
      return null;
    }
    track.addEventListener('ended', () => {
      if (this.#stream === stream) this.#onGone();
    });
    this.#stream = stream;
    this.#constraints = constraints;
    const onMuted = (): void => {
      if (!track.muted) this.#setSilent(stream, false);
      else setTimeout(() => this.#setSilent(stream, track.muted), SILENT_MS);
    };
    track.addEventListener('mute', onMuted);
    track.addEventListener('unmute', onMuted);
    if (track.muted) onMuted();
    return track;
  }

  /**
   * As `open`, but goes back to the constraints before when it fails; `error` then says why.
   * @throws DOMException where those fail too, or there were none.
   */
  async change(constraints: CameraConstraints): Promise<{ track: MediaStreamTrack | null; error?: unknown }> {
    const before = this.#constraints;
    try {
      return { track: await this.open(constraints) };
    } catch (error) {
      if (before === null) throw error;
      return { track: await this.open(before), error };
    }
  }

  /** Closes the camera, and calls off an opening that is under way. Idempotent. */
  close(): void {
    this.#generation++;
    if (this.#stream !== null) stopTracks(this.#stream);
    this.#stream = null;
    this.#isSilent = false;
  }

  #setSilent(stream: MediaStream, isSilent: boolean): void {
    if (this.#stream !== stream || this.#isSilent === isSilent) return;
    this.#isSilent = isSilent;
    this.#onSilence();
  }
}

function openStream({ deviceId, resolution, fps }: CameraConstraints): Promise<MediaStream> {
  const [width, height] = resolution.split('x').map(Number);
  const video: MediaTrackConstraints = { frameRate: { ideal: fps } };
  if (deviceId !== '') video.deviceId = { exact: deviceId };
  if (width && height) Object.assign(video, { width: { ideal: width }, height: { ideal: height } });
  return navigator.mediaDevices.getUserMedia({ video, audio: false });
}

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

/** False where the browser gives the page no cameras: a page neither from this machine nor over HTTPS. */
export const mayUseCameras = (): boolean => navigator.mediaDevices?.getUserMedia !== undefined;

/** Whether a camera opens without the browser asking the person. False where the browser does not say. */
export async function isAllowed(): Promise<boolean> {
  const answer = await navigator.permissions?.query({ name: 'camera' }).catch(() => null);
  return answer?.state === 'granted';
}

/** The cameras that are there now. Until the person allowed a camera once, browsers leave ids and names empty. */
export async function cameras(): Promise<MediaDeviceInfo[]> {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
  return devices.filter(({ kind }) => kind === 'videoinput');
}

/** Fills a list with the cameras that have names, and selects the chosen one, or the default where it is gone. */
export async function listCameras(select: HTMLSelectElement, chosen: string): Promise<void> {
  const named = (await cameras()).filter(({ deviceId }) => deviceId !== '');
  const options = named.map(({ deviceId, label }, i) =>
    createElement('option', {
      value: deviceId,
      translate: label === '',
      textContent: label || t('Camera {{number}}', { number: i + 1 }),
    }),
  );
  select.replaceChildren(createElement('option', { value: '', textContent: t('Default camera') }), ...options);
  select.value = named.some(({ deviceId }) => deviceId === chosen) ? chosen : '';
}
