import { freemem } from 'node:os';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Config } from '../../config.ts';
import type { Logger } from '../../lib/log.ts';
import { residentBytes } from '../../lib/system/resident-memory.ts';
import type { Metrics } from '../../metrics.ts';
import type { Gpu, GpuState } from '../../shared/gpu.ts';
import type { MachineSample } from '../../shared/messages.ts';
import type { Pressure } from '../../shared/types.ts';
import { HeapTrim } from './heap-trim.ts';
import { MemoryWatch } from './memory-pressure.ts';
import { Processor } from './processor.ts';
import type { MachineFigures } from './verdict.ts';

/** What the monitor measures, and where its results go. */
export interface MonitorParts {
  memory: Config['memory'];
  gpu: Gpu | null;
  /** Whether a model runs on the GPU; if not, the GPU's memory does not count. */
  usesGpu: () => boolean;
  /** The sessions' current load. */
  load: () => Pick<MachineSample, 'sessions' | 'fps' | 'frameMs' | 'level'>;
  /** Memory of FaceOff's other processes in bytes, and the processor time they have used in milliseconds. */
  othersBytes?: () => number;
  othersCpuMs?: () => number;
  metrics: Metrics;
  log: Logger;
}

/** Period of the timer that measures the event loop's delay: a late timer was held up. */
const BEAT_MS = 20;
/** How long the GPU may take to answer, as a share of the time between two samples. */
const PATIENCE = 0.8;
const MINUTE_MS = 60_000;
/** Interval over which `figures` are averaged. */
const FIGURES_MS = 3000;

/**
 * Samples the machine at a fixed interval, keeps the samples of the last minutes, and reports changes of the memory
 * pressure. Runs on the main thread.
 */
export class Monitor {
  readonly #parts: MonitorParts;
  readonly #memoryWatch: MemoryWatch;
  readonly #heapTrim = new HeapTrim();
  readonly #listeners = new Set<(pressure: Pressure) => void>();
  readonly #history: MachineSample[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #beatTimer: NodeJS.Timeout;
  #beatAtMs = performance.now();
  #worstDelayMs = 0;
  readonly #processor = new Processor();
  #cpuMs = 0;
  #lastMs = performance.now();
  #isGpuAsked = false;
  #vramShare = 0;
  #closed = false;

  constructor(parts: MonitorParts) {
    const { intervalMs } = parts.memory;
    this.#parts = parts;
    this.#memoryWatch = new MemoryWatch(parts.memory);
    this.#cpuMs = this.#cpuTimeMs();
    // Node's own histogram of delays misses a delay right after its reset.
    this.#beatTimer = setInterval(() => this.#beat(), BEAT_MS).unref();
    this.#timer = setInterval(() => void this.#sample(), intervalMs).unref();
  }

  /** The GPU's sensor; null without a GPU. */
  get gpu(): Gpu | null {
    return this.#parts.gpu;
  }

  /** The current memory pressure. */
  get pressure(): Pressure {
    return this.#memoryWatch.pressure;
  }

  /** The newest sample; null before the first one. */
  get latest(): MachineSample | null {
    return this.#history.at(-1) ?? null;
  }

  /** Means over the last seconds; null before the first sample. */
  get figures(): MachineFigures | null {
    const last = this.latest;
    if (last === null) return null;
    const samples = this.#history.slice(-Math.max(1, Math.round(FIGURES_MS / this.#parts.memory.intervalMs)));
    const mean = (of: (sample: MachineSample) => number): number =>
      samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
    const { cores, allowed } = last.processor;
    return {
      cores,
      allowed,
      pressure: last.pressure,
      memory: this.#memory(last),
      busy: mean(({ processor }) => processor.busy),
      own: mean((sample) => sample.cores),
      throttled: mean(({ processor }) => processor.throttled),
      loopDelayMs: Math.max(...samples.map(({ loopDelayMs }) => loopDelayMs)),
    };
  }

  #memory({ rssBytes, gpu }: MachineSample): MachineFigures['memory'] {
    const limitBytes = this.#parts.memory.rssLimitMb * 2 ** 20;
    if (gpu !== null && this.#shortest(gpu, rssBytes) > rssBytes / limitBytes)
      return { kind: 'GPU memory', usedBytes: gpu.usedBytes, limitBytes: gpu.totalBytes };
    return { kind: 'memory', usedBytes: rssBytes, limitBytes };
  }

  /** The kept samples, oldest first. @param sinceMs only samples after this time, in milliseconds since 1970. */
  history(sinceMs = 0): MachineSample[] {
    return this.#history.filter(({ atMs }) => atMs > sinceMs);
  }

