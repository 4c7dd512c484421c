/** H.264 in RTP: cutting into packets, putting together again, and the way of a stream with losses. */

import { describe, expect, test } from 'vitest';
import { randomOf } from '../../../../fuzz/mutate/random.ts';
import {
  type AccessUnit,
  H264Depacketizer,
  nalUnitsOf,
  parameterSetsOf,
} from '../../../../src/server/rtp/h264-depacketizer.ts';
import { packetizeH264 } from '../../../../src/server/rtp/h264-packetizer.ts';
import { PictureReceiver } from '../../../../src/server/rtp/picture-receiver.ts';
import { recoveryFramesOf } from '../../../../src/server/rtp/recovery-point.ts';
import type { RtpPacket } from '../../../../src/server/rtp/rtp-packet.ts';

const START = [0, 0, 0, 1];
/** A NAL unit of a type; its bytes hold no start code and no zero at the end. */
const nal = (type: number, bytes: number, fill = 7): number[] => [0x60 | type, ...Array(bytes - 1).fill(fill)];
const annexB = (...units: number[][]): Buffer => Buffer.from(units.flatMap((unit) => [...START, ...unit]));
const KEY = annexB(nal(7, 10), nal(8, 4), nal(5, 5000));
const DELTA = annexB(nal(1, 3000), nal(1, 900));

interface Sent extends RtpPacket {
  unit: number;
}

/** A stream of pictures as packets: a keyframe every `period` pictures. */
function stream(count: number, period: number): Sent[] {
  let sequence = 65_500;
  return Array.from({ length: count }, (_, unit) => {
    const payloads = packetizeH264(unit % period === 0 ? KEY : DELTA);
    return payloads.map((payload, i) => ({
      payloadType: 96,
      marker: i === payloads.length - 1,
      sequence: sequence++ & 0xffff,
      timestamp: 3000 * unit,
      ssrc: 1,
      payload,
      unit,
    }));
  }).flat();
}

function depacketize(packets: readonly RtpPacket[]): AccessUnit[] {
  const units: AccessUnit[] = [];
  const depacketizer = new H264Depacketizer((unit) => units.push(unit));
  for (const packet of packets) depacketizer.push(packet, false);
  return units;
}

const rtp = (payload: readonly number[], timestamp = 0, marker = true): RtpPacket => ({
  payloadType: 96,
  marker,
  sequence: 0,
  timestamp,
  ssrc: 1,
  payload: Uint8Array.from(payload),
});

