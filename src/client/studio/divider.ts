/** The line between camera and swapped picture. */

import { t } from '../language/translate.ts';
import { element } from '../lib/dom.ts';

/** Percent of the width. */
const STEP = 2;
const BIG_STEP = 10;

/** A slider that sets the view's `--cut`, in percent from the left; dragged, or moved with the keyboard. */
export class Divider {
  readonly #view: HTMLElement;
  readonly #handle = element('divider', HTMLDivElement);
  #cut = 50;

  constructor(view: HTMLElement) {
    this.#view = view;
    const follow = ({ clientX }: PointerEvent): void => {
      const { left, width } = view.getBoundingClientRect();
      this.#move((100 * (clientX - left)) / width);
    };
    this.#handle.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      this.#handle.setPointerCapture(event.pointerId);
      this.#handle.addEventListener('pointermove', follow);
    });
    this.#handle.addEventListener('lostpointercapture', () => this.#handle.removeEventListener('pointermove', follow));
    this.#handle.addEventListener('keydown', (event) => {
      const to = this.#target(event.key);
      if (to === undefined) return;
      event.preventDefault();
      this.#move(to);
    });
    this.#move(50);
  }

  #target(key: string): number | undefined {
    switch (key) {
      case 'ArrowLeft':
      case 'ArrowDown': {
        return this.#cut - STEP;
      }
      case 'ArrowRight':
      case 'ArrowUp': {
        return this.#cut + STEP;
      }
      case 'PageDown': {
        return this.#cut - BIG_STEP;
      }
      case 'PageUp': {
        return this.#cut + BIG_STEP;
      }
      case 'Home': {
        return 0;
      }
      case 'End': {
        return 100;
      }
      default: {
        return undefined;
      }
    }
  }

  #move(cut: number): void {
    this.#cut = Math.min(100, Math.max(0, cut));
    this.#view.style.setProperty('--cut', `${this.#cut}%`);
    const shown = Math.round(this.#cut);
    this.#handle.setAttribute('aria-valuenow', String(shown));
    this.#handle.setAttribute(
      'aria-valuetext',
      t('{{camera}} % camera, {{swapped}} % swapped', { camera: shown, swapped: 100 - shown }),
    );
  }
}
