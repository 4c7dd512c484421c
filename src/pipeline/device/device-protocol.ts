/** What lanes and the device process say to each other, and what the process tells the main thread. */

import type { WireError } from '../../shared/errors.ts';
import type { BuildProgress } from '../inference/build-child.ts';
import type { ModelShape } from '../inference/model-session.ts';
import type { InferenceSettings, StepDown } from '../inference/provider-ladder.ts';

/** A model as the device is to open it. The same from every lane, so that all share one session. */
export interface ModelSpec {
  file: string;
  /** Published or recorded digest, checked while the file is read; null where there is none. */
  sha256: string | null;
  shape: ModelShape;
  /** Inputs of one number each: the same for every picture. */
  doubles: Record<string, number>;
  scalars: Record<string, number>;
  /** Whether the file leaves the number of pictures in a run open. */
  open: boolean;
}

/** From a lane. Tensors follow in the shape's order, without the single numbers. */
export type DeviceAsk =
  | { id: number; op: 'open'; spec: ModelSpec }
  /** `leftMs`: for how long the answer is of use. */
  | { id: number; op: 'run'; model: number; leftMs: number }
  | { id: number; op: 'close'; model: number };

export interface Opened {
  /** Names the model in what this lane asks from now on. */
  model: number;
  provider: string;
  /** Milliseconds that a lone run usually takes. */
  usualMs: number;
  loadMs: number;
  /** Whether what had to be prepared was found prepared. */
  cached: boolean;
}

export type DeviceAnswer =
  | { id: number; error: WireError }
  | { id: number; opened: Opened }
  /** `ranMs`: what the batch took that this was part of. */
  | { id: number; ranMs: number }
  | { id: number; closed: true };

/** What the device process is started with. */
export interface DeviceOptions {
  /** Where it listens: a socket's path in a folder that is closed to others, or a pipe's name. */
  address: string;
  threads: number;
  warmupRuns: number;
  /** Most pictures in a run. */
  maxBatch: number;
  /** Whether to find out how many of these bring the most a second; else as many as may be. */
  tune: boolean;
  /** A batch that takes longer is of no use to anybody. */
  budgetMs: number;
  cacheDir: string;
  /** What models are to run on, and how. */
  inference: InferenceSettings & { engineTimeoutMs: number };
}

/** One run of the device. */
export interface BatchReport {
  model: string;
  size: number;
  /** How long its first picture had waited. */
  waitMs: number;
  ranMs: number;
}

/** A model that got something better to run on, or did not. */
export type DeviceNews =
  | { model: string; provider: string }
  /** Null when the build is over. */
  | { model: string; building: BuildProgress | null }
  | { model: string; failed: string };

/** Told to the main thread, once a second while a model is open or there is news. */
export interface DeviceReport {
  batches: BatchReport[];
  /** Times memory ran out. */
  ooms: number;
  /** Pictures nobody waited for any longer. */
  late: number;
  /** Largest batch allowed now, for each open model. */
  limits: Record<string, number>;
  /** What was to run on something and runs on something else. */
  steps: StepDown[];
  news: DeviceNews[];
  /** Memory of the process, and processor time that it has used since it began, in milliseconds. */
  rssBytes: number;
  cpuMs: number;
}
