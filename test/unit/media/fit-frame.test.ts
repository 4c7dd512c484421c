import { expect, test } from 'vitest';
import { fitFrame } from '../../../src/media/fit-frame.ts';
import type { Frame } from '../../../src/shared/types.ts';

/** A frame whose brightness rises to the right, in one colour. */
function ramp(width: number, height: number, u = 100, v = 160): Frame {
  const chroma = Math.ceil(width / 2) * Math.ceil(height / 2);
  const data = new Uint8Array(width * height + 2 * chroma);
  for (let i = 0; i < width * height; i++) data[i] = 16 + Math.round((200 * ((i % width) + 0.5)) / width);
  data.fill(u, width * height, width * height + chroma);
  data.fill(v, width * height + chroma);
  return { width, height, data, receivedAtMs: 7 };
}

test.each([
  [320, 240, 640, 480],
  [641, 361, 1280, 720],
  [1280, 720, 640, 360],
])('a frame of %ix%i keeps its picture in %ix%i', (fromWidth, fromHeight, width, height) => {
  const fitted = fitFrame(ramp(fromWidth, fromHeight), width, height);
  const wanted = ramp(width, height);
  expect([fitted.width, fitted.height, fitted.receivedAtMs]).toEqual([width, height, 7]);
  const worst = fitted.data.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted.data[i]!)), 0);
  expect(worst).toBeLessThanOrEqual(2);
});

test('a frame of other proportions lies in the middle, on black', () => {
  const { data } = fitFrame(ramp(240, 320, 60, 60), 640, 480);
  const at = (x: number, y: number): number => data[y * 640 + x]!;
  const chromaAt = (x: number, y: number): number => data[640 * 480 + y * 320 + x]!;
  // 360 pixels wide, from 140 to 500.
  expect([at(0, 240), at(139, 0), at(500, 479), at(639, 240)]).toEqual([16, 16, 16, 16]);
  expect(at(140, 0)).toBe(16);
  expect(at(320, 240)).toBeGreaterThan(110);
  expect(at(499, 479)).toBeGreaterThan(210);
  expect([chromaAt(69, 100), chromaAt(70, 100), chromaAt(249, 100), chromaAt(250, 100)]).toEqual([128, 60, 60, 128]);
});

test('odd and tiny sizes stay inside their planes', () => {
  for (const [fw, fh, w, h] of [
    [1, 1, 3, 3],
    [7, 5, 13, 9],
    [200, 151, 320, 240],
    [3, 500, 31, 17],
  ] as const) {
    const { data } = fitFrame(ramp(fw, fh), w, h);
    expect(data.length).toBe(w * h + 2 * Math.ceil(w / 2) * Math.ceil(h / 2));
  }
});
