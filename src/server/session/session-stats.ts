import type { SessionStats } from '../../shared/messages.ts';
import type { FrameResult, SwappedFrame } from '../../shared/types.ts';

const WINDOW_MS = 3000;
/** Entries of one list at which old entries are removed. */
const TRIM_AT = 1000;

interface DoneFrame {
  atMs: number;
  frameMs: number;
  waitMs: number;
}

/** Statistics of one session over the last three seconds, and its counts since the session began. */
export class RollingStats {
  readonly #now: () => number;
  /** Times at which frames arrived. */
  #arrivals: number[] = [];
  #done: DoneFrame[] = [];
  /** Times at which frames were left out because time was short. */
  #missed: number[] = [];
  #last: SwappedFrame | null = null;
  #size = { width: 0, height: 0 };
  readonly #counts: Record<FrameResult, number> = { swapped: 0, passed: 0, dropped: 0, failed: 0 };

  /** @param now the clock, in milliseconds; tests replace it. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Counts an incoming frame of this size. */
  arrived(width: number, height: number): void {
    this.#size = { width, height };
    this.#arrivals.push(this.#now());
    if (this.#arrivals.length > TRIM_AT) this.#trim();
  }

  /** Counts a frame that was sent. @param frameMs its time from the decoder to the end of its swap. */
  done(frame: SwappedFrame, frameMs: number): void {
    this.#last = frame;
    this.#counts[frame.result]++;
    this.#done.push({ atMs: this.#now(), frameMs, waitMs: frame.waitMs });
    if (this.#done.length > TRIM_AT) this.#trim();
  }

  /** Adds one frame to the counts alone. */
  count(result: FrameResult): void {
    this.#counts[result]++;
  }

  /** Counts a frame that was left out because time was short. */
  miss(): void {
    this.#missed.push(this.#now());
    if (this.#missed.length > TRIM_AT) this.#trim();
  }

  /**
   * Share of the window's frames that were left out because time was short, 0..1. Frames that the plan's rate
   * excludes do not count.
   */
  get missedShare(): number {
    this.#trim();
    const missed = this.#missed.length;
    return missed === 0 ? 0 : missed / (missed + this.#done.length);
  }

  /** The last frame that was sent. */
  get last(): SwappedFrame | null {
    return this.#last;
  }

  /** Place of the last frame's plan on the ladder; 0 is full quality. */
  get level(): number {
    return this.#last?.level ?? 0;
  }

  /** The statistics in the form of the API, without the fields that only the session knows. */
  read(session: string): Omit<SessionStats, 'maxFps' | 'soundDelayMs' | 'verdict'> {
    this.#trim();
    return {
      session,
      ...this.#size,
      fpsIn: rate(this.#arrivals),
      fpsOut: rate(this.#done.map(({ atMs }) => atMs)),
      frameMs: percentiles(this.#done.map(({ frameMs }) => frameMs)),
      waitMs: percentiles(this.#done.map(({ waitMs }) => waitMs)),
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

/** Events per second between the first and the last event, to one decimal. */
function rate(times: readonly number[]): number {
  const seconds = (times.at(-1)! - times[0]!) / 1000;
  return times.length < 2 || seconds <= 0 ? 0 : Math.round((10 * (times.length - 1)) / seconds) / 10;
}

/** Median and 95th percentile. Sorts `values` in place. */
function percentiles(values: number[]): { p50: number; p95: number } {
  values.sort((a, b) => a - b);
  const at = (share: number): number =>
    rounded(values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0);
  return { p50: at(0.5), p95: at(0.95) };
}
