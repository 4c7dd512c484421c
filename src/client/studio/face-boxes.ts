/** Boxes over the faces in the picture. */

import type { SeenFace } from '../../shared/types.ts';
import { t } from '../language/translate.ts';
import { createElement, element, place, press } from '../lib/dom.ts';
import { placeOf } from '../lib/format.ts';

/** The people to draw boxes for. */
export interface PeopleShown {
  faces: readonly SeenFace[];
  /** Size of the picture that the faces lie in, in pixels. */
  picture: { width: number; height: number };
  mirrored: boolean;
  /** Track of the chosen person; null for none. */
  picked: number | null;
  /** The name of the face that a person wears. */
  wears(track: number): string;
}

/** One button for each tracked person, to choose whose face is changed. */
export class FaceBoxes {
  readonly #boxes = element('people', HTMLFieldSetElement);
  readonly #onPick: (track: number) => void;
  readonly #known = new Map<number, HTMLButtonElement>();

  constructor(onPick: (track: number) => void) {
    this.#onPick = onPick;
  }

  clear(): void {
    this.#known.clear();
    this.#boxes.replaceChildren();
  }

  /** Updates the boxes. A tracked person keeps their element, so that the keyboard's focus stays on it. */
  show({ faces, picture, mirrored, picked, wears }: PeopleShown): void {
    if (picture.width === 0) return;
    for (const [track, box] of this.#known) {
      if (faces.some((face) => face.track === track)) continue;
      box.remove();
      this.#known.delete(track);
    }
    for (const face of faces) {
      const box = this.#known.get(face.track) ?? this.#add(face.track);
      const label = wears(face.track);
      place(box, placeOf(face, picture, mirrored));
      press(box, face.track === picked);
      box.setAttribute('aria-label', t('Person {{number}}, wears: {{face}}', { number: face.track, face: label }));
      box.firstElementChild!.textContent = label;
    }
  }

  #add(track: number): HTMLButtonElement {
    const box = createElement(
      'button',
      { type: 'button', className: 'person' },
      {},
      createElement('span', { dir: 'auto', translate: false }),
    );
    box.dataset.track = String(track);
    box.addEventListener('click', () => this.#onPick(track));
    this.#known.set(track, box);
    this.#boxes.append(box);
    return box;
  }
}
