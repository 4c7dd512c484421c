import { describe, expect, test } from 'vitest';
import { randomOf } from '../../../../fuzz/mutate/random.ts';
import { ReorderBuffer } from '../../../../src/server/rtp/reorder-buffer.ts';
import type { RtpPacket } from '../../../../src/server/rtp/rtp-packet.ts';

const packet = (sequence: number): RtpPacket => ({
  payloadType: 96,
  marker: false,
  sequence: sequence & 0xffff,
  timestamp: sequence,
  ssrc: 1,
  payload: Uint8Array.of(1),
});

/** A buffer with what it delivered; `!` stands where something was lost. */
function build(settleMs = 0) {
  const delivered: string[] = [];
  const asked: number[][] = [];
  let nowMs = 0;
  const inner = new ReorderBuffer(
    { settleMs, waitMs: 200, askAfterMs: 10, askAgainMs: 50 },
    {
      onPacket: ({ sequence }, isAfterLoss) => delivered.push(`${isAfterLoss ? '!' : ''}${sequence}`),
      onMissing: (sequences) => asked.push([...sequences]),
    },
  );
  /** Ticks every millisecond up to a time, as the caller does while the process runs. */
  const tick = (untilMs: number): void => {
    while (nowMs + 1 <= untilMs) inner.tick(++nowMs);
    nowMs = untilMs;
    inner.tick(nowMs);
  };
  const buffer = {
    tick,
    push: (one: RtpPacket, atMs: number): void => {
      if (atMs > nowMs) tick(atMs);
      inner.push(one, atMs);
    },
    get size() {
      return inner.size;
    },
  };
  return { buffer, inner, delivered, asked };
}

describe('a reorder buffer', () => {
  test('delivers packets in order at once, over the wrap too', () => {
    const { buffer, delivered } = build();
    for (const at of [65534, 65535, 65536, 65537]) buffer.push(packet(at), 0);
    expect(delivered).toEqual(['!65534', '65535', '0', '1']);
  });

  test('puts packets into order, and drops repeated and late ones', () => {
    const { buffer, delivered, asked } = build();
    for (const at of [10, 12, 12, 11, 10, 13, 9]) buffer.push(packet(at), 0);
    expect(delivered).toEqual(['!10', '11', '12', '13']);
    expect(asked).toEqual([]);
    expect(buffer.size).toBe(0);
  });

  test('lets the first packets settle, because the first to arrive need not be the first', () => {
    const { buffer, delivered, asked } = build(30);
    for (const [at, nowMs] of [
      [65537, 0],
      [65535, 10],
      [65536, 20],
      [65539, 25],
    ] as const)
      buffer.push(packet(at), nowMs);
    buffer.tick(29);
    expect(delivered).toEqual([]);
    buffer.tick(30);
    expect(delivered).toEqual(['!65535', '0', '1']);
    buffer.push(packet(65538), 31);
    buffer.tick(100);
    expect(delivered).toEqual(['!65535', '0', '1', '2', '3']);
    expect(asked).toEqual([]);
  });

  test('asks for a missing packet after 10 ms, and again every 50 ms, until it comes', () => {
    const { buffer, delivered, asked } = build();
    buffer.push(packet(1), 0);
    buffer.push(packet(4), 0);
    buffer.tick(9);
    expect(asked).toEqual([]);
    for (const nowMs of [10, 20, 59, 60]) buffer.tick(nowMs);
    expect(asked).toEqual([
      [2, 3],
      [2, 3],
    ]);
    buffer.push(packet(3), 70);
    buffer.tick(110);
    expect(asked.at(-1)).toEqual([2]);
    buffer.push(packet(2), 120);
    expect(delivered).toEqual(['!1', '2', '3', '4']);
  });

  test('does not take a pause of this process for a loss', () => {
    const { inner, delivered } = build();
    inner.push(packet(1), 0);
    inner.push(packet(3), 0);
    // Half a second later the packets that came meanwhile are read, but the timer comes first.
    inner.tick(500);
    inner.push(packet(2), 501);
    expect(delivered).toEqual(['!1', '2', '3']);
  });

  test('gives a packet up after its time, and says so with the next one', () => {
    const { buffer, delivered } = build();
    buffer.push(packet(1), 0);
    buffer.push(packet(3), 0);
    buffer.push(packet(6), 100);
    buffer.tick(199);
    expect(delivered).toEqual(['!1']);
    buffer.tick(200);
    expect(delivered).toEqual(['!1', '!3']);
    buffer.push(packet(2), 201);
    buffer.tick(300);
    expect(delivered).toEqual(['!1', '!3', '!6']);
  });

  test('takes a jump of thousands as a new beginning', () => {
    const { buffer, delivered, asked } = build();
    buffer.push(packet(1), 0);
    buffer.push(packet(3), 0);
    buffer.push(packet(30_000), 5);
    buffer.push(packet(30_001), 6);
    buffer.tick(500);
    expect(delivered).toEqual(['!1', '!30000', '30001']);
    expect(asked).toEqual([]);
  });

  test('delivers every packet of a shuffled stream that comes in time, in order, and holds nothing in the end', () => {
    const random = randomOf(5);
    for (let run = 0; run < 200; run++) {
      const { buffer, delivered } = build();
      const first = Math.floor(random() * 65536);
      const sent = Array.from({ length: 300 }, (_, i) => ({ at: first + i, dueMs: 3 * i + random() * 100 }));
      const lost = new Set(sent.filter((_, i) => i > 0 && random() < 0.05).map(({ at }) => at));
      sent[0]!.dueMs = 0;
      for (const { at, dueMs } of sent.filter(({ at }) => !lost.has(at)).sort((a, b) => a.dueMs - b.dueMs))
        buffer.push(packet(at), dueMs);
      buffer.tick(10_000);
      const whole = sent.filter(({ at }) => !lost.has(at));
      expect(delivered.map((text) => Number(text.replace('!', '')))).toEqual(whole.map(({ at }) => at & 0xffff));
      expect(delivered.map((text) => text.startsWith('!'))).toEqual(
        whole.map(({ at }, i) => i === 0 || lost.has(at - 1)),
      );
      expect(buffer.size).toBe(0);
    }
  });

  test('survives any sequence of packets and times, and never delivers one twice or out of order', () => {
    const random = randomOf(77);
    const { inner: buffer, delivered } = build();
    let nowMs = 0;
    let at = 0;
    for (let i = 0; i < 50_000; i++) {
      nowMs += random() * 4;
      const kind = random();
      at = kind < 0.9 ? at + Math.floor(random() * 5) - 1 : kind < 0.99 ? at + 50 : Math.floor(random() * 65536);
      buffer.push(packet(at), nowMs);
      if (random() < 0.3) buffer.tick(nowMs);
      expect(buffer.size).toBeLessThan(2100);
    }
    const steps = delivered.slice(1).map((text, i) => {
      const step = (Number(text.replace('!', '')) - Number(delivered[i]!.replace('!', '')) + 65536) % 65536;
      return text.startsWith('!') || step === 1;
    });
    expect(steps.every(Boolean)).toBe(true);
  });
});
