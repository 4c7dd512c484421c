/** The live face's light on the source's skin. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Relight } from '../../../../../src/pipeline/engines/mesh/relight.ts';
import { skinWeights, tintShares } from '../../../../../src/pipeline/engines/mesh/skin-weights.ts';
import { GREY } from '../../../../../src/pipeline/engines/mesh/source/atlas.ts';
import { BROW_LEFT, POINTS, readTopology } from '../../../../../src/pipeline/face/topology.ts';
import { modelsDir } from '../../../../support/lane.ts';

const topology = readTopology(await readFile(path.join(modelsDir, 'face-geometry.json')));
const seen = new Float32Array(POINTS).fill(1);
const skin = skinWeights(topology);
type Colour = readonly [number, number, number];

/** A face of one colour, plus the luma that `more` adds at a place of the canonical face, in centimetres. */
function face([y, u, v]: Colour, more: (x: number, y: number, point: number) => number = () => 0): Float32Array {
  return Float32Array.from({ length: POINTS * 3 }, (_, at) => {
    const i = Math.floor(at / 3);
    if (at % 3 > 0) return at % 3 === 1 ? u : v;
    return y + more(topology.vertices[3 * i]!, topology.vertices[3 * i + 1]!, i);
  });
}

function follow(live: Float32Array, source: Float32Array): Relight {
  const light = new Relight(topology, skin);
  light.follow(live, source, seen);
  return light;
}

test('a light from above and one side, brighter in the middle, is transferred exactly', () => {
  const lit = (x: number, y: number): number => 3 * x + 2 * y - 0.4 * x * x;
  const { offset } = follow(face([140, 120, 140], lit), face([110, 120, 140]));
  for (let i = 0; i < POINTS; i++) {
    if (skin[i] === 0) continue;
    const wanted = 30 + lit(topology.vertices[3 * i]!, topology.vertices[3 * i + 1]!);
    expect(Math.abs(offset[3 * i]! - wanted)).toBeLessThan(2);
  }
});

test('a feature of the live face is not light; a feature of the source stays, but less near the rim', () => {
  const cheek = 50;
  const spot = (point: number) => (_x: number, _y: number, i: number) => (i === point ? -50 : 0);
  const live = follow(face([140, 120, 140], spot(cheek)), face([140, 120, 140]));
  expect(Math.abs(live.offset[3 * cheek]!)).toBeLessThan(5);
  const own = follow(face([140, 120, 140]), face([140, 120, 140], spot(cheek)));
  // The contrast of a face without features is the least there is: half of the spot is left.
  expect(own.contrast).toBeCloseTo(0.5);
  expect(own.offset[3 * cheek]!).toBeGreaterThan(0);
  expect(own.offset[3 * cheek]!).toBeLessThan(30);
  const edge = topology.ring.indexOf(2);
  const shadow = follow(face([140, 120, 140]), face([140, 120, 140], spot(edge)));
  expect(shadow.offset[3 * edge]!).toBeGreaterThan(own.offset[3 * cheek]! + 1);
});

test('a dull camera lowers the saturation of the source about grey, so that every hue is kept', () => {
  const light = follow(face([140, GREY - 8, GREY + 10]), face([140, GREY - 16, GREY + 20]));
  expect(light.saturation).toBeCloseTo(0.5);
  for (let i = 0; i < POINTS; i++) {
    expect(Math.abs(light.offset[3 * i + 1]!)).toBeLessThan(0.1);
    expect(Math.abs(light.offset[3 * i + 2]!)).toBeLessThan(0.1);
  }
});

test('a lamp that is switched on is transferred gradually', () => {
  const light = new Relight(topology, skin);
  const source = face([110, 120, 140]);
  light.follow(face([100, 120, 140]), source, seen);
  const inside = topology.ring.findIndex((ring, i) => ring >= 6 && skin[i]! > 0);
  light.follow(face([140, 120, 140]), source, seen);
  expect(light.offset[3 * inside]!).toBeLessThan(5);
  for (let frame = 0; frame < 40; frame++) light.follow(face([140, 120, 140]), source, seen);
  expect(light.offset[3 * inside]!).toBeGreaterThan(27);
});

test('hair at the rim is unlike skin; skin is not when a lamp goes on or a hand occludes it', () => {
  const [source, dim, bright] = [face([110, 120, 140]), face([100, 120, 140]), face([140, 120, 140])];
  const temple = topology.ring.indexOf(0);
  const hair = follow(
    face([100, 120, 140], (_x, _y, i) => (i === temple ? -60 : 0)),
    source,
  );
  expect(hair.likeness[temple]).toBeLessThan(0.05);
  expect(hair.likeness.filter((like) => like < 0.9)).toHaveLength(1);
  const light = follow(dim, source);
  light.follow(bright, source, seen);
  expect(Math.min(...light.likeness)).toBeGreaterThan(0.9);
  const hand = face([140, 120, 140], (_x, _y, i) => (i === temple ? -60 : 0));
  const behind = seen.map((view, i) => (i === temple ? 0 : view));
  for (let frame = 0; frame < 10; frame++) light.follow(hand, source, behind);
  expect(light.likeness[temple]).toBeGreaterThan(0.9);
});

test("skin takes all of the light's colour, and a part half as bright takes a quarter", () => {
  const brow = BROW_LEFT[0]!;
  const tint = tintShares(
    face([116, 120, 140], (_x, _y, i) => (i === brow ? -50 : 0)),
    skin,
  );
  expect(tint[brow]).toBeCloseTo(0.25);
  expect(tint.filter((share) => share !== 1)).toHaveLength(1);
});
