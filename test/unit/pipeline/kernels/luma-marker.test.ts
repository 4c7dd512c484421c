import { beforeAll, describe, expect, test } from 'vitest';
import { compiledKernels } from '../../../../src/pipeline/kernels/compiled-kernels.ts';
import { LumaMarker } from '../../../../src/pipeline/kernels/luma-marker.ts';
import { planesOf } from '../../../../src/shared/i420.ts';
import type { Frame } from '../../../../src/shared/types.ts';
import { allChips, TILE } from '../../../../src/watermark/chips.ts';
import { messageChips } from '../../../../src/watermark/message.ts';
import { cellSide, drawTiles, STRENGTHS } from '../../../../src/watermark/pattern.ts';
import { randomOf, sceneOf, testLayout } from '../../../support/watermark.ts';

const chips = allChips(messageChips(77), testLayout);
let module: WebAssembly.Module;
beforeAll(async () => {
  module = await compiledKernels();
});

const markerFor = ({ width, height }: Frame): LumaMarker =>
  new LumaMarker(module, chips, cellSide(width, height), { width, height });

function flat(width: number, height: number, level: number): Frame {
  const { u, bytes } = planesOf({ width, height });
  return { width, height, data: new Uint8Array(bytes).fill(level, 0, u).fill(128, u), receivedAtMs: 0 };
}

/** What marking changes of luma, and whether chroma stays. */
function changeOf(marker: LumaMarker, frame: Frame): { luma: number[]; chromaStays: boolean } {
  const before = frame.data.slice();
  marker.mark(frame);
  const { u } = planesOf(frame);
  const chromaStays = Buffer.from(frame.data.subarray(u)).equals(before.subarray(u));
  return { luma: Array.from(frame.data.subarray(0, u), (value, i) => value - before[i]!), chromaStays };
}

/** The pattern of one strength over a whole picture. */
function patternOf({ width, height }: Frame, strength: number): number[] {
  const cell = cellSide(width, height);
  const side = TILE * cell;
  const tiles = drawTiles(chips, cell);
  return Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return tiles[(strength * side + (y % side)) * side + (x % side)]!;
  });
}

const psnrOf = (change: readonly number[]): number =>
  10 * Math.log10(255 ** 2 / (change.reduce((sum, value) => sum + value * value, 0) / change.length));

describe('luma marker', () => {
  test.each([
    [1280, 720],
    [640, 480],
    [450, 300],
    [321, 241],
    [20, 10],
  ])('adds the weakest pattern to a plain wall of %i x %i, and leaves chroma', (width, height) => {
    const frame = flat(width, height, 120);
    const { luma, chromaStays } = changeOf(markerFor(frame), frame);
    expect(luma).toEqual(patternOf(frame, 0));
    expect(chromaStays).toBe(true);
  });

  test('adds the strongest pattern to noise', () => {
    const frame = flat(640, 480, 120);
    const random = randomOf(3);
    for (let i = 0; i < 640 * 480; i++) frame.data[i] = 40 + 160 * random();
    expect(changeOf(markerFor(frame), frame).luma).toEqual(patternOf(frame, STRENGTHS.length - 1));
  });

  test.each([0, 255])('limits sums at %i', (level) => {
    const frame = flat(640, 480, level);
    const { luma } = changeOf(markerFor(frame), frame);
    const wanted = patternOf(frame, 0).map((value) => (level === 0 ? Math.max(0, value) : Math.min(0, value)));
    expect(luma.map((value) => value + 0)).toEqual(wanted.map((value) => value + 0));
  });

  test('changes a frame at rest in the same way every time', () => {
    const marker = markerFor(flat(640, 480, 0));
    const first = changeOf(marker, sceneOf(640, 480, 4)).luma;
    for (let k = 0; k < 20; k++) expect(changeOf(marker, sceneOf(640, 480, 4)).luma).toEqual(first);
  });

  test('follows a scene that changes, block by block, over many frames', () => {
    const marker = markerFor(flat(640, 480, 0));
    const noise = flat(640, 480, 120);
    const random = randomOf(5);
    for (let i = 0; i < 640 * 480; i++) noise.data[i] = 40 + 160 * random();
    const next = (): Frame => ({ ...noise, data: noise.data.slice() });
    const weak = changeOf(marker, flat(640, 480, 120)).luma;
    const second = changeOf(marker, next()).luma;
    const same = second.filter((value, i) => value === weak[i]).length / second.length;
    expect(same).toBeGreaterThan(0.85);
    for (let k = 0; k < 400; k++) marker.mark(next());
    expect(changeOf(marker, next()).luma).toEqual(patternOf(noise, STRENGTHS.length - 1));
  });

  test('changes even the busiest picture by 42 dB at most', () => {
    const frame = flat(1280, 720, 120);
    const random = randomOf(6);
    for (let i = 0; i < 1280 * 720; i++) frame.data[i] = 40 + 160 * random();
    expect(psnrOf(changeOf(markerFor(frame), frame).luma)).toBeGreaterThan(42);
  });
});