  /** Calls the listener at every change of the pressure. */
  onPressure(listener: (pressure: Pressure) => void): void {
    this.#listeners.add(listener);
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    clearInterval(this.#beatTimer);
    this.#parts.gpu?.close();
  }

  async #sample(): Promise<void> {
    const gpu = await this.#askGpu();
    // After a long delay this timer may run before the beat timer, which has not measured the delay yet.
    await setImmediate();
    if (!this.#closed) this.#record(gpu);
  }

  /** Null if the driver answers too late; it is not asked again before it has answered. */
  async #askGpu(): Promise<GpuState | null> {
    const { gpu, memory } = this.#parts;
    if (gpu === null || this.#isGpuAsked) return null;
    this.#isGpuAsked = true;
    const answer = gpu
      .read()
      .catch(() => null)
      .finally(() => {
        this.#isGpuAsked = false;
      });
    return Promise.race([answer, setTimeout(PATIENCE * memory.intervalMs, null, { ref: false })]);
  }

  #record(gpu: GpuState | null): void {
    const { load, metrics, othersBytes = () => 0 } = this.#parts;
    const rssBytes = residentBytes() + othersBytes();
    const loadNow = load();
    this.#heapTrim.observe(loadNow.sessions);
    const before = this.pressure;
    const pressure = this.#memoryWatch.observe(this.#shortest(gpu, rssBytes), performance.now());
    this.#history.push({
      // Of the monotonic clock: a page asks for what is newer than its last sample, also after the system's clock was set back.
      atMs: Math.round(performance.timeOrigin + performance.now()),
      gpu,
      rssBytes,
      // Respects a container's limit, where Node can read it.
      availableBytes: process.availableMemory?.() ?? freemem(),
      cores: this.#coresSince(),
      processor: this.#processor.read(),
      loopDelayMs: this.#worstDelay(),
      ...loadNow,
      pressure,
    });
    const { intervalMs, historyMinutes } = this.#parts.memory;
    const most = Math.max(1, Math.round((historyMinutes * MINUTE_MS) / intervalMs));
    this.#history.splice(0, this.#history.length - most);
    metrics.gpu(gpu);
    metrics.memory(rssBytes, this.#parts.memory.rssLimitMb * 2 ** 20);
    metrics.pressure(pressure);
    if (pressure !== before) this.#announcePressure(pressure, gpu, rssBytes);
    if (pressure !== 'none' && before === 'none') this.#heapTrim.trimNow();
  }

  /** Used share of the memory that is shortest. A GPU that does not answer counts with its last share. */
  #shortest(gpu: GpuState | null, rssBytes: number): number {
    const { memory, usesGpu } = this.#parts;
    if (gpu !== null) this.#vramShare = gpu.usedBytes / gpu.totalBytes;
    const process = rssBytes / (memory.rssLimitMb * 2 ** 20);
    return usesGpu() ? Math.max(process, this.#vramShare) : process;
  }

  #announcePressure(pressure: Pressure, gpu: GpuState | null, rssBytes: number): void {
    const mega = (bytes: number): number => Math.round(bytes / 2 ** 20);
    const used = { rssMb: mega(rssBytes), ...(gpu !== null && { vramMb: mega(gpu.usedBytes) }) };
    if (pressure === 'none') this.#parts.log.info(used, 'memory is no longer short');
    else this.#parts.log.warn({ pressure, ...used }, 'memory is short');
    for (const listener of this.#listeners) listener(pressure);
  }

  /** Processor time of all threads since the last sample, in cores. */
  #coresSince(): number {
    const nowMs = performance.now();
    const cpuMs = this.#cpuTimeMs();
    const cores = Math.max(0, cpuMs - this.#cpuMs) / (nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    this.#cpuMs = cpuMs;
    return Math.round(cores * 100) / 100;
  }

  #cpuTimeMs(): number {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000 + (this.#parts.othersCpuMs?.() ?? 0);
  }

  #beat(): void {
    const nowMs = performance.now();
    this.#worstDelayMs = Math.max(this.#worstDelayMs, nowMs - this.#beatAtMs - BEAT_MS);
    this.#beatAtMs = nowMs;
  }

  /** Longest delay of the event loop since the last sample, in milliseconds. */
  #worstDelay(): number {
    const worstMs = this.#worstDelayMs;
    this.#worstDelayMs = 0;
    return Math.round(worstMs * 10) / 10;
  }
}
