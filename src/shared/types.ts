/** The nouns of the pipeline. Times are milliseconds of `performance.now()`, which main and workers share. */

import type { SettingsPatch, SwapSettings } from './settings.ts';

export {
  FACE_CHOICES,
  FALLBACKS,
  type FaceChoice,
  type Fallback,
  isGenerator,
  MESH,
  NONE,
  RESERVES,
  type Reserve,
  type SwapSettings,
  wantsSwap,
} from './settings.ts';

/**
 * One picture in planar I420 (BT.601, limited range), planes one behind the other without padding:
 * Y is width·height bytes, U and V each ceil(width/2)·ceil(height/2). `data` owns its whole ArrayBuffer, so that a
 * frame can be moved between threads; whoever passes a frame on must not touch it again.
 */
export interface Frame {
  width: number;
  height: number;
  data: Uint8Array<ArrayBuffer>;
  /** When it came out of the decoder. */
  receivedAtMs: number;
}

/**
 * What became of a frame: swapped (at least one face), passed (as it came, or by the fallback), failed (a stage threw),
 * dropped (left out, for want of time).
 */
export type FrameResult = 'swapped' | 'passed' | 'failed' | 'dropped';

/** How short memory is: nothing to do, give up what is not needed, do less. */
export type Pressure = 'none' | 'release' | 'degrade';

export const CORNERS = ['top-left', 'top-right', 'bottom-left', 'bottom-right'] as const;
export type Corner = (typeof CORNERS)[number];

/** A face as the outside may see it: a box in pixels of the frame, an id that stays with the person. */
export interface SeenFace {
  track: number;
  x: number;
  y: number;
  width: number;
  height: number;
  swapped: boolean;
}

/** A frame that comes back from a lane, with what was done to it. */
export interface SwappedFrame {
  frame: Frame;
  result: FrameResult;
  /** The last picture is to stay: the frame was left out, or no swap could be made and the fallback says so. */
  hold: boolean;
  /** A face may be seen in it as the camera saw it: nobody looked, none was found, or one of them was not swapped or is turned so far
   * that a swap covers little of it. Left out it is so. */
  exposed?: boolean;
  faces: SeenFace[];
  /** Time spent per stage, in milliseconds. */
  stagesMs: Record<string, number>;
  /** Waiting between the decoder and the lane, in milliseconds. */
  waitMs: number;
  /** Name of the plan in force, `full` down to `passthrough`, and its place on the ladder, 0 = full quality. */
  plan: string;
  level: number;
  /** Most pictures a second that are to come from now on; left out, all that there are. */
  fps?: number;
  /** Nothing was swapped, and the face that is wanted is still being made ready. */
  awaitsFace?: true;
  /** What the lane does. */
  lane?: LaneFigures;
  /** The generator that is wanted takes too long, and something else serves. */
  slowEngine?: SlowEngine;
}

/** A lane in the last second. */
export interface LaneFigures {
  /** Share of the time in which it worked, 0..1. */
  busy: number;
  /** What a frame took of it, on average. */
  frameMs: number;
  /** How many streams share it. */
  streams: number;
}

/** A generator that takes longer for a face than a frame may take. */
export interface SlowEngine {
  model: string;
  takesMs: number;
  budgetMs: number;
}

/** How much of a lane's time may be planned with, 0..1: the rest is for frames that take longer than usual. */
export const MOST_BUSY = 0.8;

/** What lanes can take. */
export interface Capacity {
  /** How long one frame with one face takes a lane, by mesh, in milliseconds; null where it was not measured. */
  swapMs: number | null;
  /** Share of each lane's time in which it works now, 0..1. */
  lanes: readonly number[];
}

/** One live stream's place in the pipeline. */
export interface SwapSession {
  readonly id: string;
  /**
   * Swaps the faces of one frame in place. The frame is moved: its buffer is empty here until it comes back in the
   * answer. One frame at a time: call again only when the last one is back.
   * @param dropped frames since the last one whose place a newer one took, for want of time.
   * @throws FaceOffError `lane_lost` when the worker died with the frame (the session goes on, on a new worker),
   *   `frame_too_large` above the largest frame the pipeline takes.
   */
  swap(frame: Frame, dropped?: number): Promise<SwappedFrame>;
  /** Resolves when its lane has a place for a frame, to what gives it back; which frame is to be decided then. Left out it always has. */
  place?(): Promise<() => void>;
  /** Takes effect from the next frame on. Throws FaceOffError `unknown_face` or `unknown_model` (404), `model_missing` (409) and changes nothing. */
  set(settings: SettingsPatch): void;
  readonly settings: SwapSettings;
  /** Idempotent; forgets everything the lane holds for this session. */
  close(): void;
}

/** What the server sees of the pipeline; `Pool` is the real one. */
export interface Swapping {
  /** Throws FaceOffError `unknown_face` (404). */
  open(session: string, settings: SettingsPatch): SwapSession;
  /** Sessions the lanes hold state for, for the leak tests and /api/status. */
  readonly openSessions: number;
  /** Memory of processes it runs beside this one. */
  readonly deviceRssBytes?: number;
  /** Processor time that they have used so far, in milliseconds. */
  readonly deviceCpuMs?: number;
  /** Left out where nothing is known of it. */
  readonly capacity?: Capacity;
  /** Told when memory gets short, and when it no longer is. */
  pressure(pressure: Pressure): void;
  close(): Promise<void>;
}
