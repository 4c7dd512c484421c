/**
 * The data that crosses the pipeline. Points in time are milliseconds of `performance.now()`, whose origin the main
 * thread and its workers share.
 */

import type { SettingsPatch, SwapSettings } from './settings.ts';

/**
 * One picture in planar I420 (BT.601, limited range), planes one after the other without padding:
 * Y is width·height bytes, U and V each ceil(width/2)·ceil(height/2). `data` owns its whole ArrayBuffer, so that a
 * frame can be moved between threads; code that passes a frame on must not touch it again.
 */
export interface Frame {
  /** In pixels. */
  width: number;
  height: number;
  data: Uint8Array<ArrayBuffer>;
  /** When the decoder returned the frame, on the clock of `performance.now()`. */
  receivedAtMs: number;
  /** How long it was decoded, in milliseconds; absent where that is not known, as of libwebrtc's decoders. */
  decodeMs?: number;
  /** Present where at least one face in the picture was swapped. */
  isSwapped?: true;
}

/**
 * Result of a frame: `swapped` (at least one face), `passed` (unchanged, or shown by the fallback), `failed` (a stage
 * threw), `dropped` (left out for lack of time).
 */
export type FrameResult = 'swapped' | 'passed' | 'failed' | 'dropped';

/** How short memory is: `none`; `release`, what is not needed is given up; `degrade`, streams lower their quality too. */
export type Pressure = 'none' | 'release' | 'degrade';

/** Where the mark may be drawn. */
export const CORNERS = ['top-left', 'top-right', 'bottom-left', 'bottom-right'] as const;
/** One of CORNERS. */
export type Corner = (typeof CORNERS)[number];

/** A face as clients see it: its box in pixels of the frame. */
export interface SeenFace {
  /** Track id; it stays with the person for the session. */
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
  /** True if the last picture stays: the frame was left out, or no swap could be made and the fallback is `freeze`. */
  hold: boolean;
  /**
   * True or absent if an unswapped face may be visible: no detection ran, no face was found, or one of the faces was not
   * swapped or is turned so far that a swap covers little of it.
   */
  exposed?: boolean;
  faces: SeenFace[];
  /** Number of faces that are not swapped because more are in the picture than are followed; absent for none. */
  unfollowed?: number;
  /** Time spent per stage, in milliseconds. */
  stagesMs: Record<string, number>;
  /** Time between the decoder and the lane, in milliseconds. */
  waitMs: number;
  /** Name of the plan in force, `full` down to `passthrough`, and its place on the ladder, 0 = full quality. */
  plan: string;
  level: number;
  /** Most frames a second that the lane takes from now on; absent for all. */
  fps?: number;
  /** Present if no face was swapped because the source face is still being enrolled. */
  awaitsFace?: true;
  /** Load of the lane. */
  lane?: LaneFigures;
  /** Present while the chosen generator takes too long and the reserve serves. */
  slowEngine?: SlowEngine;
}

/** Load of a lane over the last second. */
export interface LaneFigures {
  /** Share of the time in which it worked, 0..1. */
  busy: number;
  /** Mean time of the lane that a frame took, in milliseconds. */
  frameMs: number;
  /** Number of streams that share the lane. */
  streams: number;
}

/** A generator that takes longer for a face than a frame may take. */
export interface SlowEngine {
  model: string;
  /** Time for one face, and the time a frame may take, in milliseconds. */
  takesMs: number;
  budgetMs: number;
}

/** Most of a lane's time, and of the time between two frames, that may be planned with, 0..1; the rest is reserve. */
export const MOST_BUSY = 0.8;

/** What the lanes can do, and what they do now. */
export interface Capacity {
  /** Time a lane takes for a frame with one face, by mesh, in milliseconds; null before it was measured. */
  swapMs: number | null;
  /** Share of the time in which each lane works now, 0..1. */
  lanes: readonly number[];
}

/** One live stream in the pipeline. */
export interface SwapSession {
  readonly id: string;
  /**
   * Swaps the faces of one frame in place. The frame is moved: its buffer is detached here, and comes back in the
   * answer. One frame at a time: call again only after the answer.
   * @param dropped frames since the last call that were left out for a newer one.
   * @throws FaceOffError `lane_lost` when the worker died with the frame; the session goes on, on a new worker.
   */
  swap(frame: Frame, dropped?: number): Promise<SwappedFrame>;
  /**
   * Resolves when the lane admits a frame of the stream, to a function that ends the admission. The caller chooses the
   * frame only then. Absent if the lane always admits one.
   */
  place?(): Promise<() => void>;
  /**
   * Takes effect from the next frame on.
   * @throws FaceOffError `unknown_face`, `unknown_model` or `unknown_background` (404), `model_missing` (409), and changes nothing.
   */
  set(settings: SettingsPatch): void;
  readonly settings: SwapSettings;
  /** Idempotent. The lane forgets the session. */
  close(): void;
}

/** A thread whose CPU profile can be recorded: which functions run, sampled once a millisecond. */
export interface ProfiledThread {
  start(): Promise<void>;
  /** Ends the recording. @returns the profile as JSON, in the form of V8's `.cpuprofile`. */
  stop(): Promise<string>;
}

/** The pipeline as the server sees it; `Pool` implements it, tests have their own. */
export interface Swapping {
  /** @throws FaceOffError `unknown_face`, `unknown_model`, `unknown_background` (404), `model_missing` (409). */
  open(session: string, settings: SettingsPatch): SwapSession;
  /** Number of sessions that the lanes hold state for. */
  readonly openSessions: number;
  /** Resident memory of the device process, in bytes. */
  readonly deviceRssBytes?: number;
  /** Processor time of all device processes so far, in milliseconds. */
  readonly deviceCpuMs?: number;
  /** Absent where it is not measured. */
  readonly capacity?: Capacity;
  /** The thread of a lane, by its number from 0; undefined where there is no such lane. Absent where none is a thread. */
  profiler?(lane: number): ProfiledThread | undefined;
  /** Sessions that show this picture as their background blur the room instead. Absent where none show pictures. */
  withdrawBackground?(id: string): void;
  /** Called when memory gets short, and when it no longer is. */
  pressure(pressure: Pressure): void;
  /** Idempotent. Resolves when every thread and process has ended. */
  close(): Promise<void>;
}
