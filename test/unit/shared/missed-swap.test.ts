import { describe, expect, test } from 'vitest';
import { isSwapMissed, missedFrame, shownFor } from '../../../src/shared/missed-swap.ts';

describe('a swap', () => {
  test.each([
    { isWanted: true, result: 'swapped', exposed: true, missed: false, guarded: true },
    { isWanted: true, result: 'swapped', exposed: false, missed: false, guarded: false },
    { isWanted: true, result: 'passed', exposed: true, missed: true, guarded: true },
    { isWanted: true, result: 'failed', exposed: true, missed: true, guarded: true },
    { isWanted: false, result: 'passed', exposed: true, missed: false, guarded: true },
    { isWanted: false, result: 'passed', exposed: false, missed: false, guarded: false },
  ] as const)('is missed when %o', ({ missed, guarded, ...outcome }) => {
    expect(isSwapMissed({ guarded: false }, outcome)).toBe(missed);
    expect(isSwapMissed({ guarded: true }, outcome)).toBe(guarded);
  });
});

test.each([
  ['passthrough', 'as-it-is', 'held'],
  ['freeze', 'held', 'held'],
  ['blur', 'pixelated', 'pixelated'],
] as const)('with fallback %s a missed frame is %s, guarded %s', (fallback, plain, guarded) => {
  expect(missedFrame({ fallback, guarded: false })).toBe(plain);
  expect(missedFrame({ fallback, guarded: true })).toBe(guarded);
});

test.each([
  { hold: false, exposed: false, plain: 'frame', guarded: 'frame' },
  { hold: false, exposed: true, plain: 'frame', guarded: 'card' },
  { hold: true, exposed: false, plain: 'last', guarded: 'card' },
  { hold: true, exposed: true, plain: 'last', guarded: 'card' },
] as const)('viewers are shown %o', ({ hold, exposed, plain, guarded }) => {
  expect(shownFor({ hold, exposed }, false)).toBe(plain);
  expect(shownFor({ hold, exposed }, true)).toBe(guarded);
});

test('a frame of which nothing is known counts as exposed', () => {
  expect(shownFor({ hold: false }, true)).toBe('card');
  expect(shownFor({ hold: false }, false)).toBe('frame');
});
