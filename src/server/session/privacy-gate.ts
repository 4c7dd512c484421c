import { planesOf } from '../../shared/i420.ts';
import { shownFor } from '../../shared/missed-swap.ts';
import type { Frame, SwappedFrame } from '../../shared/types.ts';

/** Luma of the card shown while no picture may be shown, limited range. */
const CARD_LUMA = 40;

/**
 * Privacy gate in front of all outputs of a session: while `guarded` is set, it replaces every frame that may show
 * an unswapped face with a grey card. It stands where frames leave the session, so no path through the pipeline
 * bypasses it.
 */
export class PrivacyGate {
  /** Size of the last frame. */
  #size: Pick<Frame, 'width' | 'height'> | null = null;
  /** What viewers see now: no frame yet, possibly an unswapped face, or neither. */
  #shows: 'nothing' | 'exposed' | 'safe' = 'nothing';

  /**
   * What to show for a frame: the frame itself, a card, or null to keep what is shown now. A frame without
   * `exposed` counts as exposed.
   * @param guarded whether the person's real face must never be shown.
   */
  pass(done: Pick<SwappedFrame, 'frame' | 'exposed' | 'hold'>, guarded: boolean): Frame | null {
    const { frame, exposed = true } = done;
    this.#size = { width: frame.width, height: frame.height };
    const shown = shownFor(done, guarded);
    if (shown === 'card') return this.cardIfExposed();
    if (shown === 'last') return null;
    this.#shows = exposed ? 'exposed' : 'safe';
    return frame;
  }

  /** A card, whatever is shown now; null before the first frame. */
  cover(): Frame | null {
    if (this.#size === null) return null;
    this.#shows = 'safe';
    return card(this.#size);
  }

  /** A card, if an unswapped face or nothing is shown now; null if there is nothing to cover. */
  cardIfExposed(): Frame | null {
    if (this.#shows === 'safe' || this.#size === null) return null;
    this.#shows = 'safe';
    return card(this.#size);
  }
}

/** A dark grey I420 frame. */
function card({ width, height }: Pick<Frame, 'width' | 'height'>): Frame {
  const { bytes, u } = planesOf({ width, height });
  const data = new Uint8Array(bytes).fill(128);
  data.fill(CARD_LUMA, 0, u);
  return { width, height, data, receivedAtMs: performance.now() };
}
