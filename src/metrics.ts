/**
 * What Prometheus reads at /metrics. The metrics' names are part of the product and do not change; docs/metrics.md lists
 * them. Labels name stages, causes, codes and models, never a session, a stream, a face or an address.
 */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { HOOK_EVENTS, type HookEvent } from './config/hook-settings.ts';
import type { DeviceReport } from './pipeline/device/device-protocol.ts';
import type { ModelLoad } from './pipeline/pool/lane-protocol.ts';
import { isErrorCode } from './shared/error-catalogue.ts';
import type { GpuState } from './shared/gpu.ts';
import type { Cause } from './shared/messages.ts';
import { STAGE_BUCKETS_MS } from './shared/stage-buckets.ts';
import type { FrameResult, Pressure, SwappedFrame } from './shared/types.ts';

/** The part of the `metrics` section of config.yaml that matters here. */
export interface MetricsOptions {
  /** Upper bounds of the buckets of frame, stage and wait times, in milliseconds, rising. */
  stageBucketsMs?: readonly number[];
}

const RESULTS: readonly FrameResult[] = ['swapped', 'passed', 'dropped', 'failed'];
/** What becomes of an event for a hook. An attempt that is `retried` is no end. */
export const HOOK_RESULTS = ['delivered', 'retried', 'failed', 'dropped'] as const;
/** Codes that are counted from 0 on, as alerts watch them: an increase from no value at all is none. */
const WATCHED_CODES = ['internal', 'server_full', 'viewers_full'] as const;

/** Every metric of the server, in one registry of its own. Units are seconds, bytes and ratios, as Prometheus wants. */
export class Metrics {
  readonly registry = new Registry();
  readonly #frame: Histogram;
  readonly #stage: Histogram<'stage'>;
  readonly #wait: Histogram;
  readonly #frames: Counter<'result'>;
  readonly #lateFrames: Counter;
  readonly #level: Gauge;
  readonly #plans: Gauge<'plan'>;
  readonly #verdicts: Gauge<'cause'>;
  readonly #contentBlocked: Counter;
  readonly #sessions: Gauge;
  readonly #viewers: Gauge;
  readonly #waiting: Gauge;
  readonly #skipped: Counter;
  readonly #recordings: Gauge;
  readonly #unrecorded: Counter;
  readonly #load: Gauge<'model' | 'provider' | 'cache'>;
  readonly #batch: Histogram<'model'>;
  readonly #batchWait: Histogram<'model'>;
  readonly #late: Counter;
  readonly #pressure: Gauge;
  readonly #memory: Gauge<'kind'>;
  readonly #oom: Counter;
  readonly #errors: Counter<'code'>;
  readonly #hooks: Counter<'event' | 'result'>;
  /** Registered with the first reading of a GPU. */
  #gpu: { vram: Gauge<'kind'>; busy: Gauge } | null = null;