describe('packets of H.264', () => {
  test('NAL units are found behind start codes of three and four bytes', () => {
    const units = nalUnitsOf(Buffer.from([0, 0, 0, 1, 9, 16, 0, 0, 1, 7, 1, 0, 0, 0, 1, 5, 2, 3, 0]));
    expect(units.map((unit) => [...unit])).toEqual([
      [9, 16],
      [7, 1],
      [5, 2, 3],
    ]);
    expect(nalUnitsOf(Buffer.from([1, 2, 3]))).toEqual([]);
  });

  test('parameter sets share a packet, and a large slice is cut into packets of about one size', () => {
    const payloads = packetizeH264(KEY);
    expect(payloads[0]![0]! & 31).toBe(24);
    expect(payloads.slice(1).map(([indicator]) => indicator! & 31)).toEqual(Array(5).fill(28));
    expect(Math.max(...payloads.map(({ length }) => length))).toBeLessThanOrEqual(1180);
    expect(Math.min(...payloads.slice(1).map(({ length }) => length))).toBeGreaterThan(990);
  });

  test('a picture comes out of its packets as it went in, whatever the sizes', () => {
    const random = randomOf(3);
    for (let run = 0; run < 500; run++) {
      const units = Array.from({ length: 1 + Math.floor(random() * 6) }, () =>
        nal(1 + Math.floor(random() * 12), 2 + Math.floor(random() * (random() < 0.5 ? 60 : 6000))),
      );
      units.push(nal(1, 9));
      const payloads = packetizeH264(annexB(...units), 100 + Math.floor(random() * 1300));
      const [unit] = depacketize(payloads.map((payload, i) => rtp([...payload], 5, i === payloads.length - 1)));
      expect(unit!.isDamaged).toBe(false);
      expect(unit!.data.equals(annexB(...units))).toBe(true);
      expect(unit!.isKeyframe).toBe(units.some(([first]) => (first! & 31) === 5));
    }
  });

  test('a picture ends where the timestamp changes, if its marker did not come', () => {
    const units = depacketize([rtp(nal(1, 5), 1, false), rtp(nal(1, 6), 2, false), rtp(nal(1, 7), 3)]);
    expect(units.map(({ timestamp, data }) => [timestamp, data.length])).toEqual([
      [1, 9],
      [2, 10],
      [3, 11],
    ]);
  });

  test('what comes without a picture belongs to the next one, whatever its marker and timestamp', () => {
    const alone = depacketize([rtp(nal(7, 10), 1), rtp(nal(8, 4), 2), rtp(nal(6, 5), 3), rtp(nal(5, 20), 4)]);
    expect(
      alone.map(({ timestamp, data }) => [
        timestamp,
        data.equals(annexB(nal(7, 10), nal(8, 4), nal(6, 5), nal(5, 20))),
      ]),
    ).toEqual([[4, true]]);
    expect(alone[0]!.sets.equals(annexB(nal(7, 10), nal(8, 4)))).toBe(true);
    expect(depacketize([rtp(nal(7, 10)), rtp(nal(9, 2))])).toEqual([]);
  });

  test('parameter sets of a picture that is given up are kept', () => {
    const [unit] = depacketize([rtp(nal(7, 10), 1, false), rtp(nal(8, 4), 1, false), rtp([0x7c, 0x85, 1], 1, true)]);
    expect([unit!.isDamaged, unit!.sets.equals(annexB(nal(7, 10), nal(8, 4)))]).toEqual([true, true]);
    const many = depacketize([...Array.from({ length: 500 }, () => rtp(nal(7, 100), 1, false)), rtp([0x7c], 1)]);
    expect(many[0]!.sets.length).toBeLessThan(8000);
  });

  test('a marker in the middle of a picture is the last one that counts', () => {
    const first = nal(1, 9, 0x88);
    const further = nal(1, 9, 0x48);
    const units = depacketize([1, 2, 3].flatMap((at) => [rtp(first, at), rtp(further, at), rtp(further, at)]));
    expect(units.map(({ timestamp, isDamaged }) => [timestamp, isDamaged])).toEqual([
      [1, false],
      [1, true],
      [2, false],
    ]);
    expect(units.at(-1)!.data.equals(annexB(first, further, further))).toBe(true);
    // Two pictures of one timestamp are no reason: both begin with their first macroblock.
    expect(depacketize([rtp(first, 1), rtp(first, 1), rtp(first, 2)])).toHaveLength(3);
  });

  test.each([
    [[6, 6, 1, 0xc4, 0x80], 0],
    [[6, 6, 1, 0x24, 0x80], 3],
    // Behind a message of another type, with a byte that keeps a start code from occurring in it.
    [[6, 5, 4, 0, 0, 3, 1, 9, 6, 2, 0x0a, 0x60, 0x80], 19],
    [[6, 5, 1, 1, 0x80], null],
    [[6, 6, 9, 1], null],
    [[6, 6, 4, 0, 0, 0x80, 0, 0x80], null],
    [[6, 255, 255], null],
    [[6], null],
  ])('SEI of the bytes %j has its recovery point after %s pictures', (bytes, frames) => {
    expect(recoveryFramesOf(Uint8Array.from(bytes))).toBe(frames);
    expect(depacketize([rtp(bytes, 1, false), rtp(nal(1, 9), 1)])[0]!.recoveryFrames).toBe(frames);
  });

  test.each([
    ['a fragment without its beginning', [[0x7c, 0x05, 1, 2]]],
    ['a fragment that never ends', [[0x7c, 0x85, 1, 2]]],
    [
      'a fragment that begins twice',
      [
        [0x7c, 0x85, 1, 2],
        [0x7c, 0x85, 1, 2],
        [0x7c, 0x45, 1, 2],
      ],
    ],
    ['a fragment of one byte', [[0x7c]]],
    ['another unit inside of fragments', [[0x7c, 0x85, 1, 2], nal(1, 5), [0x7c, 0x45, 1]]],
    ['an aggregate that ends early', [[0x78, 0, 9, 1]]],
    ['an aggregate of nothing', [[0x78, 0, 0]]],
    ['an unknown packet type', [[0x60 | 29, 1, 2, 3]]],
  ])('%s is a damaged picture', (_what, payloads) => {
    const units = depacketize(payloads.map((payload, i) => rtp(payload, 0, i === payloads.length - 1)));
    expect(units.map(({ isDamaged, data }) => [isDamaged, data.length])).toEqual([[true, 0]]);
    // What follows is not touched by it.
  });

  test('a picture larger than any codec level allows is given up', () => {
    const depacketizer = new H264Depacketizer((unit) => expect(unit.isDamaged).toBe(true));
    const part = Buffer.alloc(65_000, 1);
    depacketizer.push(rtp([0x7c, 0x85, 1], 0, false), false);
    part[0] = 0x7c;
    part[1] = 5;
    for (let i = 0; i < 100; i++) depacketizer.push({ ...rtp([], 0, false), payload: part }, false);
    depacketizer.push(rtp([0x7c, 0x45, 1]), false);
    expect.assertions(1);
  });

  test('parameter sets are read from the session description', () => {
    const fmtp = 'packetization-mode=1;profile-level-id=42c01f;sprop-parameter-sets=Z0LAH9oBQBbpqA==,aM48gA==';
    expect(nalUnitsOf(parameterSetsOf(fmtp)).map(([first]) => first! & 31)).toEqual([7, 8]);
    expect(parameterSetsOf('packetization-mode=1')).toHaveLength(0);
    expect(parameterSetsOf('sprop-parameter-sets=QQ==')).toHaveLength(0);
  });

  test('survives any payloads, and what it lets through is made of them', () => {
    const random = randomOf(13);
    let bytes = 0;
    let out = 0;
    const depacketizer = new H264Depacketizer((unit) => {
      out += unit.data.length;
    });
    for (let i = 0; i < 30_000; i++) {
      const payload = Array.from({ length: Math.floor(random() * 30) }, () => Math.floor(random() * 256));
      if (random() < 0.7 && payload.length > 0) payload[0] = [0x65, 0x78, 0x7c, 0x7c][Math.floor(random() * 4)]!;
      bytes += payload.length;
      depacketizer.push(rtp(payload, Math.floor(i / 4), random() < 0.2), random() < 0.05);
    }
    expect(out).toBeGreaterThan(1000);
    expect(out).toBeLessThan(4 * bytes);
  });
});

