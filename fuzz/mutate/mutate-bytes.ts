/** Binary inputs with one to six things wrong. */

import type { Random } from './random.ts';

/** Numbers at the edges of what fields of one, two, four and eight bytes hold. */
const EDGES = [0, 1, 2, 7, 8, 15, 16, 63, 64, 127, 128, 255, 256, 1000, 0x7fff, 0x8000, 0xffff, 0x10000, 0xffffff];
const LARGE = [0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
/** Longest input that is made. */
const MOST_BYTES = 1 << 20;

/**
 * One of the samples, changed: bits flipped, fields replaced by edge values, ranges deleted, doubled, swapped or taken
 * from another sample, cut short. @param times most changes.
 */
export function mutatedBytes(samples: readonly Uint8Array[], random: Random, times = 6): Buffer {
  let bytes: Buffer = Buffer.from(random.one(samples));
  for (let left = 1 + random.below(times); left > 0; left--) bytes = changed(bytes, samples, random);
  return bytes.subarray(0, MOST_BYTES);
}

function changed(bytes: Buffer, samples: readonly Uint8Array[], random: Random): Buffer {
  // Headers are at the beginning, so half of the changes are.
  const at = random.chance(0.5) ? random.below(Math.min(64, bytes.length)) : random.below(bytes.length);
  const length = random.below(random.one([4, 16, 64, 1024]));
  const range = bytes.subarray(at, at + length);
  const without = (): Buffer[] => [bytes.subarray(0, at), bytes.subarray(at + length)];
  switch (random.below(10)) {
    case 0: {
      if (bytes.length > 0) bytes[at]! ^= 1 << random.below(8);
      return bytes;
    }
    case 1: {
      if (bytes.length > 0) bytes[at] = random.one(EDGES) & 255;
      return bytes;
    }
    case 2: {
      return withNumber(bytes, at, random);
    }
    case 3: {
      return Buffer.concat(without());
    }
    case 4: {
      return Buffer.concat([bytes.subarray(0, at), range, bytes.subarray(at)]);
    }
    case 5: {
      return Buffer.concat([bytes.subarray(0, at), random.bytes(length), bytes.subarray(at)]);
    }
    case 6: {
      const other = Buffer.from(random.one(samples));
      const from = random.below(other.length);
      const [before, after] = without();
      return Buffer.concat([before!, other.subarray(from, from + length), after!]);
    }
    case 7: {
      return bytes.subarray(0, at);
    }
    case 8: {
      range.reverse();
      return bytes;
    }
    default: {
      range.fill(random.one([0, 255, 0x20, random.below(256)]));
      return bytes;
    }
  }
}

/** Replaces a field of two, four or eight bytes, in either byte order. */
function withNumber(bytes: Buffer, at: number, random: Random): Buffer {
  const size = random.one([2, 4, 8]);
  if (at + size > bytes.length) return bytes;
  const value = random.one([...EDGES, ...LARGE]);
  const field = Buffer.alloc(8);
  field.writeBigUInt64BE(BigInt(value) | (BigInt(random.one([0, 0, 0x7fffffff, 0xffffffff])) << 32n));
  const cut = field.subarray(8 - size);
  if (random.chance(0.5)) cut.reverse();
  cut.copy(bytes, at);
  return bytes;
}
