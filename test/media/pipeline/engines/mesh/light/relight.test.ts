/** The live face's light on the source's skin. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { logOfLuma, lumaOfLog } from '../../../../../../src/pipeline/engines/mesh/light/log-luma.ts';
import { MEAN_FACE } from '../../../../../../src/pipeline/engines/mesh/light/mean-face.ts';
import { MeshQuadratic } from '../../../../../../src/pipeline/engines/mesh/light/mesh-quadratic.ts';
import { Relight } from '../../../../../../src/pipeline/engines/mesh/light/relight.ts';
import { skinWeights, tintShares } from '../../../../../../src/pipeline/engines/mesh/light/skin-weights.ts';
import { BLACK, GREY } from '../../../../../../src/pipeline/engines/mesh/source/atlas-layout.ts';
import { BROW_LEFT, POINTS, readTopology } from '../../../../../../src/pipeline/face/topology.ts';
import { modelsDir } from '../../../../../support/lane.ts';

const topology = readTopology(await readFile(path.join(modelsDir, 'face-geometry.json')));
const quadratic = new MeshQuadratic(topology);
const seen = new Float32Array(POINTS).fill(1);
const skin = skinWeights(topology);
const inside = topology.ring.findIndex((ring, i) => ring >= 6 && skin[i] === 1 && topology.vertices[3 * i]! > 3);
const temple = topology.ring.indexOf(0);
type Light = (x: number, y: number, point: number) => number;

/** The mean face at a luma and chroma off grey per luma, under a light that adds to log luma by place, in centimetres. */
function face(luma: number, light: Light = () => 0, [u, v]: readonly [number, number] = [-0.1, 0.12]): Float32Array {
  const out = new Float32Array(POINTS * 3);
  for (let i = 0; i < POINTS; i++) {
    const [x, y] = [topology.vertices[3 * i]!, topology.vertices[3 * i + 1]!];
    out[3 * i] = lumaOfLog(logOfLuma(luma) + MEAN_FACE.colours[3 * i]! + light(x, y, i));
    const above = out[3 * i]! - BLACK;
    out[3 * i + 1] = GREY + above * (u + MEAN_FACE.colours[3 * i + 1]!);
    out[3 * i + 2] = GREY + above * (v + MEAN_FACE.colours[3 * i + 2]!);
  }
  return out;
}

const relight = (source: Float32Array): Relight => new Relight(source, { topology, quadratic, skin });
function follow(live: Float32Array, source: Float32Array): Relight {
  const light = relight(source);
  light.follow(live, seen);
  return light;
}
/** Difference in log luma at one point only. */
const at =
  (point: number, log: number): Light =>
  (_x, _y, i) =>
    i === point ? log : 0;

test('a light from above and one side, brighter in the middle, is transferred', () => {
  const lit: Light = (x, y) => 0.2 + 0.02 * x + 0.015 * y - 0.003 * x * x;
  const { gain } = follow(face(110, lit), face(110));
  for (let i = 0; i < POINTS; i++) {
    if (skin[i] === 0) continue;
    const wanted = lit(topology.vertices[3 * i]!, topology.vertices[3 * i + 1]!, i);
    expect(Math.abs(Math.log(gain[i]!) - wanted)).toBeLessThan(0.05);
  }
});

test('light multiplies: in a dim room no part of the source turns black', () => {
  const { gain, plain } = follow(face(45), face(150));
  expect(Math.max(...gain)).toBeLessThan(0.5);
  // What is drawn is gain · (plain + contrast · (source − plain)) above black, which is never negative.
  expect(Math.min(...gain)).toBeGreaterThan(0);
  expect(Math.min(...plain)).toBeGreaterThan(BLACK);
});

test('hair of the live person changes the light on the skin beside it only a little', () => {
  const { gain, likeness } = follow(face(120, at(temple, -1.5)), face(120));
  expect(likeness[temple]).toBeLessThan(0.05);
  expect(Math.abs(Math.log(gain[inside]!))).toBeLessThan(0.05);
});

test('an odd dark patch of the photo is no reason to distrust the live skin', () => {
  const { likeness } = follow(face(120), face(120, at(inside, -1)));
  expect(likeness[inside]).toBeGreaterThan(0.9);
});

test('the photo gives up what lies beyond the deviation of faces', () => {
  const { gain } = follow(face(120), face(120, at(inside, -1.5)));
  // The dark patch is lightened, and more than its mirror image on the other half.
  expect(gain[inside]).toBeGreaterThan(1.2);
  expect(gain[inside]).toBeGreaterThan(1.15 * gain[topology.mirror[inside]!]!);
});

test('a dull camera lowers the saturation of the source about grey, so that every hue is kept', () => {
  const light = follow(face(120, undefined, [-0.05, 0.06]), face(120, undefined, [-0.1, 0.12]));
  expect(light.saturation).toBeLessThan(0.7);
  for (let i = 0; i < POINTS; i++) {
    if (skin[i] === 0) continue;
    expect(Math.abs(light.offset[3 * i + 1]!)).toBeLessThan(3);
    expect(Math.abs(light.offset[3 * i + 2]!)).toBeLessThan(3);
  }
});

test('a lamp that is switched on is transferred gradually', () => {
  const light = relight(face(110));
  light.follow(face(110), seen);
  const before = light.gain[inside]!;
  light.follow(face(180), seen);
  const soon = light.gain[inside]! / before;
  for (let call = 0; call < 40; call++) light.follow(face(180), seen);
  const whole = Math.exp(logOfLuma(180) - logOfLuma(110));
  expect(soon).toBeLessThan(0.97 * whole);
  expect(light.gain[inside]!).toBeGreaterThan(0.97 * whole);
});

test('skin stays like skin when a lamp goes on or a hand occludes it', () => {
  const light = follow(face(80), face(110));
  light.follow(face(160), seen);
  expect(Math.min(...light.likeness.filter((_, i) => skin[i]! > 0))).toBeGreaterThan(0.9);
  const behind = seen.map((view, i) => (i === temple ? 0 : view));
  for (let call = 0; call < 10; call++) light.follow(face(160, at(temple, -1.5)), behind);
  expect(light.likeness[temple]).toBeGreaterThan(0.9);
});

test("skin takes all of the light's colour, and a part half as bright takes a quarter", () => {
  const brow = BROW_LEFT[0]!;
  const source = new Float32Array(POINTS * 3).map((_, i) => [116, 120, 140][i % 3]!);
  source[3 * brow] = 66;
  const tint = tintShares(source, skin);
  expect(tint[brow]).toBeCloseTo(0.25);
  expect(tint.filter((share) => share !== 1)).toHaveLength(1);
});
