/** What occludes the face stays as the camera gave it. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FaceMap, MAP_SIDE } from '../../../../../src/pipeline/engines/mesh/occlusion/face-map.ts';
import { Occlusion } from '../../../../../src/pipeline/engines/mesh/occlusion/occlusion.ts';
import { POINTS, readTopology } from '../../../../../src/pipeline/face/topology.ts';
import { Kernels } from '../../../../../src/pipeline/kernels/kernels.ts';
import type { Lane } from '../../../../../src/pipeline/lane/lane.ts';
import type { Frame } from '../../../../../src/shared/types.ts';
import { astronaut, copyFrame, cutFrame, group, modelsDir, readFrame, startLane } from '../../../../support/lane.ts';
import { swapSettings } from '../../../../support/settings.ts';

const settings = swapSettings();
const [WIDTH, HEIGHT] = [640, 480];
/** Frames before the bar, with it, and after. */
const [BEFORE, DURING, AFTER] = [20, 24, 8];

let lane: Lane;
let pictures: Frame[];
beforeAll(async () => {
  lane = await startLane();
  const picture = await readFrame(astronaut);
  const [face] = await lane.analyse(copyFrame(picture));
  await lane.take('source', await lane.enrol([{ picture, points: face!.points }]));
  // The head moves a little, as heads do.
  pictures = await Promise.all(
    Array.from({ length: 8 }, (_, i) => {
      const left = 1400 + Math.round(3 * Math.sin((i * Math.PI) / 4));
      return cutFrame(group, { left, top: 130, width: 460, height: 345 }, WIDTH, HEIGHT);
    }),
  );
});
afterAll(() => lane.end());

interface Bar {
  x: number;
  width: number;
}

/** Draws an upright bar with a little texture of its own. */
function withBar(frame: Frame, { x, width }: Bar, [luma, u, v]: readonly [number, number, number]): Frame {
  const copy = copyFrame(frame);
  for (let row = 0; row < HEIGHT; row++)
    for (let column = x; column < x + width; column++) copy.data[row * WIDTH + column] = luma + ((row + column) % 5);
  for (let row = 0; row < HEIGHT / 2; row++) {
    for (let column = x / 2; column < (x + width) / 2; column++) {
      copy.data[WIDTH * HEIGHT + (row * WIDTH) / 2 + column] = u;
      copy.data[WIDTH * HEIGHT * 1.25 + (row * WIDTH) / 2 + column] = v;
    }
  }
  return copy;
}

/** Peak signal to noise of luma in the bar, in decibels, where it lies over the face's box. */
function psnr(before: Frame, after: Frame, bar: Bar, top: number, bottom: number): number {
  let [sum, count] = [0, 0];
  for (let row = top; row < bottom; row++) {
    for (let column = bar.x; column < bar.x + bar.width; column++, count++)
      sum += (before.data[row * WIDTH + column]! - after.data[row * WIDTH + column]!) ** 2;
  }
  return 10 * Math.log10(255 ** 2 / Math.max(1e-3, sum / count));
}

/** How much of the picture the swap changed, in pixels. */
const changed = (before: Frame, after: Frame): number =>
  before.data.reduce((sum, value, i) => sum + (value === after.data[i] ? 0 : 1), 0);

describe.each([
  ['grey', [110, 128, 128]],
  ['dark', [35, 128, 128]],
  ['blue', [90, 170, 100]],
] as const)('a %s bar that moves over the face', (_name, colour) => {
  test('stays as it was, and the swap is whole again within five frames', async () => {
    const id = `bar-${_name}`;
    await lane.open(id, settings);
    let whole = 0;
    let worst = Number.POSITIVE_INFINITY;
    const after: number[] = [];
    for (let i = 0; i < BEFORE + DURING + AFTER; i++) {
      const plain = pictures[i % pictures.length]!;
      const share = (i - BEFORE) / DURING;
      const bar = { x: 2 * Math.round((80 + 260 * share) / 2), width: 60 };
      const shown = share >= 0 && share < 1 ? withBar(plain, bar, colour) : plain;
      const { frame, faces } = await lane.swap(id, { ...copyFrame(shown), receivedAtMs: i * 33 });
      const box = faces[0];
      if (share < 0) whole = changed(shown, frame);
      else if (share >= 1) after.push(changed(shown, frame));
      else if (box !== undefined && bar.x > box.x && bar.x + bar.width < box.x + box.width)
        worst = Math.min(worst, psnr(shown, frame, bar, Math.ceil(box.y), Math.floor(box.y + box.height)));
    }
    await lane.close(id);
    expect(worst).toBeGreaterThan(30);
    expect(worst).toBeLessThan(Number.POSITIVE_INFINITY);
    expect(Math.max(...after.slice(4))).toBeGreaterThan(0.97 * whole);
  });
});

