/** The camera: which there are, and pictures from the one that was chosen. */

import { make } from '../lib/dom.ts';

export interface CameraWish {
  /** Empty for whichever the browser gives. */
  deviceId: string;
  /** `640x480`, or empty for what the camera gives. */
  resolution: string;
}

const FRAME_RATE = 30;

export class Camera {
  readonly #onGone: () => void;
  #stream: MediaStream | null = null;
  #wish: CameraWish | null = null;
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
    return this.#wish?.resolution ?? '';
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
  async open(wish: CameraWish): Promise<MediaStreamTrack | null> {
    this.close();
    const turn = this.#turn;
    const stream = await ask(wish).catch((error: unknown) => {
      const missing = error instanceof Error && ['OverconstrainedError', 'NotFoundError'].includes(error.name);
      if (wish.deviceId === '' || !missing) throw error;
      return ask({ ...wish, deviceId: '' });
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
    this.#wish = wish;
    return track;
  }

  /** As open, and when that fails goes back to what worked before. `error` says why, if it did. */
  async change(wish: CameraWish): Promise<{ track: MediaStreamTrack | null; error?: unknown }> {
    const before = this.#wish;
    try {
      return { track: await this.open(wish) };
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

function ask({ deviceId, resolution }: CameraWish): Promise<MediaStream> {
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
    make('option', { value: deviceId, textContent: label || `Camera ${i + 1}` }),
  );
  select.replaceChildren(make('option', { value: '', textContent: 'Default camera' }), ...options);
  select.value = named.some(({ deviceId }) => deviceId === chosen) ? chosen : '';
}
