/** The picture of the studio. */

import { element, isPressed, press } from '../lib/dom.ts';
import { storedNote, storeNote } from '../lib/local-notes.ts';
import { playVideo } from '../lib/play-video.ts';
import { Divider } from './divider.ts';

/** Camera and swapped video on top of each other, with the buttons for mode, mirror and full screen. */
export class PictureView {
  readonly before = element('before', HTMLVideoElement);
  readonly after = element('after', HTMLVideoElement);
  readonly #stage = element('stage', HTMLDivElement);
  readonly #view = element('view', HTMLDivElement);

  constructor() {
    new Divider(this.#view);
    this.#initModes();
    this.#initMirror();
    this.#initFullscreen();
    for (const video of [this.before, this.after]) video.addEventListener('resize', () => this.#fit());
  }

  /** Whether the picture is shown as in a mirror. */
  get mirrored(): boolean {
    return this.#view.classList.contains('mirrored');
  }

  /** Shows the camera's own picture; null shows none. */
  showCamera(stream: MediaStream | null): void {
    this.before.srcObject = stream;
    if (stream !== null) void playVideo(this.before);
  }

  /** Resolves when the first frame of this stream shows; never, where another stream comes first. */
  showSwapped(stream: MediaStream): Promise<void> {
    this.after.srcObject = stream;
    void playVideo(this.after);
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.after.srcObject === stream) resolve();
        this.after.removeEventListener('loadeddata', check);
      };
      this.after.addEventListener('loadeddata', check);
    });
  }

  /** Removes both pictures. */
  clear(): void {
    this.before.srcObject = null;
    this.after.srcObject = null;
  }

  #initModes(): void {
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

  #initMirror(): void {
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

  #initFullscreen(): void {
    const button = element('fullscreen', HTMLButtonElement);
    button.hidden = !document.fullscreenEnabled;
    button.addEventListener('click', () => {
      const change = document.fullscreenElement ? document.exitFullscreen() : this.#stage.requestFullscreen();
      void change.catch(() => undefined);
    });
  }

  /** Gives the frame the swapped picture's aspect ratio, or the camera's until there is one. */
  #fit(): void {
    const { videoWidth, videoHeight } = this.after.videoWidth > 0 ? this.after : this.before;
    if (videoWidth > 0) this.#stage.style.setProperty('--ratio', String(videoWidth / videoHeight));
  }
}
