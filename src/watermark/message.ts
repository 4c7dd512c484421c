/** The message of a mark: 32 bits and their checksum, coded against errors, on the chips of a tile. */

import { MESSAGE_CHIPS } from './chips.ts';
import { codedLength, decode, encode } from './convolutional-code.ts';

const BITS = 32;
const CHECK_BITS = 16;
const CODED = codedLength(BITS + CHECK_BITS);

/** Bits of a word of `count` bits, highest first. */
const bitsOf = (word: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => (word >>> (count - 1 - i)) & 1);

/** CRC-16 of bits, polynomial 0x1021, from 0xffff (CCITT). */
function checksum(bits: readonly number[]): number {
  return bits.reduce((crc, bit) => {
    const shifted = (crc << 1) & 0xffff;
    return ((crc >> 15) ^ bit) === 1 ? shifted ^ 0x1021 : shifted;
  }, 0xffff);
}

/** Encodes a word of 32 bits as MESSAGE_CHIPS signs: each coded bit is repeated as often as there is room. */
export function messageChips(word: number): number[] {
  const bits = bitsOf(word, BITS);
  const coded = encode([...bits, ...bitsOf(checksum(bits), CHECK_BITS)]);
  return Array.from({ length: MESSAGE_CHIPS }, (_, i) => coded[i % CODED]!);
}

/**
 * Reads a word of 32 bits out of chips that were seen. @param values MESSAGE_CHIPS, of any scale.
 * @returns null where its checksum is wrong; a wrong word passes once in 65,536 times.
 */
export function readMessage(values: readonly number[]): number | null {
  const sums = new Float64Array(CODED);
  for (const [i, value] of values.entries()) sums[i % CODED]! += value;
  const bits = decode(sums);
  const wordOf = (some: readonly number[]): number => some.reduce((word, bit) => word * 2 + bit, 0);
  const message = bits.slice(0, BITS);
  return wordOf(bits.slice(BITS)) === checksum(message) ? wordOf(message) : null;
}
