/**
 * The last door before pictures go out: of a session whose person never shows their real face none goes through that
 * might. It stands where pictures leave, so that no way through the pipeline leads around it.
 */

import { shownFor } from '../../shared/missed-swap.ts';
import type { Frame, SwappedFrame } from '../../shared/types.ts';

/** Grey of the card that is shown while nothing may be, Y of limited range. */
const CARD_LUMA = 40;

export class PrivacyGate {
  /** Size of the last picture that came, and whether what the others see now may be a bare face, or nothing at all. */
  #size: Pick<Frame, 'width' | 'height'> | null = null;
  #shows: 'nothing' | 'exposed' | 'safe' = 'nothing';

  /**
   * What goes out for a frame: the frame, a card, or null to let stand what is seen.
   * @param on whether the person is never to be shown as they are.
   */
  pass(done: Pick<SwappedFrame, 'frame' | 'exposed' | 'hold'>, on: boolean): Frame | null {
    const { frame, exposed = true } = done;
    this.#size = { width: frame.width, height: frame.height };
    const shown = shownFor(done, on);
    if (shown === 'card') return this.cover();
    if (shown === 'last') return null;
    this.#shows = exposed ? 'exposed' : 'safe';
    return frame;
  }

  /** A card where a bare face, or nothing, is seen now; null where there is nothing to cover. */
  cover(): Frame | null {
    if (this.#shows === 'safe' || this.#size === null) return null;
    this.#shows = 'safe';
    return card(this.#size);
  }
}

/** A dark picture with nothing in it. */
function card({ width, height }: Pick<Frame, 'width' | 'height'>): Frame {
  const data = new Uint8Array(width * height + 2 * Math.ceil(width / 2) * Math.ceil(height / 2)).fill(128);
  data.fill(CARD_LUMA, 0, width * height);
  return { width, height, data, receivedAtMs: performance.now() };
}
