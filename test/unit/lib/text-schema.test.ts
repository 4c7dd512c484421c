import { expect, test } from 'vitest';
import { z } from 'zod';
import { listSchema, textSchema } from '../../../src/lib/text-schema.ts';

/** What the length of cannot be compared. */
const ODD = [{ length: { toString: 1 } }, { length: Symbol.iterator }, { length: 3 }, [], null, 7];

test('a text of limited length is told from everything else', () => {
  const schema = textSchema(2, 3);
  for (const good of ['ab', 'abc', '\u{1f600}\u{1f600}\u{1f600}']) expect(schema.safeParse(good).success).toBe(true);
  for (const bad of ['', 'a', 'abcd', '\u{1f600}', ...ODD]) expect(schema.safeParse(bad).success).toBe(false);
  expect(schema.safeParse('a').error!.issues[0]!.message).toBe('must have 2 to 3 characters');
  expect(textSchema(1).safeParse('').error!.issues[0]!.message).toBe('must have at least 1 character');
});

test('a list of limited length is told from everything else', () => {
  const schema = listSchema(z.number(), 2);
  expect(schema.safeParse([1, 2]).success).toBe(true);
  for (const bad of [[1], ['a', 'b'], ...ODD]) expect(schema.safeParse(bad).success).toBe(false);
});
