import { expect, test } from 'vitest';
import { PlaybackWatchdog } from '../../../../src/client/peer/playback-watchdog.ts';

test('the watchdog reports a stall after three seconds without a decoded frame', () => {
  const watchdog = new PlaybackWatchdog();
  expect(watchdog.beat(0, 0)).toBe(false);
  expect(watchdog.beat(1, 250)).toBe(true);
  expect(watchdog.beat(1, 3000)).toBe(true);
  expect(watchdog.beat(1, 3250)).toBe(false);
  expect(watchdog.beat(2, 3500)).toBe(true);
});

test('the watchdog starts again with a new stream', () => {
  const watchdog = new PlaybackWatchdog();
  watchdog.beat(500, 0);
  expect(watchdog.beat(0, 5000)).toBe(false);
  expect(watchdog.beat(3, 5250)).toBe(true);
});
