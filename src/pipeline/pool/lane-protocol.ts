/**
 * Everything that crosses between the main thread and a lane worker. `Calls` maps each call to its request and answer.
 * Frames are moved, not copied; the rest is small or rare.
 */

import type { WireError } from '../../shared/errors.ts';
import type { Rect } from '../../shared/geometry.ts';
import type { PhotoFlaw } from '../../shared/messages.ts';
import type { Reserve, SwapSettings } from '../../shared/settings.ts';
import type { Frame, SwappedFrame } from '../../shared/types.ts';
import type { Portrait } from '../engines/engine.ts';
import type { MeshFace } from '../engines/mesh/mesh-engine.ts';
import type { NeuralFace } from '../engines/neural/neural-engine.ts';
import type { ModelNews } from '../models/model-states.ts';

/** Longest side of a decoded portrait, in pixels; larger ones are scaled down. */
export const PORTRAIT_SIDE = 1600;

/** A face found in a still picture. */
export interface FoundFace {
  /** In pixels of the picture. */
  box: Rect;
  /** 478 points, x, y, z in pixels of the picture. */
  points: Float32Array;
  /** Head pose in degrees: to the side, and up or down; 0 faces the camera. */
  yawDegrees: number;
  pitchDegrees: number;
  /** Which person it is: 128 numbers, see embed.ts. */
  embedding: Float32Array;
}

/** How a face would look. */
export interface LanePreview {
  /** The face on a shipped portrait. */
  picture: Frame;
  /** What is wrong with the photo, the gravest first. */
  flaws: PhotoFlaw[];
}

/** The calls of a lane: `ask` goes to the worker, `answer` comes back. */
export interface Calls {
  /** Begins a session. */
  open: { ask: { session: string; settings: SwapSettings }; answer: undefined };
  /** Replaces all settings of a session. */
  set: { ask: { session: string; settings: SwapSettings }; answer: undefined };
  /** Ends a session. */
  close: { ask: { session: string }; answer: undefined };
  /** Swaps a frame, which is moved both ways. `dropped`: frames of the session left out since the last call. */
  swap: { ask: { session: string; frame: Frame; dropped: number }; answer: SwappedFrame };
  /**
   * Gives the lane a source face for mesh, in place of an earlier one of the id. The answer is the time of one swap in
   * milliseconds if the lane warmed up with the face, else null.
   */
  take: { ask: { id: string; face: MeshFace }; answer: number | null };
  /** Gives the lane a source face for a generator. */
  takeFor: { ask: { id: string; engine: string; face: NeuralFace }; answer: undefined };
  /** Forgets a face for every engine. */
  drop: { ask: { id: string }; answer: undefined };
  /** Takes changed options over, for streams that open from then on. */
  configure: { ask: LiveLaneOptions; answer: undefined };
  /** Lowers the quality of every stream while `on`, because memory is short. */
  hold: { ask: { on: boolean }; answer: undefined };
  /** Finds every face of a still picture. */
  analyse: { ask: { picture: Frame }; answer: FoundFace[] };
  /** Makes a face ready for mesh, from one or more portraits of a person. */
  enrol: { ask: { portraits: Portrait[] }; answer: MeshFace };
  /** Draws a face as it will look, and judges the last of its portraits; nothing is kept. */
  preview: { ask: { portraits: Portrait[] }; answer: LanePreview };
  /** Judges portraits one by one: what is wrong with each, the gravest first. */
  judge: { ask: { portraits: Portrait[] }; answer: PhotoFlaw[][] };
  /** Makes a face ready for a generator. */
  enrolFor: { ask: { engine: string; portraits: Portrait[] }; answer: NeuralFace };
  /** Begins a CPU profile of the thread. */
  startProfile: { ask: undefined; answer: undefined };
  /** Ends it; the answer is the profile, as JSON. */
  stopProfile: { ask: undefined; answer: string };
  /** Ends the lane after the calls in hand; terminating a thread inside a model's run would abort the process. */
  end: { ask: undefined; answer: undefined };
}

/** The name of a call. */
export type CallName = keyof Calls;

/** Message to the worker; `id` is repeated in the reply. */
export type LaneRequest = { [K in CallName]: { id: number; call: K; ask: Calls[K]['ask'] } }[CallName];

/** The worker's answer to the request with that id, or its error. */
export type LaneReply = { id: number; answer: unknown } | { id: number; error: WireError };

/** Message of the worker: an error that cost a frame its swap. The frame itself is answered. */
export interface LaneFault {
  fault: WireError;
  /** Whose frame it was; absent where it was no frame. */
  session?: string | undefined;
}

/** Message of the worker: a model of this thread was loaded, failed or is gone. */
export interface LaneNews {
  news: ModelNews;
}

/** How a model was loaded while the lane started. */
export interface ModelLoad {
  model: string;
  /** Execution provider. */
  provider: string;
  /** True if files that the provider needs were found in the cache. */
  cached: boolean;
  /** Time to load and warm it, in milliseconds. */
  loadMs: number;
}

/** Message of the worker when it has started: its models are loaded and warm, or the error that prevents it. */
export type Started = { ready: true; loads: ModelLoad[] } | { ready: false; error: WireError };

/** The part of the configuration a lane needs; config.yaml documents each key. */
export interface LaneOptions {
  /** Folder of the models. */
  modelsDir: string;
  /** Threads of ONNX Runtime for a model in the lane. */
  threads: number;
  /** Runs of each model before the lane is ready. */
  warmupRuns: number;
  /** Largest frame, in pixels; larger ones pass unchanged. */
  maxPixels: number;
  /** Time a frame may take, in milliseconds; Infinity for no deadline. */
  budgetMs: number;
  /** Least score of a detection, 0..1. */
  score: number;
  /** Time between two detections while faces are tracked, in milliseconds. */
  intervalMs: number;
  /** Most faces in a frame. */
  faces: number;
  /** Least width of a face, in pixels. */
  minSize: number;
  /** Frames without a face after which its track ends. */
  lostAfterFrames: number;
  /** One-euro filter of the landmarks: cut-off at rest, in Hz. */
  minCutoffHz: number;
  /** One-euro filter: how fast the cut-off rises with speed. */
  beta: number;
  /** How far the source takes the colours of the live face, 0..1. */
  colour: number;
  /** How far the source is sharpened to the live picture, 0..1. */
  sharpness: number;
  /** How long the mesh engine mixes two source faces where one is changed for the other, in milliseconds; 0 for not. */
  crossfadeMs: number;
  /** Socket of the device process; null runs every model in the lane. */
  deviceAddress: string | null;
  /** What swaps while a generator cannot. */
  reserve: Reserve;
  /** The engine that is ready from the start. */
  engine: string;
  /** k: generators run on k² tiles of their own size. */
  boost: number;
  /** Name of the model that segments the face in a generated crop; null for none. */
  mask: string | null;
  /** Name of the model that restores swapped faces; null for none. */
  restorer: string | null;
  /** How much of the restored face is shown, 0..1. */
  restoreBlend: number;
  /** Folder of the pictures for backgrounds; it need not exist. */
  backgroundsDir: string;
  /** Random words of the invisible mark's key (watermark/mark-key.ts); null marks no frame. */
  markWords: Uint32Array | null;
}

/** The options that a lane takes over while it runs. */
export type LiveLaneOptions = Pick<
  LaneOptions,
  | 'engine'
  | 'score'
  | 'intervalMs'
  | 'faces'
  | 'minSize'
  | 'lostAfterFrames'
  | 'minCutoffHz'
  | 'beta'
  | 'colour'
  | 'sharpness'
  | 'crossfadeMs'
>;
