/** The picture: camera and swapped video over each other, the divider between them, and the boxes of faces. */

import type { SeenFace } from '../messages.ts';
import { element, make } from './dom.ts';

export class View {
  readonly before = element('before', HTMLVideoElement);
  readonly after = element('after', HTMLVideoElement);
  readonly #view = element('view', HTMLDivElement);
  readonly #divider = element('divider', HTMLDivElement);
  readonly #boxes = element('boxes', HTMLDivElement);
  #cut = 50;

  constructor() {
    this.#divider.onpointerdown = (event) => {
      this.#divider.setPointerCapture(event.pointerId);
      this.#divider.onpointermove = (move) => this.#place(move.clientX);
    };
    this.#divider.onpointerup = () => {
      this.#divider.onpointermove = null;
    };
    this.#divider.onkeydown = (event) => {
      const to = { ArrowLeft: this.#cut - 2, ArrowRight: this.#cut + 2, Home: 0, End: 100 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.#move(to);
    };
    this.#toggle('compare', (on) => {
      this.#view.dataset.mode = on ? 'compare' : 'after';
    });
    this.#toggle('mirror', (on) => this.#view.classList.toggle('mirrored', on));
    element('fullscreen', HTMLButtonElement).onclick = () =>
      void (document.fullscreenElement ? document.exitFullscreen() : this.#view.requestFullscreen?.());
    for (const video of [this.before, this.after]) video.onresize = () => this.#fit(video);
    this.#move(50);
  }

  /** @param onPick told when a person is clicked; null hides the boxes. */
  showFaces(faces: SeenFace[], picked: number | null, onPick: ((track: number) => void) | null): void {
    const { videoWidth, videoHeight } = this.after;
    if (onPick === null || videoWidth === 0) {
      this.#boxes.replaceChildren();
      return;
    }
    const mirrored = this.#view.classList.contains('mirrored');
    this.#boxes.replaceChildren(
      ...faces.map((face) => {
        const button = make('button', {
          type: 'button',
          ariaLabel: `Person ${face.track}`,
          ariaPressed: String(face.track === picked),
        });
        const x = mirrored ? videoWidth - face.x - face.width : face.x;
        const percent = (part: number, whole: number): string => `${(100 * part) / whole}%`;
        Object.assign(button.style, {
          left: percent(x, videoWidth),
          top: percent(face.y, videoHeight),
          width: percent(face.width, videoWidth),
          height: percent(face.height, videoHeight),
        });
        button.onclick = () => onPick(face.track);
        return button;
      }),
    );
  }

  #toggle(id: string, apply: (on: boolean) => void): void {
    const button = element(id, HTMLButtonElement);
    const kept = localStorage.getItem(id);
    const set = (on: boolean): void => {
      button.ariaPressed = String(on);
      localStorage.setItem(id, String(on));
      apply(on);
    };
    set(kept === null ? button.ariaPressed === 'true' : kept === 'true');
    button.onclick = () => set(button.ariaPressed !== 'true');
  }

  #fit({ videoWidth, videoHeight }: HTMLVideoElement): void {
    if (videoWidth === 0) return;
    this.#view.style.setProperty('--aspect', `${videoWidth} / ${videoHeight}`);
    this.#view.style.setProperty('--ratio', String(videoWidth / videoHeight));
  }

  #place(clientX: number): void {
    const { left, width } = this.#view.getBoundingClientRect();
    this.#move((100 * (clientX - left)) / width);
  }

  #move(cut: number): void {
    this.#cut = Math.min(100, Math.max(0, cut));
    this.#view.style.setProperty('--cut', `${this.#cut}%`);
    this.#divider.ariaValueNow = String(Math.round(this.#cut));
  }
}
