import { expect, test } from 'vitest';
import { randomOf } from '../../../../fuzz/mutate/random.ts';
import { isRtcp, parseRtp, writeRtp } from '../../../../src/server/rtp/rtp-packet.ts';
import { Unwrapper } from '../../../../src/server/rtp/unwrapper.ts';

const packet = {
  payloadType: 96,
  marker: true,
  sequence: 65535,
  timestamp: 4_294_967_295,
  ssrc: 3_000_000_000,
  payload: Uint8Array.of(1, 2, 3),
};

test('a written packet is read as it was', () => {
  expect(parseRtp(writeRtp(packet))).toEqual({ ...packet, payload: Buffer.from([1, 2, 3]) });
  expect(parseRtp(writeRtp({ ...packet, payload: new Uint8Array() }))!.payload).toHaveLength(0);
});

test('sources, header extensions and padding are skipped', () => {
  const plain = writeRtp(packet);
  const head = Buffer.from(plain.subarray(0, 12));
  head[0] = 0x80 | 0x20 | 0x10 | 2;
  const sources = Buffer.alloc(8, 9);
  const extension = Buffer.from([0xbe, 0xde, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8]);
  const data = Buffer.concat([head, sources, extension, Buffer.from([1, 2, 3]), Buffer.from([0, 0, 3])]);
  expect([...parseRtp(data)!.payload]).toEqual([1, 2, 3]);
});

test.each([
  ['too short', Buffer.alloc(11, 0x80)],
  ['another version', Buffer.concat([Buffer.from([0x40]), Buffer.alloc(20)])],
  ['more sources than bytes', Buffer.concat([Buffer.from([0x8f]), Buffer.alloc(20)])],
  ['an extension beyond the end', Buffer.concat([Buffer.from([0x90]), Buffer.alloc(13), Buffer.from([0xff, 0xff])])],
  ['more padding than payload', Buffer.concat([Buffer.from([0xa0]), Buffer.alloc(12), Buffer.from([99])])],
  ['padding of no bytes', Buffer.concat([Buffer.from([0xa0]), Buffer.alloc(12)])],
])('a datagram with %s is no packet', (_what, data) => {
  expect(parseRtp(data)).toBeNull();
});

test('RTCP is told from RTP by its type', () => {
  expect([191, 192, 200, 206, 223, 224].map((type) => isRtcp(Uint8Array.of(0x80, type)))).toEqual([
    false,
    true,
    true,
    true,
    true,
    false,
  ]);
  expect(isRtcp(Uint8Array.of(0x80))).toBe(false);
});

test('any bytes are read without an exception, and what is read lies inside them', () => {
  const random = randomOf(31);
  for (let i = 0; i < 20_000; i++) {
    const data = Buffer.from(Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256)));
    if (random() < 0.8 && data.length > 0) data[0] = 0x80 | (data[0]! & 0x3f);
    const read = parseRtp(data);
    if (read !== null) expect(read.payload.length).toBeLessThanOrEqual(data.length - 12);
  }
});

test('a counter goes on where it wraps, and back over the wrap', () => {
  const unwrapper = new Unwrapper(16);
  expect([65534, 65535, 0, 1, 65535, 2].map((value) => unwrapper.unwrap(value))).toEqual([
    65534, 65535, 65536, 65537, 65535, 65538,
  ]);
  const wide = new Unwrapper(32);
  expect([0xffffffff, 5].map((value) => wide.unwrap(value))).toEqual([0xffffffff, 0x100000005]);
});
