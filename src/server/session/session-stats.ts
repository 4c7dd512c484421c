/** Figures of the last seconds of one session. */

import type { SessionStats } from '../../shared/messages.ts';
import type { FrameResult, SwappedFrame } from '../../shared/types.ts';

const WINDOW_MS = 3000;

interface Done {
  atMs: number;
  frameMs: number;
  waitMs: number;
}

export class RollingStats {
  readonly #now: () => number;
  #arrivals: number[] = [];
  #done: Done[] = [];
  /** When frames were left out for want of time. */
  #missed: number[] = [];
  #last: SwappedFrame | null = null;
  #size = { width: 0, height: 0 };
  readonly #counts: Record<FrameResult, number> = { swapped: 0, passed: 0, dropped: 0, failed: 0 };

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  arrived(width: number, height: number): void {
    this.#size = { width, height };
    this.#arrivals.push(this.#now());
    if (this.#arrivals.length > 1000) this.#trim();
  }

  done(frame: SwappedFrame, frameMs: number): void {
    this.#last = frame;
    this.#counts[frame.result]++;
    this.#done.push({ atMs: this.#now(), frameMs, waitMs: frame.waitMs });
    if (this.#done.length > 1000) this.#trim();
  }

  count(result: FrameResult): void {
    this.#counts[result]++;
  }

  /** A frame was left out for want of time. */
  miss(): void {
    this.#missed.push(this.#now());
    if (this.#missed.length > 1000) this.#trim();
  }

  /** Share of the last seconds' frames that were left out for want of time, 0..1; those that the rate wants left out do not count. */
  get missedShare(): number {
    this.#trim();
    const missed = this.#missed.length;
    return missed === 0 ? 0 : missed / (missed + this.#done.length);
  }

  /** The last frame that was done. */
  get last(): SwappedFrame | null {
    return this.#last;
  }

  get level(): number {
    return this.#last?.level ?? 0;
  }

  /** All but what only the session knows. */
  read(session: string): Omit<SessionStats, 'maxFps' | 'verdict'> {
    this.#trim();
    return {
      session,
      ...this.#size,
      fpsIn: rate(this.#arrivals),
      fpsOut: rate(this.#done.map(({ atMs }) => atMs)),
      frameMs: spread(this.#done.map(({ frameMs }) => frameMs)),
      waitMs: spread(this.#done.map(({ waitMs }) => waitMs)),
      stagesMs: Object.fromEntries(Object.entries(this.#last?.stagesMs ?? {}).map(([name, ms]) => [name, rounded(ms)])),
      ...this.#counts,
      plan: this.#last?.plan ?? 'full',
      level: this.level,
      faces: this.#last?.faces ?? [],
    };
  }

  #trim(): void {
    const since = this.#now() - WINDOW_MS;
    this.#arrivals = this.#arrivals.filter((atMs) => atMs >= since);
    this.#done = this.#done.filter(({ atMs }) => atMs >= since);
    this.#missed = this.#missed.filter((atMs) => atMs >= since);
  }
}

const rounded = (value: number): number => Math.round(value * 100) / 100;

/** Events a second, between the first and the last of the window. */
function rate(times: readonly number[]): number {
  const seconds = (times.at(-1)! - times[0]!) / 1000;
  return times.length < 2 || seconds <= 0 ? 0 : Math.round((10 * (times.length - 1)) / seconds) / 10;
}

function spread(values: number[]): { p50: number; p95: number } {
  values.sort((a, b) => a - b);
  const at = (share: number): number =>
    rounded(values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0);
  return { p50: at(0.5), p95: at(0.95) };
}
