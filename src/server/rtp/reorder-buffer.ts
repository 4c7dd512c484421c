import type { RtpPacket } from './rtp-packet.ts';
import { Unwrapper } from './unwrapper.ts';

/** How a reorder buffer waits and asks. */
export interface ReorderOptions {
  /** How long the first packets wait for earlier ones, in milliseconds: the first to arrive need not be the first sent. */
  settleMs: number;
  /** Longest wait for a missing packet, in milliseconds; packets behind it wait as long. */
  waitMs: number;
  /** Time after which a gap is a loss and no change of order, and the first request is due, in milliseconds. */
  askAfterMs: number;
  /** Time between two requests for the same packet, in milliseconds. */
  askAgainMs: number;
}

/** Where a reorder buffer delivers to. */
export interface ReorderListener {
  /** @param isAfterLoss whether packets directly in front of this one are lost for good. */
  onPacket(packet: RtpPacket, isAfterLoss: boolean): void;
  /** Packets are missing and should be sent again. @param sequences 0..65535, ascending, at most 256. */
  onMissing(sequences: readonly number[]): void;
}

/** A jump of more packets than this is a new beginning of the sender, not a gap. */
const LONGEST_GAP = 2000;
/** Longest time between two calls that counts: the caller ticks every few milliseconds while the process runs. */
const MOST_STEP_MS = 30;
/** Most sequence numbers in one request. */
const MOST_ASKED = 256;

/**
 * Delivers the packets of one RTP stream in order and once. Packets behind a gap wait; missing ones are asked for
 * (RFC 4585, generic NACK) until they come or have been missing for too long. The caller gives the time, in milliseconds;
 * a jump of it is a pause of this process, not of the network, and counts only in part.
 */
export class ReorderBuffer {
  readonly #options: ReorderOptions;
  readonly #listener: ReorderListener;
  readonly #unwrapper = new Unwrapper(16);
  readonly #waiting = new Map<number, RtpPacket>();
  /** Missing packets in ascending order. */
  readonly #missing = new Map<number, { sinceMs: number; askedAtMs: number | null }>();
  /** Extended sequence number of the packet to deliver next; null until the first packets have settled. */
  #next: number | null = null;
  #beganAtMs: number | null = null;
  #highest = 0;
  #calledAtMs: number | null = null;
  /** Time without the pauses of this process. */
  #clockMs = 0;
  /** What came before the first packet is unknown. */
  #isAfterLoss = true;

  constructor(options: ReorderOptions, listener: ReorderListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** Number of packets that wait for an earlier one. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Takes a packet as it arrives. Late and repeated ones are dropped. */
  push(packet: RtpPacket, nowMs: number): void {
    this.#advance(nowMs);
    const at = this.#unwrapper.unwrap(packet.sequence);
    if (this.#next === null) {
      this.#beganAtMs ??= this.#clockMs;
      this.#waiting.set(at, packet);
    } else this.#accept(packet, at);
    this.tick(nowMs);
  }

  /** Gives up packets that are missing for too long and asks for the others. To be called every few milliseconds. */
  tick(nowMs: number): void {
    this.#advance(nowMs);
    if (this.#next === null) this.#settle();
    const now = this.#clockMs;
    const { waitMs, askAfterMs, askAgainMs } = this.#options;
    const asked: number[] = [];
    for (const [at, entry] of this.#missing) {
      if (now - entry.sinceMs >= waitMs) {
        this.#giveUp(at);
        continue;
      }
      const isDue = entry.askedAtMs === null ? now - entry.sinceMs >= askAfterMs : now - entry.askedAtMs >= askAgainMs;
      if (!isDue || asked.length === MOST_ASKED) continue;
      entry.askedAtMs = now;
      asked.push(at & 0xffff);
    }
    if (asked.length > 0) this.#listener.onMissing(asked);
  }

  #advance(nowMs: number): void {
    this.#clockMs += Math.min(MOST_STEP_MS, nowMs - (this.#calledAtMs ?? nowMs));
    this.#calledAtMs = nowMs;
  }

  #settle(): void {
    if (this.#beganAtMs === null || this.#clockMs - this.#beganAtMs < this.#options.settleMs) return;
    const packets = [...this.#waiting].sort(([a], [b]) => a - b);
    this.#waiting.clear();
    this.#next = packets[0]![0];
    this.#highest = this.#next - 1;
    for (const [at, packet] of packets) this.#accept(packet, at);
  }

  #accept(packet: RtpPacket, at: number): void {
    if (Math.abs(at - this.#highest) > LONGEST_GAP) this.#beginAgain(at);
    else if (at < this.#next! || this.#waiting.has(at)) return;
    for (let gap = this.#highest + 1; gap < at; gap++)
      this.#missing.set(gap, { sinceMs: this.#clockMs, askedAtMs: null });
    this.#missing.delete(at);
    this.#highest = Math.max(this.#highest, at);
    this.#waiting.set(at, packet);
    this.#deliver();
  }

  #giveUp(at: number): void {
    this.#missing.delete(at);
    if (at !== this.#next) return;
    this.#next++;
    this.#isAfterLoss = true;
    this.#deliver();
  }

  #beginAgain(at: number): void {
    this.#waiting.clear();
    this.#missing.clear();
    this.#next = at;
    this.#highest = at - 1;
    this.#isAfterLoss = true;
  }

  #deliver(): void {
    for (;;) {
      const packet = this.#waiting.get(this.#next!);
      if (packet === undefined) return;
      this.#waiting.delete(this.#next!);
      this.#next!++;
      const isAfterLoss = this.#isAfterLoss;
      this.#isAfterLoss = false;
      this.#listener.onPacket(packet, isAfterLoss);
    }
  }
}