describe('a received stream of pictures', () => {
  /** Plays packets with their times; returns the pictures that reach the decoder and what was asked for. */
  function receive(arrivals: readonly { packet: Sent; atMs: number }[]) {
    const units: number[] = [];
    const keyframesMs: number[] = [];
    const missing: number[] = [];
    let nowMs = 0;
    const receiver = new PictureReceiver({
      onUnit: ({ timestamp, data }) => {
        const unit = timestamp / 3000;
        expect(data.equals(unit % 30 === 0 ? KEY : DELTA)).toBe(true);
        units.push(unit);
      },
      onSets: () => undefined,
      onMissing: (sequences) => missing.push(...sequences),
      onKeyframeNeeded: () => keyframesMs.push(nowMs),
    });
    for (const { packet, atMs } of arrivals) {
      for (; nowMs < atMs; nowMs += 10) receiver.tick(nowMs);
      receiver.push(packet, atMs);
    }
    for (const end = nowMs + 1000; nowMs < end; nowMs += 10) receiver.tick(nowMs);
    return { units, keyframesMs, missing, receiver };
  }
  const inTime = (packets: readonly Sent[]) => packets.map((packet) => ({ packet, atMs: 33 * packet.unit }));

  test('without a loss comes whole, from its first picture on', () => {
    const { units, keyframesMs } = receive(inTime(stream(90, 30)));
    expect(units).toEqual(Array.from({ length: 90 }, (_, i) => i));
    expect(keyframesMs).toEqual([]);
  });

  test('that begins in the middle waits for a keyframe, and asks for it', () => {
    const { units, keyframesMs } = receive(inTime(stream(90, 30).filter(({ unit }) => unit > 4)));
    expect(units[0]).toBe(30);
    expect(units).toHaveLength(60);
    expect(keyframesMs.length).toBeGreaterThan(0);
  });

  test('that begins in the middle of a keyframe waits for the next one', () => {
    const { units } = receive(inTime(stream(60, 30).slice(2)));
    expect(units[0]).toBe(30);
  });

  test.each(['first', 'middle', 'last', 'all'] as const)(
    'shows nothing between a loss of the %s packets of a picture and the next keyframe',
    (which) => {
      const of = stream(60, 30);
      const picture = of.filter(({ unit }) => unit === 10);
      const lost = {
        first: picture.slice(0, 1),
        middle: picture.slice(1, 2),
        last: picture.slice(-1),
        all: picture,
      }[which];
      const { units, keyframesMs, missing } = receive(inTime(of.filter((packet) => !lost.includes(packet))));
      expect(units).toEqual(Array.from({ length: 60 }, (_, i) => i).filter((unit) => unit < 10 || unit >= 30));
      expect(new Set(missing)).toEqual(new Set(lost.map(({ sequence }) => sequence)));
      expect(keyframesMs.length).toBeGreaterThan(0);
      for (const [i, atMs] of keyframesMs.slice(1).entries())
        expect(atMs - keyframesMs[i]!).toBeGreaterThanOrEqual(500);
    },
  );

  test('comes whole where lost packets are sent again in time', () => {
    const random = randomOf(9);
    const packets = stream(90, 30);
    const arrivals = packets.map((packet, i) => {
      const isLost = i > 0 && random() < 0.1;
      return { packet, atMs: 33 * packet.unit + (isLost ? 120 : random() * 30) };
    });
    const { units, missing } = receive(arrivals.sort((a, b) => a.atMs - b.atMs));
    expect(units).toEqual(Array.from({ length: 90 }, (_, i) => i));
    expect(missing.length).toBeGreaterThan(10);
  });

  test('never shows a picture that is not whole, or one behind a loss, whatever is lost', () => {
    const random = randomOf(21);
    for (let run = 0; run < 100; run++) {
      const packets = stream(90, 30);
      const lost = new Set(packets.filter(() => random() < 0.02));
      const whole = (unit: number): boolean => !packets.some((packet) => packet.unit === unit && lost.has(packet));
      const { units } = receive(inTime(packets.filter((packet) => !lost.has(packet))));
      for (const unit of units) for (let at = unit - (unit % 30); at <= unit; at++) expect(whole(at)).toBe(true);
      expect(units).toEqual([...new Set(units)].sort((a, b) => a - b));
    }
  });

  test('waits for a keyframe after a picture that could not be decoded', () => {
    const units: number[] = [];
    let asked = 0;
    const receiver = new PictureReceiver({
      onUnit: ({ timestamp }) => units.push(timestamp / 3000),
      onSets: () => undefined,
      onMissing: () => undefined,
      onKeyframeNeeded: () => asked++,
    });
    for (const packet of stream(60, 30)) {
      if (packet.unit === 5 && units.at(-1) === 4) receiver.waitForKeyframe(33 * 5);
      receiver.push(packet, 33 * packet.unit);
    }
    expect(units.slice(0, 6)).toEqual([0, 1, 2, 3, 4, 30]);
    expect(asked).toBe(2);
  });
});
