import { expect, test } from 'vitest';
import { planesOf } from '../../../src/shared/i420.ts';

test('the planes of an odd size are rounded up', () => {
  expect(planesOf({ width: 5, height: 3 })).toEqual({ chromaWidth: 3, chromaHeight: 2, u: 15, v: 21, bytes: 27 });
});

test('the planes of an even size are half of it', () => {
  const planes = { chromaWidth: 640, chromaHeight: 360, u: 921_600, v: 1_152_000, bytes: 1_382_400 };
  expect(planesOf({ width: 1280, height: 720 })).toEqual(planes);
});
