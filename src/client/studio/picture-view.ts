/** The picture: camera and swapped video over each other, and how they are shown. */

import { element, isPressed, press } from '../lib/dom.ts';
import { storedNote, storeNote } from '../lib/local-notes.ts';
import { Divider } from './divider.ts';

export class PictureView {
  readonly before = element('before', HTMLVideoElement);
  readonly after = element('after', HTMLVideoElement);
  readonly #stage = element('stage', HTMLDivElement);
  readonly #view = element('view', HTMLDivElement);

  constructor() {
    new Divider(this.#view);
    this.#modes();
    this.#mirror();
    this.#fullscreen();
    for (const video of [this.before, this.after]) video.addEventListener('resize', () => this.#fit());
  }

  get mirrored(): boolean {
    return this.#view.classList.contains('mirrored');
  }

  showCamera(stream: MediaStream | null): void {
    this.before.srcObject = stream;
    if (stream !== null) void this.before.play().catch(() => undefined);
  }

  /** Resolves when the first picture of this stream is there to be seen; never, if another stream comes first. */
  showSwapped(stream: MediaStream): Promise<void> {
    this.after.srcObject = stream;
    void this.after.play().catch(() => undefined);
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.after.srcObject === stream) resolve();
        this.after.removeEventListener('loadeddata', check);
      };
      this.after.addEventListener('loadeddata', check);
    });
  }

  clear(): void {
    this.before.srcObject = null;
    this.after.srcObject = null;
  }

  #modes(): void {
    const buttons = { compare: element('compare', HTMLButtonElement), swapped: element('swapped', HTMLButtonElement) };
    const show = (mode: string): void => {
      this.#view.dataset.mode = mode;
      for (const [name, button] of Object.entries(buttons)) press(button, name === mode);
    };
    for (const [mode, button] of Object.entries(buttons)) {
      button.addEventListener('click', () => {
        show(mode);
        storeNote('mode', mode);
      });
    }
    show(storedNote('mode') === 'swapped' ? 'swapped' : 'compare');
  }

  #mirror(): void {
    const button = element('mirror', HTMLButtonElement);
    const show = (on: boolean): void => {
      press(button, on);
      this.#view.classList.toggle('mirrored', on);
    };
    button.addEventListener('click', () => {
      show(!isPressed(button));
      storeNote('mirror', String(isPressed(button)));
    });
    show(storedNote('mirror') !== 'false');
  }

  #fullscreen(): void {
    const button = element('fullscreen', HTMLButtonElement);
    button.hidden = !document.fullscreenEnabled;
    button.addEventListener('click', () => {
      const change = document.fullscreenElement ? document.exitFullscreen() : this.#stage.requestFullscreen();
      void change.catch(() => undefined);
    });
  }

  /** The frame takes the shape of the picture, of the camera's until a swapped one is there. */
  #fit(): void {
    const { videoWidth, videoHeight } = this.after.videoWidth > 0 ? this.after : this.before;
    if (videoWidth > 0) this.#stage.style.setProperty('--ratio', String(videoWidth / videoHeight));
  }
}
