import type { Traffic } from '../../shared/traffic.ts';
import type { ReportBlock } from './rtcp.ts';
import { Unwrapper } from './unwrapper.ts';

/** Reception statistics of one RTP stream (RFC 3550, appendices A.3 and A.8). */
export class Reception {
  readonly #ssrc: number;
  readonly #clockRate: number;
  readonly #unwrapper = new Unwrapper(16);
  #first: number | null = null;
  #highest = 0;
  #received = 0;
  #jitter = 0;
  #transitMs: number | null = null;
  #lastTimestamp = 0;
  #reported = { expected: 0, received: 0 };
  #asked = { expected: 0, received: 0 };
  #report: { ntpMiddle: number; atMs: number } | null = null;

  /** @param clockRate ticks of the stream's clock in a second. */
  constructor(ssrc: number, clockRate: number) {
    this.#ssrc = ssrc;
    this.#clockRate = clockRate;
  }

  /** Counts a packet, repeated ones included. */
  add({ sequence, timestamp }: { sequence: number; timestamp: number }, nowMs: number): void {
    const extended = this.#unwrapper.unwrap(sequence);
    this.#first ??= extended;
    this.#highest = this.#received === 0 ? extended : Math.max(this.#highest, extended);
    this.#received++;
    const ticks = (timestamp - this.#lastTimestamp) | 0;
    if (this.#transitMs !== null) {
      const differenceMs = Math.abs(nowMs - this.#transitMs - (1000 * ticks) / this.#clockRate);
      this.#jitter += ((differenceMs * this.#clockRate) / 1000 - this.#jitter) / 16;
    }
    this.#transitMs = nowMs;
    this.#lastTimestamp = timestamp;
  }

  /** Notes the other side's last report. */
  addReport(ntpMiddle: number, nowMs: number): void {
    this.#report = { ntpMiddle, atMs: nowMs };
  }

  /** The report for the sender; its share of lost packets is that since the last call. */
  block(nowMs: number): ReportBlock {
    const now = this.#counts();
    const share = lostShare(now, this.#reported);
    this.#reported = now;
    return {
      ssrc: this.#ssrc,
      fractionLost: share,
      lost: now.expected - now.received,
      highest: this.#highest % 2 ** 32,
      jitter: Math.round(this.#jitter),
      lastReport: this.#report?.ntpMiddle ?? 0,
      sinceReport: this.#report === null ? 0 : Math.round((65536 * (nowMs - this.#report.atMs)) / 1000),
    };
  }

  /** Loss and jitter since the last call; null if fewer than `fewest` packets were expected. */
  traffic(fewest: number): Omit<Traffic, 'lostOut'> | null {
    const now = this.#counts();
    const expected = now.expected - this.#asked.expected;
    const lostIn = lostShare(now, this.#asked);
    this.#asked = now;
    return expected < fewest ? null : { lostIn, jitterMs: (1000 * this.#jitter) / this.#clockRate };
  }

  #counts(): { expected: number; received: number } {
    return { expected: this.#first === null ? 0 : this.#highest - this.#first + 1, received: this.#received };
  }
}

interface Counts {
  expected: number;
  received: number;
}

function lostShare(now: Counts, before: Counts): number {
  const expected = now.expected - before.expected;
  const lost = expected - (now.received - before.received);
  return expected <= 0 ? 0 : Math.max(0, lost / expected);
}
