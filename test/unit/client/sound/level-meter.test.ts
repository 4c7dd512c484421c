import { expect, test } from 'vitest';
import { meterShare } from '../../../../src/client/sound/level-meter.ts';

const tone = (level: number): Float32Array => Float32Array.from({ length: 2048 }, (_, i) => level * Math.sin(i / 5));

test('a meter shows loudness in decibels, from silence to full scale', () => {
  expect(meterShare(new Float32Array(2048))).toBe(0);
  expect(meterShare(tone(0.0005))).toBe(0);
  // A sine of a tenth of full scale has -23 dB.
  expect(meterShare(tone(0.1))).toBeCloseTo(1 - 23 / 60, 2);
  expect(meterShare(new Float32Array(2048).fill(1))).toBe(1);
});
