import { describe, expect, test } from 'vitest';
import { allChips, LAYOUT_WORDS, messageLayout, messageValues } from '../../../src/watermark/chips.ts';
import { codedLength, decode, encode } from '../../../src/watermark/convolutional-code.ts';
import { layoutWords } from '../../../src/watermark/mark-key.ts';
import { messageChips, readMessage } from '../../../src/watermark/message.ts';
import { sessionDigits, sessionWord } from '../../../src/watermark/session-word.ts';
import { randomOf } from '../../support/watermark.ts';

/** A normal deviate (Box and Muller). */
const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

describe('convolutional code', () => {
  const bits = Array.from({ length: 48 }, (_, i) => (i * 7 + (i >> 2)) & 1);

  test('gives back what was encoded', () => {
    const coded = encode(bits);
    expect(coded).toHaveLength(codedLength(48));
    expect(decode(coded)).toEqual(bits);
  });

  test('corrects nine wrong signs in one place, as its free distance is 20', () => {
    const coded = encode(bits).map((sign, i) => (i >= 80 && i < 89 ? -sign : sign));
    expect(decode(coded)).toEqual(bits);
  });

  test('differs in 20 signs at least for any single bit', () => {
    const zero = encode(Array<number>(48).fill(0));
    for (let k = 0; k < 48; k++) {
      const one = encode(Array.from({ length: 48 }, (_, i) => (i === k ? 1 : 0)));
      expect(one.filter((sign, i) => sign !== zero[i]).length).toBeGreaterThanOrEqual(20);
    }
  });
});

describe('message', () => {
  const words = [0, 1, 0xffffffff, 0xdeadbeef, 0x80000000];

  test.each(words)('%i is read out of its own chips', (word) => {
    expect(readMessage(messageChips(word))).toBe(word);
  });

  test('is read where noise is half as strong again as the chips', () => {
    const random = randomOf(1);
    for (let round = 0; round < 20; round++) {
      const word = Math.floor(random() * 2 ** 32);
      const values = messageChips(word).map((chip) => chip + 1.5 * normal(random));
      expect(readMessage(values), `round ${round}`).toBe(word);
    }
  });

  test('is not read out of noise', () => {
    const random = randomOf(2);
    const read = Array.from({ length: 60 }, () => readMessage(messageChips(0).map(() => normal(random))));
    expect(read.filter((word) => word !== null)).toEqual([]);
  });

  test('is read with its key, and not with another', () => {
    const [layout, other] = ['a', 'b'].map((key) => messageLayout(layoutWords(key)));
    const chips = allChips(messageChips(0xdeadbeef), layout!);
    expect(readMessage(messageValues(chips, layout!))).toBe(0xdeadbeef);
    expect(readMessage(messageValues(chips, other!))).toBeNull();
  });

  test('has a layout that follows from the key', () => {
    expect(layoutWords('a')).toHaveLength(LAYOUT_WORDS);
    expect(layoutWords('a')).toEqual(layoutWords('a'));
    expect(layoutWords('a')).not.toEqual(layoutWords('b'));
  });
});

describe('session word', () => {
  test('is the first eight digits of the id', () => {
    expect(sessionWord('0012abcd-0000-4000-8000-000000000000')).toBe(0x12abcd);
    expect(sessionDigits(0x12abcd)).toBe('0012abcd');
  });

  test('is 0 without such an id', () => {
    expect(sessionWord('render')).toBe(0);
  });
});
