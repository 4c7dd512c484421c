/** Looks at the machine at a steady pace, remembers the last minutes, and says when memory gets short. */

import { freemem } from 'node:os';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Config } from '../../config.ts';
import type { Logger } from '../../lib/log.ts';
import type { Metrics } from '../../metrics.ts';
import type { Gpu, GpuState } from '../../shared/gpu.ts';
import type { MachineSample } from '../../shared/messages.ts';
import type { Pressure } from '../../shared/types.ts';
import { MemoryWatch } from './memory-pressure.ts';
import { Processor } from './processor.ts';
import type { MachineFigures } from './verdict.ts';

export interface MonitorParts {
  memory: Config['memory'];
  gpu: Gpu | null;
  /** Whether a model runs on the GPU: else its memory is other programs' concern. */
  usesGpu: () => boolean;
  /** What the sessions do just now. */
  load: () => Pick<MachineSample, 'sessions' | 'fps' | 'frameMs' | 'level'>;
  /** Memory of this program's other processes, and processor time that they have used, in milliseconds. */
  othersBytes?: () => number;
  othersCpuMs?: () => number;
  metrics: Metrics;
  log: Logger;
}

/** How finely the event loop is watched: a beat that comes late was held up. */
const BEAT_MS = 20;
/** How long the GPU may take to answer, as a share of the time between two looks. */
const PATIENCE = 0.8;
const MINUTE_MS = 60_000;
/** Figures are means of so long. */
const FIGURES_MS = 3000;

export class Monitor {
  readonly #parts: MonitorParts;
  readonly #watch: MemoryWatch;
  readonly #most: number;
  readonly #listeners = new Set<(pressure: Pressure) => void>();
  readonly #history: MachineSample[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #beats: NodeJS.Timeout;
  #beatAtMs = performance.now();
  #worstDelayMs = 0;
  readonly #processor = new Processor();
  #cpuMs = 0;
  #lastMs = performance.now();
  #asking = false;
  #vramShare = 0;
  #closed = false;

  constructor(parts: MonitorParts) {
    const { intervalMs, historyMinutes } = parts.memory;
    this.#parts = parts;
    this.#watch = new MemoryWatch(parts.memory);
    this.#cpuMs = this.#cpuTimeMs();
    this.#most = Math.max(1, Math.round((historyMinutes * MINUTE_MS) / intervalMs));
    // Node's own histogram of delays misses what comes right after it was reset.
    this.#beats = setInterval(() => this.#beat(), BEAT_MS).unref();
    this.#timer = setInterval(() => void this.#look(), intervalMs).unref();
  }

  get gpu(): Gpu | null {
    return this.#parts.gpu;
  }

  get pressure(): Pressure {
    return this.#watch.pressure;
  }

  /** The newest; null before the first. */
  get latest(): MachineSample | null {
    return this.#history.at(-1) ?? null;
  }

  /** Means of the last seconds; null before the first look. */
  get figures(): MachineFigures | null {
    const last = this.latest;
    if (last === null) return null;
    const samples = this.#history.slice(-Math.max(1, Math.round(FIGURES_MS / this.#parts.memory.intervalMs)));
    const mean = (of: (sample: MachineSample) => number): number =>
      samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
    const { cores, allowed } = last.processor;
    return {
      ...{ cores, allowed, pressure: last.pressure, memory: this.#memory(last) },
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

  /** Oldest first. @param sinceMs those after it, in milliseconds since 1970. */
  history(sinceMs = 0): MachineSample[] {
    return this.#history.filter(({ atMs }) => atMs > sinceMs);
  }

  /** Told of every change. */
  onPressure(listener: (pressure: Pressure) => void): void {
    this.#listeners.add(listener);
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    clearInterval(this.#beats);
    this.#parts.gpu?.close();
  }

  async #look(): Promise<void> {
    const gpu = await this.#askGpu();
    // After a long delay this timer may come before the beat, which has yet to see it.
    await setImmediate();
    if (!this.#closed) this.#note(gpu);
  }

  /** A driver that keeps us waiting counts as silent, and is not asked again before it has answered. */
  async #askGpu(): Promise<GpuState | null> {
    const { gpu, memory } = this.#parts;
    if (gpu === null || this.#asking) return null;
    this.#asking = true;
    const answer = gpu
      .read()
      .catch(() => null)
      .finally(() => {
        this.#asking = false;
      });
    return Promise.race([answer, setTimeout(PATIENCE * memory.intervalMs, null, { ref: false })]);
  }

  #note(gpu: GpuState | null): void {
    const { load, metrics, othersBytes = () => 0 } = this.#parts;
    const rssBytes = process.memoryUsage.rss() + othersBytes();
    const before = this.pressure;
    const pressure = this.#watch.observe(this.#shortest(gpu, rssBytes), performance.now());
    this.#history.push({
      atMs: Date.now(),
      gpu,
      rssBytes,
      // What a container is allowed counts where Node can tell.
      availableBytes: process.availableMemory?.() ?? freemem(),
      cores: this.#coresSince(),
      processor: this.#processor.read(),
      loopDelayMs: this.#worstDelay(),
      ...load(),
      pressure,
    });
    if (this.#history.length > this.#most) this.#history.shift();
    metrics.gpu(gpu);
    metrics.pressure(pressure);
    if (pressure !== before) this.#tell(pressure, gpu, rssBytes);
  }

  /** The share used of whatever is shortest. A GPU that is silent is as full as it was. */
  #shortest(gpu: GpuState | null, rssBytes: number): number {
    const { memory, usesGpu } = this.#parts;
    if (gpu !== null) this.#vramShare = gpu.usedBytes / gpu.totalBytes;
    const process = rssBytes / (memory.rssLimitMb * 2 ** 20);
    return usesGpu() ? Math.max(process, this.#vramShare) : process;
  }

  #tell(pressure: Pressure, gpu: GpuState | null, rssBytes: number): void {
    const mega = (bytes: number): number => Math.round(bytes / 2 ** 20);
    const used = { rssMb: mega(rssBytes), ...(gpu !== null && { vramMb: mega(gpu.usedBytes) }) };
    if (pressure === 'none') this.#parts.log.info(used, 'memory is no longer short');
    else this.#parts.log.warn({ pressure, ...used }, 'memory is short');
    for (const listener of this.#listeners) listener(pressure);
  }

  /** Processor time of all threads since the last look, in cores. */
  #coresSince(): number {
    const [nowMs, cpuMs] = [performance.now(), this.#cpuTimeMs()];
    const cores = Math.max(0, cpuMs - this.#cpuMs) / (nowMs - this.#lastMs);
    [this.#lastMs, this.#cpuMs] = [nowMs, cpuMs];
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

  /** The longest that the event loop was held up since the last look. */
  #worstDelay(): number {
    const worstMs = this.#worstDelayMs;
    this.#worstDelayMs = 0;
    return Math.round(worstMs * 10) / 10;
  }
}
