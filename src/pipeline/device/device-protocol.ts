/** Messages between lanes and the device process, and the process's reports to the main thread. */

import type { WireError } from '../../shared/errors.ts';
import type { BuildProgress } from '../inference/build-child.ts';
import type { ModelSpec } from '../inference/model-device.ts';
import type { InferenceSettings, StepDown } from '../inference/provider-ladder.ts';

/** A request of a lane. The tensors of `run` follow in the order of the model's inputs, without the scalar ones. */
export type DeviceAsk =
  | { id: number; op: 'open'; spec: ModelSpec }
  /** `leftMs`: milliseconds until the answer becomes useless. */
  | { id: number; op: 'run'; model: number; leftMs: number }
  | { id: number; op: 'close'; model: number };

/** Answer to `open`. */
export interface Opened {
  /** Number that names the model in later requests of the same connection. */
  model: number;
  provider: string;
  /** Milliseconds of a run at batch 1. */
  usualMs: number;
  loadMs: number;
  /** Whether an engine, an optimised model or a saved tuning was found in the cache. */
  cached: boolean;
}

/** The answer to the request with the same id. The tensors of a run follow in the order of the model's outputs. */
export type DeviceAnswer =
  | { id: number; error: WireError }
  | { id: number; opened: Opened }
  /** `ranMs`: duration of the batch that the run was part of. */
  | { id: number; ranMs: number }
  | { id: number; closed: true };

/** Options of the device process, passed as JSON on its command line. */
export interface DeviceOptions {
  /** Where the process listens: a socket's path in a folder of this user alone, or a pipe's name. */
  address: string;
  /** Threads inside one run on the CPU. */
  threads: number;
  /** Runs before the first real one, as the first are slow. */
  warmupRuns: number;
  /** Most pictures in a run. */
  maxBatch: number;
  /** Whether to measure which batch gives the most pictures a second; else maxBatch is used. */
  tune: boolean;
  /** Time of one frame: a batch that takes longer serves no stream. */
  budgetMs: number;
  cacheDir: string;
  /** Which providers models run on, and with which settings. */
  inference: InferenceSettings & { engineTimeoutMs: number };
}

/** One batch that the device ran. */
export interface BatchReport {
  model: string;
  size: number;
  /** How long the first picture of the batch had waited. */
  waitMs: number;
  ranMs: number;
}

/** Progress of a model's move to a better session. */
export type DeviceNews =
  /** The model moved, to that provider. */
  | { model: string; provider: string }
  /** Null when the build is over. */
  | { model: string; building: BuildProgress | null }
  /** The build failed, with that message. */
  | { model: string; failed: string };

/** Sent to the main thread once a second while a model is open or there is something to report. */
export interface DeviceReport {
  batches: BatchReport[];
  /** How many times memory ran out. */
  ooms: number;
  /** Pictures dropped because their deadline passed in the queue. */
  late: number;
  /** Current batch limit of each open model, by name. */
  limits: Record<string, number>;
  /** Steps down of the provider ladder. */
  steps: StepDown[];
  news: DeviceNews[];
  /** Resident memory of the process, and processor time used since its start in milliseconds. */
  rssBytes: number;
  cpuMs: number;
}