test('a face that only moves has nothing in front of it', async () => {
  await lane.open('plain', settings);
  const sizes: number[] = [];
  for (let i = 0; i < 40; i++) {
    const plain = pictures[i % pictures.length]!;
    const { frame } = await lane.swap('plain', { ...copyFrame(plain), receivedAtMs: i * 33 });
    sizes.push(changed(plain, frame));
  }
  await lane.close('plain');
  expect(Math.min(...sizes.slice(1))).toBeGreaterThan(0.97 * Math.max(...sizes));
});

describe('occlusion of the live face', () => {
  const seen = new Float32Array(POINTS).fill(0.95);
  let map: FaceMap;
  beforeAll(async () => {
    const topology = readTopology(await readFile(path.join(modelsDir, 'face-geometry.json')));
    map = new FaceMap(await Kernels.load(64 * 64), topology);
  });
  type Colour = readonly [number, number, number];
  const skin: Colour = [130, 115, 145];
  /** Where a patch is, and how far it reaches to each side. */
  const cheek = { x: 16, y: 38, reach: 4 };
  /** A patch that reaches the rim. */
  const rim = { ...cheek, x: 5 };
  /** Texels of the map, skin but for a patch. */
  const colours = (patch: Colour, { x, y, reach }: typeof cheek): Float32Array =>
    Float32Array.from({ length: map.texels.length * 3 }, (_, n) => {
      const texel = map.texels[Math.floor(n / 3)]!;
      const inPatch = Math.abs((texel % MAP_SIDE) - x) < reach && Math.abs(Math.floor(texel / MAP_SIDE) - y) < reach;
      return (inPatch ? patch : skin)[n % 3]!;
    });
  const update = (occlusion: Occlusion, patch: Colour, frames: number, place: typeof cheek): boolean[] =>
    Array.from({ length: frames }, () => {
      occlusion.update(colours(patch, place), seen);
      return occlusion.any;
    });

  test('is found where a patch at the rim suddenly has another colour', () => {
    const occlusion = new Occlusion(map);
    expect(update(occlusion, skin, 12, rim)).not.toContain(true);
    expect(update(occlusion, [130, 135, 120], 4, rim)).toContain(true);
  });

  test('is not found on a part that the model only knows from the side', () => {
    const occlusion = new Occlusion(map);
    seen.fill(0.25);
    update(occlusion, [130, 135, 120], 12, rim);
    seen.fill(0.95);
    expect(update(occlusion, skin, 30, rim)).not.toContain(true);
    // The part has been learned anew by now.
    expect(update(occlusion, [130, 135, 120], 4, rim)).toContain(true);
  });

  test.each([
    ['small', 2],
    ['larger', 4],
  ])('is not found in a %s mark inside the face, which is a change of light and is learned', (_, reach) => {
    const occlusion = new Occlusion(map);
    const spot = { ...cheek, reach };
    update(occlusion, skin, 12, spot);
    expect(update(occlusion, [190, 115, 145], 40, spot)).not.toContain(true);
    // The spot belongs to the face by now; its disappearance is a change of light, too.
    expect(update(occlusion, skin, 4, spot)).not.toContain(true);
  });

  test('is followed from the rim to the inside of the face', () => {
    const occlusion = new Occlusion(map);
    update(occlusion, skin, 12, rim);
    for (let x = rim.x; x <= cheek.x; x += 2)
      expect(update(occlusion, [190, 115, 145], 1, { ...rim, x }), `at ${x}`).toEqual([true]);
    expect(update(occlusion, [190, 115, 145], 20, cheek)).not.toContain(false);
  });

  test('is found in a small mark at the rim, or at the opening of the mouth', () => {
    const besides = [...map.texels].filter((texel) =>
      [texel - 1, texel + 1, texel - MAP_SIDE, texel + MAP_SIDE].some((beside) => map.border[beside] === 1),
    );
    const place = (texel: number): typeof cheek => ({ x: texel % MAP_SIDE, y: Math.floor(texel / MAP_SIDE), reach: 2 });
    const inner = ({ x, y }: typeof cheek): boolean => Math.hypot(x - MAP_SIDE / 2, y - MAP_SIDE / 2) < MAP_SIDE / 3;
    const places = besides.map(place);
    const chin = places.reduce((a, b) => (b.y > a.y ? b : a));
    const lip = places.find(inner);
    for (const at of [chin, lip]) {
      if (at === undefined) throw new Error('the map has no mouth');
      const occlusion = new Occlusion(map);
      update(occlusion, skin, 12, at);
      expect(update(occlusion, [190, 115, 145], 4, at)).toContain(true);
    }
  });

  test('ends when an occluder at the very edge of the map has gone', () => {
    const texel = [...map.texels].reduce((a, b) => (b % MAP_SIDE < a % MAP_SIDE ? b : a));
    const edge = { x: texel % MAP_SIDE, y: Math.floor(texel / MAP_SIDE), reach: 6 };
    const occlusion = new Occlusion(map);
    update(occlusion, skin, 12, edge);
    expect(update(occlusion, [60, 128, 128], 12, edge)).toContain(true);
    update(occlusion, skin, 12, edge);
    expect(occlusion.any).toBe(false);
    expect(occlusion.mask.every((value) => value === 0)).toBe(true);
  });
});
