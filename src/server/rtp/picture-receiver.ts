import { type AccessUnit, H264Depacketizer } from './h264-depacketizer.ts';
import { KeyframeGate } from './keyframe-gate.ts';
import { ReorderBuffer } from './reorder-buffer.ts';
import type { RtpPacket } from './rtp-packet.ts';

/** What a receiver of pictures delivers and asks for. */
export interface PictureListener {
  /**
   * Gets each picture that can be decoded.
   * @param arrivedAtMs when its first packet came.
   * @param restarts whether the decoder must forget what came before: this is a keyframe behind a gap, or it depends on
   * lost pictures up to its recovery point, before which nothing must be shown.
   */
  onUnit(unit: AccessUnit, arrivedAtMs: number, restarts: boolean): void;
  /** Gets the parameter sets of pictures that cannot be decoded, Annex B: later pictures may need them. */
  onSets(sets: Buffer): void;
  /** Packets to be sent again. */
  onMissing(sequences: readonly number[]): void;
  /** A keyframe is needed; called at most twice a second. */
  onKeyframeNeeded(): void;
}

const REORDER = { settleMs: 30, waitMs: 200, askAfterMs: 10, askAgainMs: 35 };

/**
 * The way of a received H.264 stream up to the decoder: order, pictures, and nothing from a loss up to the next keyframe.
 * The caller gives the time, in milliseconds.
 */
export class PictureReceiver {
  readonly #reorder: ReorderBuffer;
  readonly #depacketizer: H264Depacketizer;
  readonly #gate: KeyframeGate;
  /** When the first packet of each timestamp came; those of pictures not yet put together. */
  readonly #arrivals = new Map<number, number>();
  #nowMs = 0;

  constructor(listener: PictureListener) {
    this.#gate = new KeyframeGate(() => listener.onKeyframeNeeded());
    this.#depacketizer = new H264Depacketizer((unit) => {
      const arrivedAtMs = this.#arrivals.get(unit.timestamp) ?? this.#nowMs;
      this.#arrivals.delete(unit.timestamp);
      const passage = this.#gate.passage(unit, this.#nowMs);
      if (passage !== 'drop') listener.onUnit(unit, arrivedAtMs, passage === 'restart');
      else if (unit.sets.length > 0) listener.onSets(unit.sets);
    });
    this.#reorder = new ReorderBuffer(REORDER, {
      onPacket: (packet, isAfterLoss) => this.#depacketizer.push(packet, isAfterLoss),
      onMissing: (sequences) => listener.onMissing(sequences),
    });
  }

  /** Takes a packet as it arrives. */
  push(packet: RtpPacket, nowMs: number): void {
    this.#nowMs = nowMs;
    if (!this.#arrivals.has(packet.timestamp)) this.#note(packet.timestamp, nowMs);
    this.#reorder.push(packet, nowMs);
  }

  /** To be called every few milliseconds. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#reorder.tick(nowMs);
  }

  /** Pictures after this do not count until a keyframe: one could not be decoded. */
  waitForKeyframe(nowMs: number): void {
    this.#gate.close(nowMs);
  }

  #note(timestamp: number, nowMs: number): void {
    this.#arrivals.set(timestamp, nowMs);
    // Timestamps of lost or late packets never come up again.
    const [oldest] = this.#arrivals.keys();
    if (this.#arrivals.size > MOST_ARRIVALS) this.#arrivals.delete(oldest!);
  }
}

/** More pictures than can be under way within the wait for a packet. */
const MOST_ARRIVALS = 64;
