/**
 * Everything that crosses between the main thread and a lane, in one map: what is asked and what is answered.
 * Frames are moved, not copied; the rest is small or rare.
 */

import type { WireError } from '../../shared/errors.ts';
import type { Rect } from '../../shared/geometry.ts';
import type { Corner, Frame, Reserve, SwappedFrame, SwapSettings } from '../../shared/types.ts';
import type { Portrait } from '../engines/engine.ts';
import type { MeshFace } from '../engines/mesh/mesh-engine.ts';
import type { NeuralFace } from '../engines/neural/neural-engine.ts';
import type { ModelNews } from '../models/model-states.ts';

/** Longest side of a portrait as it is decoded, in pixels: larger ones are shrunk. */
export const PORTRAIT_SIDE = 1600;

/** A face found in a picture, with what is needed to judge and to take it. */
export interface FoundFace {
  box: Rect;
  /** 478 points, x, y, z in pixels of the picture. */
  points: Float32Array;
  /** How far the head is turned to the side and up or down, in degrees; 0 looks into the camera. */
  yawDegrees: number;
  pitchDegrees: number;
}

export interface Calls {
  open: { ask: { session: string; settings: SwapSettings }; answer: undefined };
  set: { ask: { session: string; settings: SwapSettings }; answer: undefined };
  close: { ask: { session: string }; answer: undefined };
  /** `dropped`: frames of the session since the last one that came here, whose place a newer one took. */
  swap: { ask: { session: string; frame: Frame; dropped: number }; answer: SwappedFrame };
  /** Gives the lane a source face to use under this id, in place of an earlier one; answered by what a swap took at warm-up, if it was. */
  take: { ask: { id: string; face: MeshFace }; answer: number | null };
  /** The same face for an engine other than mesh. */
  takeFor: { ask: { id: string; engine: string; face: NeuralFace }; answer: undefined };
  /** Forgets a face for every engine. */
  drop: { ask: { id: string }; answer: undefined };
  /** While memory is short every stream does less. */
  hold: { ask: { on: boolean }; answer: undefined };
  /** Finds every face of a still picture. */
  analyse: { ask: { picture: Frame }; answer: FoundFace[] };
  enrol: { ask: { portraits: Portrait[] }; answer: MeshFace };
  /** Makes a face ready for an engine other than mesh. */
  enrolFor: { ask: { engine: string; portraits: Portrait[] }; answer: NeuralFace };
  /** Ends the lane co-operatively; terminating a thread inside a model's run would abort the process. */
  end: { ask: undefined; answer: undefined };
}

export type CallName = keyof Calls;

export type LaneRequest = { [K in CallName]: { id: number; call: K; ask: Calls[K]['ask'] } }[CallName];

export type LaneReply = { id: number; answer: unknown } | { id: number; error: WireError };

/** An error that cost a frame its swap; the frame itself went on. */
export interface LaneFault {
  fault: WireError;
}

/** What became of a model in this thread. */
export interface LaneNews {
  news: ModelNews;
}

/** How long a model took to load, told once a model while the lane starts. */
export interface ModelLoad {
  model: string;
  provider: string;
  cached: boolean;
  loadMs: number;
}

/** First word of a lane: its models are loaded and warm, or why not. */
export type Started = { ready: true; loads: ModelLoad[] } | { ready: false; error: WireError };

/** The part of the configuration a lane needs. */
export interface LaneOptions {
  modelsDir: string;
  threads: number;
  warmupRuns: number;
  maxPixels: number;
  budgetMs: number;
  score: number;
  intervalMs: number;
  faces: number;
  minSize: number;
  lostAfterFrames: number;
  minCutoffHz: number;
  beta: number;
  colour: number;
  sharpness: number;
  /** Where big models run; null runs them in the lane. */
  deviceAddress: string | null;
  /** What serves where a generator cannot: mesh, or none for the fallback. */
  reserve: Reserve;
  /** The engine to have ready from the start. */
  engine: string;
  /** k: generators paint k² tiles of their own size. */
  boost: number;
  /** Name of the model that says which part of a generated crop is face, or null. */
  mask: string | null;
  /** Name of the model that restores swapped faces, or null, and how much of it shows. */
  restorer: string | null;
  restoreBlend: number;
  /** Where the mark “AI-modified” is drawn, for sessions that want it. */
  badgeCorner: Corner;
}
