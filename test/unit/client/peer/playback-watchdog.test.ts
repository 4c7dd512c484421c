import { expect, test } from 'vitest';
import { Pulse } from '../../../../src/client/peer/playback-watchdog.ts';

test('pictures that come are life, and three seconds without are none', () => {
  const pulse = new Pulse();
  expect(pulse.beat(0, 0)).toBe(false);
  expect(pulse.beat(1, 250)).toBe(true);
  expect(pulse.beat(1, 3000)).toBe(true);
  expect(pulse.beat(1, 3250)).toBe(false);
  expect(pulse.beat(2, 3500)).toBe(true);
});

test('a new stream counts from the beginning', () => {
  const pulse = new Pulse();
  pulse.beat(500, 0);
  expect(pulse.beat(0, 5000)).toBe(false);
  expect(pulse.beat(3, 5250)).toBe(true);
});
