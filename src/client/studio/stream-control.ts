/** Starts and stops the stream, and changes its camera, as the buttons and lists of the studio say. */

import { t } from '../language/translate.ts';
import { element } from '../lib/dom.ts';
import { storedNote, storeNote } from '../lib/local-notes.ts';
import { toast } from '../lib/toast.ts';
import { cameraProblem } from '../notices/stream-notices.ts';
import {
  CameraCapture,
  type CameraConstraints,
  cameras,
  isAllowed,
  listCameras,
  mayUseCameras,
} from '../peer/camera-capture.ts';
import type { StreamConnection } from '../peer/connection-conf.ts';
import { isActive, type Reason, type Situation } from '../peer/stream-state.ts';
import type { PictureView } from './picture-view.ts';

/** What the stream's control works on. */
export interface StreamControlConf {
  connection: StreamConnection;
  view: PictureView;
  /** The microphone's sound; null without one. */
  sound(): MediaStreamTrack | null;
  /** The situation that the page shows now. */
  situation(): Situation;
  show(situation: Situation): void;
  /** The camera gives no pictures any more, or again. */
  onSilence(): void;
}

/** Reasons after which the camera is tried again by itself, and how often. */
const WAITED_FOR: ReadonlySet<Reason> = new Set(['unplugged', 'no_camera', 'busy']);
const RETRY_MS = 3000;

/** The camera and its lists. The connection itself belongs to the page. */
export class StreamControl {
  readonly #conf: StreamControlConf;
  readonly #camera = new CameraCapture(
    () => void this.#onCameraGone(),
    () => this.#conf.onSilence(),
  );
  readonly #cameraSelect = element('camera', HTMLSelectElement);
  readonly #resolutionSelect = element('resolution', HTMLSelectElement);
  readonly #rateSelect = element('rate', HTMLSelectElement);

  constructor(conf: StreamControlConf) {
    this.#conf = conf;
    element('start', HTMLButtonElement).addEventListener('click', () => void this.start());
    element('stop', HTMLButtonElement).addEventListener('click', () => this.stop());
    this.#cameraSelect.addEventListener('change', () => void this.#changeCamera());
    this.#resolutionSelect.addEventListener('change', () => void this.#changeCamera());
    this.#rateSelect.addEventListener('change', () => void this.#changeCamera());
    navigator.mediaDevices?.addEventListener?.('devicechange', () => void this.#onDevicesChanged());
    // A phone that was locked, or used for something else, has taken the camera away meanwhile.
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) void this.#onDevicesChanged();
    });
    this.#resolutionSelect.value = storedNote('resolution') ?? '640x480';
    void listCameras(this.#cameraSelect, storedNote('camera') ?? '');
  }

  /** Whether the open camera gives no pictures. */
  get isSilent(): boolean {
    return this.#camera.isSilent;
  }

  /** Opens the chosen camera and sends it. What goes wrong is shown as the page's situation. */
  async start(): Promise<void> {
    const { connection, show } = this.#conf;
    if (!mayUseCameras()) {
      show({ state: 'failed', reason: 'insecure' });
      return;
    }
    connection.stop();
    show({ state: 'starting', reason: 'asking' });
    try {
      await this.#send(await this.#camera.open(this.#constraints()));
    } catch (error) {
      this.#onCameraFailed(error);
    }
  }

  async #send(track: MediaStreamTrack | null): Promise<void> {
    if (track === null) return;
    await this.#showCamera();
    if (this.#camera.stream?.getVideoTracks()[0] === track) this.#conf.connection.start(track, this.#conf.sound());
  }

  /** Closes the camera and ends the stream. Idempotent. */
  stop(): void {
    this.#camera.close();
    this.#conf.connection.stop();
    this.#conf.view.clear();
    this.#conf.show({ state: 'stopped', reason: 'stopped' });
  }

  #constraints(): CameraConstraints {
    return {
      deviceId: this.#cameraSelect.value,
      resolution: this.#resolutionSelect.value,
      fps: Number(this.#rateSelect.value),
    };
  }

  async #showCamera(): Promise<void> {
    this.#conf.view.showCamera(this.#camera.stream);
    await listCameras(this.#cameraSelect, this.#camera.deviceId);
  }

  #onCameraFailed(error: unknown): void {
    this.stop();
    this.#conf.show({ state: 'failed', ...cameraProblem(error instanceof Error ? error : { name: String(error) }) });
    this.#tryAgainLater();
  }

  #tryAgainLater(): void {
    setTimeout(() => void this.#tryAgain(), RETRY_MS);
  }

  /** A camera that was busy or gone may be there again without a word of the browser's: tried unseen, so that no notice flickers. */
  async #tryAgain(): Promise<void> {
    const isWaiting = (): boolean => WAITED_FOR.has(this.#conf.situation().reason) && this.#camera.stream === null;
    if (!isWaiting()) return;
    // Where the browser would ask the person, it asks only when the person does something.
    const mayOpen = !document.hidden && (await isAllowed()) && (await cameras()).length > 0 && isWaiting();
    const track = mayOpen ? await this.#camera.open(this.#constraints()).catch(() => null) : null;
    if (track === null) this.#tryAgainLater();
    else await this.#send(track);
  }

  /** A camera or resolution chosen while the stream runs takes effect at once, on the same connection. */
  async #changeCamera(): Promise<void> {
    this.#storeChoice();
    if (!isActive(this.#conf.situation().state)) return;
    if (this.#camera.stream === null) {
      await this.start();
      return;
    }
    try {
      const { track, error } = await this.#camera.change(this.#constraints());
      if (track === null) return;
      await this.#showCamera();
      await this.#conf.connection.replace(track);
      if (error === undefined) return;
      this.#resolutionSelect.value = this.#camera.resolution;
      this.#storeChoice();
      toast(t('The camera could not be opened like that. It goes on as before.'));
    } catch (error) {
      this.#onCameraFailed(error);
    }
  }

  #storeChoice(): void {
    storeNote('camera', this.#cameraSelect.value);
    storeNote('resolution', this.#resolutionSelect.value);
  }

  /** The camera was unplugged: the stream goes on with another camera, or waits for one. */
  async #onCameraGone(): Promise<void> {
    const gone = this.#camera.deviceId;
    this.#camera.close();
    for (const { deviceId, label } of await cameras()) {
      if (deviceId === gone) continue;
      const track = await this.#camera.open({ ...this.#constraints(), deviceId }).catch(() => null);
      if (track === null) continue;
      await this.#showCamera();
      await this.#conf.connection.replace(track);
      toast(
        label === ''
          ? t('The camera is gone. Going on with another one.')
          : t('The camera is gone. Going on with {{device}}.', { device: label }),
      );
      return;
    }
    this.stop();
    this.#conf.show({ state: 'failed', reason: 'unplugged' });
    this.#tryAgainLater();
  }

  async #onDevicesChanged(): Promise<void> {
    await listCameras(this.#cameraSelect, this.#camera.deviceId || (storedNote('camera') ?? ''));
    const { reason } = this.#conf.situation();
    const isWaiting = reason === 'unplugged' || reason === 'no_camera';
    if (isWaiting && (await cameras()).length > 0) await this.start();
  }
}
