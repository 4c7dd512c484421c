/** The gallery's search field and order. */

import type { FaceInfo } from '../../../shared/messages.ts';
import { element } from '../../lib/dom.ts';
import { storedJson, storedNote, storeNote } from '../../lib/local-notes.ts';
import { FACE_ORDERS, type FaceOrder, type FaceUses, inOrder, isFound, usesFrom, withUse } from './face-order.ts';

/** Fewer faces than this need no search. */
const FEW = 6;

/** Says which faces are shown, and in which order; keeps the order, and when each face was chosen, in this browser. */
export class GalleryTools {
  readonly #bar = element('gallery-tools', HTMLDivElement);
  readonly #search = element('gallery-search', HTMLInputElement);
  readonly #order = element('gallery-order', HTMLSelectElement);
  #uses: FaceUses = usesFrom(storedJson('faces-used'));

  /** @param onChange called when other faces are to be shown, or in another order. */
  constructor(onChange: () => void) {
    const kept = FACE_ORDERS.find((order) => order === storedNote('faces-order'));
    if (kept !== undefined) this.#order.value = kept;
    this.#search.addEventListener('input', onChange);
    this.#order.addEventListener('change', () => {
      storeNote('faces-order', this.#order.value);
      onChange();
    });
  }

  /** The faces to show. */
  shown(faces: readonly FaceInfo[]): FaceInfo[] {
    this.#bar.hidden = faces.length < FEW && this.#search.value === '';
    const found = faces.filter((face) => isFound(face, this.#search.value));
    return inOrder(found, this.#order.value as FaceOrder, this.#uses);
  }

  /** A face was chosen. */
  used(face: string): void {
    this.#uses = withUse(this.#uses, face, Date.now());
    storeNote('faces-used', JSON.stringify(this.#uses));
  }
}
