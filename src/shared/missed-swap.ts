/** What is shown of a frame whose swap was missed: one policy for lanes, sessions and the camera command. */

import type { SwapSettings } from './settings.ts';
import type { FrameResult, SwappedFrame } from './types.ts';

/** A frame as its lane is done with it. */
export interface SwapOutcome {
  /** Whether the settings want any face swapped. */
  isWanted: boolean;
  result: FrameResult;
  /** Whether a face may be seen in the frame as the camera saw it. */
  exposed: boolean;
}

/**
 * True if the frame may not go out as a swapped one: a swap was wanted and not made or, when guarded, a face is
 * exposed.
 */
export function isSwapMissed({ guarded }: Pick<SwapSettings, 'guarded'>, outcome: SwapOutcome): boolean {
  return guarded ? outcome.exposed : outcome.isWanted && outcome.result !== 'swapped';
}

/**
 * What a lane makes of a frame whose swap was missed: as it is, pixelated, or not to be shown (the last one stays).
 */
export function missedFrame({ fallback, guarded }: Pick<SwapSettings, 'fallback' | 'guarded'>): MissedFrame {
  if (fallback === 'blur') return 'pixelated';
  return guarded || fallback === 'freeze' ? 'held' : 'as-it-is';
}

/** See `missedFrame`. */
export type MissedFrame = 'as-it-is' | 'pixelated' | 'held';

/**
 * What viewers get for a frame that came back from a lane: the frame, the last one again, or a card in its place.
 * @param guarded whether the settings never show the real face.
 */
export function shownFor(
  { hold, exposed = true }: Pick<SwappedFrame, 'hold' | 'exposed'>,
  guarded: boolean,
): 'frame' | 'last' | 'card' {
  if (guarded && (hold || exposed)) return 'card';
  return hold ? 'last' : 'frame';
}
