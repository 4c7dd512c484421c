/**
 * The ladder of plans, from full quality down to passthrough. A plan is data: stages read its fields and never ask
 * for a level's number.
 */

import type { MaskPace } from '../background/stream-background.ts';

/** Lowest rate that is swapped, in frames a second: passthrough only where not even so many can be. */
export const LEAST_FPS = 10;

/** What is done to a stream's frames. */
export interface Plan {
  /** As logs, metrics and the page show it. */
  name: string;
  /** False lets every frame go out as it came, or as the fallback says. */
  swap: boolean;
  /** Most frames a second; the others are left out, evenly, before they reach the lane. Infinity takes all. */
  fps: number;
  /** Whether a generator paints; otherwise its reserve serves. */
  generate: boolean;
  /** Whether swapped faces are restored, where a restorer is configured. */
  restore: boolean;
  /**
   * When the detector looks for new faces: in every frame, whatever it takes, or `patience` times as rarely as
   * `tracking.intervalMs` says.
   */
  seek: 'every-frame' | { patience: number };
  /** When the person is looked for anew, where the background is replaced. */
  masks: MaskPace;
}

const FULL: Plan = {
  name: 'full',
  swap: true,
  fps: Number.POSITIVE_INFINITY,
  generate: true,
  restore: true,
  seek: { patience: 1 },
  masks: { intervalMs: 90, followMs: 50 },
};
const LEAN: Plan = {
  ...FULL,
  name: 'lean',
  restore: false,
  seek: { patience: 4 },
  masks: { intervalMs: 100, followMs: null },
};
/** Fewer frames, each of them swapped, as evenly spaced as the camera's allow. */
const atRates = (plan: Plan, prefix = ''): Plan[] =>
  [24, 20, 15, 12, LEAST_FPS].map((fps) => ({ ...plan, name: `${prefix}${fps} fps`, fps }));
/** The reserve paints instead of the generator. */
const RESERVE: Plan = { ...LEAN, name: 'reserve', generate: false };
const PASSTHROUGH: Plan = { ...RESERVE, name: 'passthrough', swap: false, fps: 15, seek: { patience: 1 } };

/** Optional stages are given up first, then frames, then the generator, and the swap last. */
const ladder = (restores: boolean, hasReserve: boolean): readonly Plan[] => [
  { ...FULL, restore: restores },
  ...(restores ? [LEAN] : []),
  ...atRates(LEAN),
  ...(hasReserve ? [RESERVE, ...atRates(RESERVE, 'reserve ')] : []),
  PASSTHROUGH,
];
const LADDERS = [false, true].map((restores) => [false, true].map((reserve) => ladder(restores, reserve)));

/**
 * The plans for a stream, full quality first. The same arguments give the same array.
 * @param restores whether swapped faces are restored.
 * @param hasReserve whether a generator paints and something cheaper can stand in for it.
 */
export const ladderFor = (restores: boolean, hasReserve: boolean): readonly Plan[] =>
  LADDERS[Number(restores)]![Number(hasReserve)]!;

/** The plan of a stream that wants no face: no swap, no limit on the rate. */
export const IDLE: Plan = { ...PASSTHROUGH, fps: Number.POSITIVE_INFINITY };

/** A plan for a stream that must not show an unswapped face: every frame is searched for faces. */
export const guarded = (plan: Plan): Plan => ({ ...plan, seek: 'every-frame' });

/** What a plan multiplies the detector's interval with, 0 and up. */
export const intervalFactor = ({ seek }: Plan): number => (seek === 'every-frame' ? 0 : seek.patience);

/** Whether two plans swap faces with the same engine, at whatever rate. */
export const paintsAlike = (one: Plan, other: Plan): boolean =>
  one.swap === other.swap && one.generate === other.generate;

/** Whether two plans cost the same a frame, at whatever rate. */
export const costsAlike = (one: Plan, other: Plan): boolean => paintsAlike(one, other) && one.restore === other.restore;
