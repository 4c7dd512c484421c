import type { Sound } from '../../media/sound.ts';
import { ReorderBuffer } from '../rtp/reorder-buffer.ts';
import type { RtpPacket } from '../rtp/rtp-packet.ts';
import { PIECE_SAMPLES, pieceOf } from './codec/opus.ts';

/** Decodes one packet; null for bytes that are none. */
export interface SoundDecoder {
  readonly channels: number;
  decode(payload: Uint8Array): Int16Array<ArrayBuffer> | null;
}

/**
 * Sound is not asked for again: what comes later than this is missing. What follows a gap is late by as much, which must
 * stay below the 40 ms from which a recording moves it.
 */
const REORDER = {
  settleMs: 20,
  waitMs: 35,
  askAfterMs: Number.POSITIVE_INFINITY,
  askAgainMs: Number.POSITIVE_INFINITY,
};
/** Gaps up to this are filled, in pieces; a longer one is a pause of the sender (DTX). */
const MOST_FILLED = 12;

/**
 * The way of a received Opus stream: order, decoding, pieces of ten milliseconds. What is lost is replaced by the last
 * piece fading out, then silence, so that the sound stays as long as it was. The caller gives the time, in milliseconds.
 */
export class SoundReceiver {
  readonly #decoder: SoundDecoder;
  readonly #onSound: (sound: Sound) => void;
  readonly #reorder: ReorderBuffer;
  #rest: Int16Array<ArrayBuffer> = new Int16Array();
  #last: Int16Array<ArrayBuffer> | null = null;
  /** Timestamp that follows the last packet. */
  #next: number | null = null;

  constructor(decoder: SoundDecoder, onSound: (sound: Sound) => void) {
    this.#decoder = decoder;
    this.#onSound = onSound;
    this.#reorder = new ReorderBuffer(REORDER, {
      onPacket: (packet) => this.#add(packet),
      onMissing: () => undefined,
    });
  }

  /** Takes a packet as it arrives. */
  push(packet: RtpPacket, nowMs: number): void {
    this.#reorder.push(packet, nowMs);
  }

  /** To be called every few milliseconds. */
  tick(nowMs: number): void {
    this.#reorder.tick(nowMs);
  }

  #add({ payload, timestamp }: RtpPacket): void {
    const samples = this.#decoder.decode(payload);
    if (samples === null) return;
    const missing = this.#next === null ? 0 : Math.round(((timestamp - this.#next) | 0) / PIECE_SAMPLES);
    if (missing > 0 && missing <= MOST_FILLED) this.#fill(missing);
    this.#next = (timestamp + samples.length / this.#decoder.channels) >>> 0;
    this.#deliver(samples);
  }

  #fill(pieces: number): void {
    const { channels } = this.#decoder;
    const length = PIECE_SAMPLES * channels;
    for (let i = 0; i < pieces; i++) {
      const from = i === 0 ? this.#last : null;
      const fade = (at: number): number => 1 - Math.floor(at / channels) / PIECE_SAMPLES;
      this.#deliver(Int16Array.from({ length }, (_, at) => (from?.[at] ?? 0) * fade(at)));
    }
  }

  /** Cuts samples into pieces; a rest waits for what follows. */
  #deliver(samples: Int16Array<ArrayBuffer>): void {
    const { channels } = this.#decoder;
    const length = PIECE_SAMPLES * channels;
    const all = new Int16Array(this.#rest.length + samples.length);
    all.set(this.#rest);
    all.set(samples, this.#rest.length);
    let at = 0;
    for (; at + length <= all.length; at += length) {
      this.#last = all.slice(at, at + length);
      this.#onSound(pieceOf(this.#last, channels));
    }
    this.#rest = all.slice(at);
  }
}
