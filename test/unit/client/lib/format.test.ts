import { expect, test } from 'vitest';
import {
  isThisMachine,
  nameFromFile,
  placeOf,
  showBytes,
  showCores,
  showMs,
  showPercent,
  showRate,
  showSize,
} from '../../../../src/client/lib/format.ts';

test('milliseconds have one decimal below ten and never jump from 9.9 to 10.0', () => {
  expect([0, 0.44, 9.94, 9.96, 10.4, 123.5].map(showMs)).toEqual(['0.0', '0.4', '9.9', '10', '10', '124']);
});

test('an unknown value is a dash', () => {
  expect([showMs(null), showMs(undefined), showMs(Number.NaN), showRate(null), showSize(0, 0)]).toEqual(
    Array(5).fill('–'),
  );
});

test('rates, sizes and shares are whole numbers', () => {
  expect([showRate(29.97), showSize(1280, 720), showPercent(0.345)]).toEqual(['30', '1280 × 720', '35 %']);
});

test('memory is in the unit that fits, cores have two decimals', () => {
  expect([30_000, 52.4 * 2 ** 20, 1023.4 * 2 ** 20, 8 * 2 ** 30, null].map(showBytes)).toEqual([
    '29 kB',
    '52 MB',
    '1023 MB',
    '8.0 GB',
    '–',
  ]);
  expect([0, 0.456, 12].map(showCores)).toEqual(['0.00 cores', '0.46 cores', '12.00 cores']);
});

test('a file name becomes the name of a person', () => {
  expect(['Anna_Maria  Ek.jpeg', 'portrait', 'J. R. Smith.png', `${'x'.repeat(100)}.png`].map(nameFromFile)).toEqual([
    'Anna Maria Ek',
    'portrait',
    'J. R. Smith',
    'x'.repeat(80),
  ]);
});

test('a box lies where its pixels are, and on the other side when mirrored', () => {
  const box = { x: 100, y: 50, width: 200, height: 100 };
  const picture = { width: 1000, height: 500 };
  expect(placeOf(box, picture)).toEqual({ left: '10.00%', top: '10.00%', width: '20.00%', height: '20.00%' });
  expect(placeOf(box, picture, true).left).toBe('70.00%');
});

test('only loopback names are this machine', () => {
  expect(['localhost', '127.0.0.1', '[::1]', 'studio.localhost'].every(isThisMachine)).toBe(true);
  expect(['192.168.1.4', 'example.org', '127.0.0.1.example.org', 'localhost.example.org'].some(isThisMachine)).toBe(
    false,
  );
});
