import { describe, expect, test } from 'vitest';
import { randomOf } from '../../../../fuzz/mutate/random.ts';
import { loudness, type Sound } from '../../../../src/media/sound.ts';
import { SoundReceiver } from '../../../../src/server/h264/sound-receiver.ts';

/** Decodes a payload of one byte to that many milliseconds of loud sound; 255 is no sound. */
const decoder = {
  channels: 2,
  decode: ([ms = 0]: Uint8Array) => (ms === 255 ? null : new Int16Array(2 * 48 * ms).fill(10_000)),
};

function build() {
  const pieces: Sound[] = [];
  const receiver = new SoundReceiver(decoder, (sound) => pieces.push(sound));
  const push = (n: number, nowMs = 1000 + 20 * n, ms = 20) =>
    receiver.push(
      { payloadType: 111, marker: false, sequence: n, timestamp: 960 * n, ssrc: 1, payload: Uint8Array.of(ms) },
      nowMs,
    );
  return { pieces, receiver, push };
}
/** The loudness of each piece, in tenths. */
const levels = (pieces: readonly Sound[]): number[] => pieces.map((piece) => Math.round(10 * loudness(piece)));

describe('received sound', () => {
  test('comes in pieces of ten milliseconds', () => {
    const { pieces, push } = build();
    for (let n = 0; n < 5; n++) push(n);
    expect(pieces).toHaveLength(10);
    for (const { samples, sampleRate, channelCount, numberOfFrames } of pieces) {
      expect([samples.length, sampleRate, channelCount, numberOfFrames]).toEqual([960, 48_000, 2, 480]);
    }
  });

  test('is in order, and a lost packet fades out and is as long as it was', () => {
    const { pieces, receiver, push } = build();
    for (const n of [0, 1, 3, 2, 4, 6, 7]) push(n);
    expect(pieces).toHaveLength(10);
    for (let nowMs = 1140; nowMs < 1300; nowMs += 10) receiver.tick(nowMs);
    expect(pieces).toHaveLength(16);
    const [before, fading, silent, after] = levels(pieces).slice(9, 13);
    expect([before, silent, after]).toEqual([3, 0, 3]);
    expect(fading).toBeGreaterThan(0);
    expect(fading).toBeLessThan(3);
  });

  test('is not filled where the sender paused', () => {
    const { pieces, receiver, push } = build();
    push(0);
    push(1);
    receiver.push(
      { payloadType: 111, marker: true, sequence: 2, timestamp: 480_000, ssrc: 1, payload: Uint8Array.of(20) },
      11_000,
    );
    expect(pieces).toHaveLength(6);
  });

  test('may come in packets of any length, and bytes that are no sound are left out', () => {
    const { pieces, push } = build();
    for (const [n, ms] of [20, 5, 5, 60, 255].entries()) push(n, 1000 + 20 * n, ms);
    expect(pieces.length).toBeGreaterThanOrEqual(9);
    expect(new Set(pieces.map(({ samples }) => samples.length))).toEqual(new Set([960]));
  });

  test('survives any packets', () => {
    const random = randomOf(8);
    const { pieces, receiver } = build();
    for (let i = 0; i < 5000; i++) {
      receiver.push(
        {
          payloadType: 111,
          marker: false,
          sequence: Math.floor(random() * (random() < 0.9 ? 20 : 65536)) + (Math.floor(i / 10) % 60_000),
          timestamp: Math.floor(random() * 2 ** 32),
          ssrc: 1,
          payload: Uint8Array.of(Math.floor(random() * 30)),
        },
        5 * i,
      );
    }
    expect(pieces.length).toBeGreaterThan(100);
  });
});
