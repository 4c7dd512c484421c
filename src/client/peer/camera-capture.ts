/** The camera: which there are, and pictures from the one that was chosen. */

import { createElement } from '../lib/dom.ts';

export interface CameraConstraints {
  /** Empty for whichever the browser gives. */
  deviceId: string;
  /** `640x480`, or empty for what the camera gives. */
  resolution: string;
}

const FRAME_RATE = 30;

export class CameraCapture {
  readonly #onGone: () => void;
  #stream: MediaStream | null = null;
  #constraints: CameraConstraints | null = null;
  #turn = 0;

  /** @param onGone told when the camera that was open went away by itself. */
  constructor(onGone: () => void) {
    this.#onGone = onGone;
  }

  get stream(): MediaStream | null {
    return this.#stream;
  }

  /** What the camera that is open was asked for. */
  get resolution(): string {
    return this.#constraints?.resolution ?? '';
  }

  /** The camera that is open, as the list names it. */
  get deviceId(): string {
    return this.#stream?.getVideoTracks()[0]?.getSettings().deviceId ?? '';
  }

  /**
   * Opens a camera; the one before is closed first, since many machines give out only one at a time. A chosen camera
   * that is not there any more is replaced by any other. Null when it was closed or opened anew in the meantime.
   * @throws DOMException as getUserMedia does.
   */
  async open(constraints: CameraConstraints): Promise<MediaStreamTrack | null> {
    this.close();
    const turn = this.#turn;
    const stream = await ask(constraints).catch((error: unknown) => {
      const missing = error instanceof Error && ['OverconstrainedError', 'NotFoundError'].includes(error.name);
      if (constraints.deviceId === '' || !missing) throw error;
      return ask({ ...constraints, deviceId: '' });
    });
    const track = stream.getVideoTracks()[0];
    if (turn !== this.#turn || track === undefined) {
      end(stream);
      return null;
    }
    track.addEventListener('ended', () => {
      if (this.#stream === stream) this.#onGone();
    });
    this.#stream = stream;
    this.#constraints = constraints;
    return track;
  }

  /** As open, and when that fails goes back to what worked before. `error` says why, if it did. */
  async change(constraints: CameraConstraints): Promise<{ track: MediaStreamTrack | null; error?: unknown }> {
    const before = this.#constraints;
    try {
      return { track: await this.open(constraints) };
    } catch (error) {
      if (before === null) throw error;
      return { track: await this.open(before), error };
    }
  }

  /** Idempotent; also calls off an opening that is under way. */
  close(): void {
    this.#turn++;
    if (this.#stream !== null) end(this.#stream);
    this.#stream = null;
  }
}

function ask({ deviceId, resolution }: CameraConstraints): Promise<MediaStream> {
  const [width, height] = resolution.split('x').map(Number);
  const video: MediaTrackConstraints = { frameRate: { ideal: FRAME_RATE } };
  if (deviceId !== '') video.deviceId = { exact: deviceId };
  if (width && height) Object.assign(video, { width: { ideal: width }, height: { ideal: height } });
  return navigator.mediaDevices.getUserMedia({ video, audio: false });
}

function end(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

/** False where the page may not use cameras at all: not from this machine and not over HTTPS. */
export const mayUseCameras = (): boolean => navigator.mediaDevices?.getUserMedia !== undefined;

/** Cameras there are now. Before the camera was allowed once, browsers tell neither ids nor names. */
export async function cameras(): Promise<MediaDeviceInfo[]> {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
  return devices.filter(({ kind }) => kind === 'videoinput');
}

export async function listCameras(select: HTMLSelectElement, chosen: string): Promise<void> {
  const named = (await cameras()).filter(({ deviceId }) => deviceId !== '');
  const options = named.map(({ deviceId, label }, i) =>
    createElement('option', { value: deviceId, textContent: label || `Camera ${i + 1}` }),
  );
  select.replaceChildren(createElement('option', { value: '', textContent: 'Default camera' }), ...options);
  select.value = named.some(({ deviceId }) => deviceId === chosen) ? chosen : '';
}