  constructor({ stageBucketsMs = STAGE_BUCKETS_MS }: MetricsOptions = {}) {
    const buckets = stageBucketsMs.map((ms) => ms / 1000);
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.#frame = new Histogram({
      name: 'faceoff_frame_seconds',
      help: 'From the decoder to the encoder',
      buckets,
      registers,
    });
    this.#stage = new Histogram({
      name: 'faceoff_stage_seconds',
      help: 'Time in a stage of a frame',
      labelNames: ['stage'],
      buckets,
      registers,
    });
    this.#wait = new Histogram({
      name: 'faceoff_wait_seconds',
      help: 'From the decoder to the lane that swaps',
      buckets,
      registers,
    });
    this.#frames = new Counter({
      name: 'faceoff_frames_total',
      help: 'Frames by what became of them',
      labelNames: ['result'],
      registers,
    });
    this.#lateFrames = new Counter({
      name: 'faceoff_late_frames_total',
      help: 'Dropped frames that were left out because time was short, not by the rate of their plan',
      registers,
    });
    this.#level = new Gauge({
      name: 'faceoff_degradation_level',
      help: 'Worst level of any session, 0 is full quality',
      registers,
    });
    this.#plans = new Gauge({
      name: 'faceoff_plan',
      help: 'Sessions by the plan in force: a place on the ladder of quality, from full to passthrough',
      labelNames: ['plan'],
      registers,
    });
    this.#verdicts = new Gauge({
      name: 'faceoff_verdict',
      help: 'Sessions by what limits them; good is nothing',
      labelNames: ['cause'],
      registers,
    });
    this.#contentBlocked = new Counter({
      name: 'faceoff_content_blocked_total',
      help: 'Times that the content check hid the picture of a stream',
      registers,
    });
    this.#sessions = new Gauge({ name: 'faceoff_sessions', help: 'Sessions open now', registers });
    this.#viewers = new Gauge({
      name: 'faceoff_viewers',
      help: 'Viewers of streams connected or coming now',
      registers,
    });
    this.#waiting = new Gauge({
      name: 'faceoff_cluster_waiting',
      help: 'Publishers of a LiveKit cluster that wait for a worker',
      registers,
    });
    this.#skipped = new Counter({
      name: 'faceoff_viewer_frames_skipped_total',
      help: 'Frames that were left out for viewers, as a newer one was there',
      registers,
    });
    this.#recordings = new Gauge({ name: 'faceoff_recordings', help: 'Recordings under way', registers });
    this.#unrecorded = new Counter({
      name: 'faceoff_recording_frames_dropped_total',
      help: 'Frames that finished recordings lack, as the encoder or the disk was too slow',
      registers,
    });
    this.#load = new Gauge({
      name: 'faceoff_model_load_seconds',
      help: 'Time to load and warm a model',
      labelNames: ['model', 'provider', 'cache'],
      registers,
    });
    this.#batch = new Histogram({
      name: 'faceoff_batch_size',
      help: 'Pictures in a run of a generator or restorer',
      labelNames: ['model'],
      buckets: [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64],
      registers,
    });
    this.#batchWait = new Histogram({
      name: 'faceoff_batch_wait_seconds',
      help: 'How long the first picture of a run had waited',
      labelNames: ['model'],
      buckets,
      registers,
    });
    this.#late = new Counter({
      name: 'faceoff_late_pictures_total',
      help: 'Pictures a generator did not begin with, as their frame had no time left',
      registers,
    });
    this.#pressure = new Gauge({
      name: 'faceoff_memory_pressure',
      help: 'How short memory is: 0 not, 1 what no session uses is freed, 2 streams do less',
      registers,
    });
    this.#memory = new Gauge({
      name: 'faceoff_memory_bytes',
      help: 'Resident memory of all processes of FaceOff, and memory.rssLimitMb',
      labelNames: ['kind'],
      registers,
    });
    this.#oom = new Counter({ name: 'faceoff_oom_total', help: 'Times that a model ran out of memory', registers });
    this.#errors = new Counter({
      name: 'faceoff_errors_total',
      help: 'Refusals and errors by their code, other for those of the HTTP library',
      labelNames: ['code'],
      registers,
    });
    this.#hooks = new Counter({
      name: 'faceoff_hooks_total',
      help: 'Events for webhooks and commands, by what became of them',
      labelNames: ['event', 'result'],
      registers,
    });
    for (const result of RESULTS) this.#frames.inc({ result }, 0);
    for (const event of HOOK_EVENTS) for (const result of HOOK_RESULTS) this.#hooks.inc({ event, result }, 0);
    for (const code of WATCHED_CODES) this.#errors.inc({ code }, 0);
  }

  /** @param frameMs from the decoder to the hand-over to the encoder. */
  frame({ stagesMs, waitMs, result }: SwappedFrame, frameMs: number): void {
    this.#frame.observe(frameMs / 1000);
    this.#wait.observe(waitMs / 1000);
    for (const [stage, ms] of Object.entries(stagesMs)) this.#stage.observe({ stage }, ms / 1000);
    this.count(result);
  }

  /** Counts a frame by its result, without times: one that no lane saw, for instance. */
  count(result: FrameResult): void {
    this.#frames.inc({ result });
  }

  /** Counts a dropped frame, by its result alone. @param isLate whether time was short, not the plan's rate the reason. */
  dropped(isLate: boolean): void {
    this.count('dropped');
    if (isLate) this.#lateFrames.inc();
  }

  /** Sets the number of open sessions and the worst place of any on the ladder, 0 = full quality. */
  sessions(open: number, worstLevel: number): void {
    this.#sessions.set(open);
    this.#level.set(worstLevel);
  }

  /** Sets the number of sessions per cause. */
  verdicts(counts: Record<Cause, number>): void {
    for (const [cause, sessions] of Object.entries(counts)) this.#verdicts.set({ cause }, sessions);
  }

  /** Counts that the content check hid the picture of a stream. */
  contentBlocked(): void {
    this.#contentBlocked.inc();
  }

  /** Sets the number of sessions per plan. @param plans the plan of each session. */
  plans(plans: readonly string[]): void {
    this.#plans.reset();
    this.#plans.set({ plan: 'full' }, 0);
    for (const plan of plans) this.#plans.inc({ plan });
  }

  /** Counts a refusal or an error that a caller was told. @param code of the catalogue, or another library's. */
  error(code: string): void {
    this.#errors.inc({ code: isErrorCode(code) ? code : 'other' });
  }

  /** Counts an event for a hook by what became of it. */
  hook(event: HookEvent, result: (typeof HOOK_RESULTS)[number]): void {
    this.#hooks.inc({ event, result });
  }

  /** Sets the number of viewers. */
  viewers(open: number): void {
    this.#viewers.set(open);
  }

  /** Counts a frame that a viewer did not get because a newer one was there. */
  viewerSkip(): void {
    this.#skipped.inc();
  }

  /** Adds what the device process did since its last report. */
  device({ batches, late, ooms }: DeviceReport): void {
    for (const { model, size, waitMs } of batches) {
      this.#batch.observe({ model }, size);
      this.#batchWait.observe({ model }, waitMs / 1000);
    }
    this.#late.inc(late);
    this.#oom.inc(ooms);
  }

  /** Sets the GPU's figures. @param state null while the GPU does not answer, or where there is none. */
  gpu(state: GpuState | null): void {
    if (this.#gpu === null && state === null) return;
    this.#gpu ??= gpuGauges([this.registry]);
    this.#gpu.vram.set({ kind: 'used' }, state?.usedBytes ?? Number.NaN);
    this.#gpu.vram.set({ kind: 'total' }, state?.totalBytes ?? Number.NaN);
    this.#gpu.busy.set(state?.utilisation ?? Number.NaN);
  }

  /** Sets the memory of all processes together, and its limit. */
  memory(usedBytes: number, limitBytes: number): void {
    this.#memory.set({ kind: 'used' }, usedBytes);
    this.#memory.set({ kind: 'limit' }, limitBytes);
  }

  /** Sets how short memory is. */
  pressure(pressure: Pressure): void {
    this.#pressure.set({ none: 0, release: 1, degrade: 2 }[pressure]);
  }

  /** Sets the number of publishers of a LiveKit cluster that wait for a worker. */
  clusterWaiting(publishers: number): void {
    this.#waiting.set(publishers);
  }

  /** Sets the number of recordings under way. @param dropped frames that a recording lacks, to add. */
  recordings(open: number, dropped = 0): void {
    this.#recordings.set(open);
    this.#unrecorded.inc(dropped);
  }

  /** Sets the time that loading and warming a model took. */
  modelLoad({ model, provider, cached, loadMs }: ModelLoad): void {
    this.#load.set({ model, provider, cache: cached ? 'hit' : 'miss' }, loadMs / 1000);
  }
}

const gpuGauges = (registers: Registry[]) => ({
  vram: new Gauge({
    name: 'faceoff_vram_bytes',
    help: 'Memory of the GPU',
    labelNames: ['kind'],
    registers,
  }),
  busy: new Gauge({
    name: 'faceoff_gpu_utilization_ratio',
    help: 'Share of time in which the GPU worked, NaN where it does not tell',
    registers,
  }),
});
