import { expect, test } from 'vitest';
import { ShapeTransfer } from '../../../../../src/pipeline/engines/mesh/shape.ts';
import { lipColumns, ShapeDifference } from '../../../../../src/pipeline/engines/mesh/shape-difference.ts';
import { EYE_RIGHT, LIPS_INNER, POINTS, readTopology } from '../../../../../src/pipeline/face/topology.ts';
import { readCatalogue } from '../../../../../src/pipeline/models/catalogue.ts';
import { modelsDir } from '../../../../support/lane.ts';

const catalogue = readCatalogue(modelsDir);
const topology = readTopology(catalogue.read(catalogue.forRole('face-geometry')));
const transfer = new ShapeTransfer(topology);

/** The canonical face in pixels, y downwards, with points moved by as much. */
function faceOf(move: (i: number) => [number, number] = () => [0, 0]): Float32Array {
  return Float32Array.from({ length: POINTS * 3 }, (_, at) => {
    const [i, k] = [Math.floor(at / 3), at % 3];
    const value = (k === 0 ? 10 : -10) * topology.vertices[at]!;
    return value + (k < 2 ? 10 * move(i)[k as 0 | 1] : 0) + (k < 2 ? 200 : 0);
  });
}
const CHEEK = 50;
/** Whether a point lies below the mouth's opening, and how far to the side. */
const lower = new Set(LIPS_INNER.slice(11));
const openMouth = (i: number): [number, number] => (lower.has(i) ? [0, 1] : [0, 0]);
/** Points of the upper lid come down to those of the lower one. */
const closedEye = (i: number): [number, number] => {
  const at = EYE_RIGHT.indexOf(i);
  return at > 8 ? [0, -(topology.vertices[3 * EYE_RIGHT[16 - at]! + 1]! - topology.vertices[3 * i + 1]!)] : [0, 0];
};

function reshaped(source: Float32Array, usual: Float32Array, live: Float32Array): Float32Array {
  const difference = new ShapeDifference(source, lipColumns(topology));
  for (let k = 0; k < 40; k++) difference.follow(usual);
  const out = new Float32Array(POINTS * 2);
  transfer.reshape(live, difference, 1, out);
  return out;
}
const apartY = (points: Float32Array, stride: number, a: number, b: number): number =>
  Math.abs(points[stride * a + 1]! - points[stride * b + 1]!);

test('the same shape moves nothing', () => {
  const face = faceOf();
  const out = reshaped(face, face, face);
  for (let i = 0; i < POINTS; i++)
    expect(Math.hypot(out[2 * i]! - face[3 * i]!, out[2 * i + 1]! - face[3 * i + 1]!)).toBeLessThan(0.01);
});

test('a wider mouth of the source is taken over, whatever the live mouth does', () => {
  const wide = faceOf((i) => (topology.fromMouth[i]! <= 5 ? [0.2 * topology.vertices[3 * i]!, 0] : [0, 0]));
  const width = (points: Float32Array): number => points[2 * 291]! - points[2 * 61]!;
  const same = reshaped(faceOf(), faceOf(), faceOf());
  for (const live of [faceOf(), faceOf(openMouth)])
    expect(width(reshaped(wide, faceOf(), live)) / width(same)).toBeGreaterThan(1.05);
});

test('an open mouth of the source does not open a closed one', () => {
  const out = reshaped(faceOf(openMouth), faceOf(), faceOf());
  const before = faceOf();
  expect(Math.abs(apartY(out, 2, 13, 14) - apartY(before, 3, 13, 14))).toBeLessThan(0.5);
});

test('the live mouth opens as far as it did', () => {
  const wide = faceOf((i) => (topology.fromMouth[i]! <= 5 ? [0.2 * topology.vertices[3 * i]!, 0] : [0, 0]));
  const opened = (live: Float32Array): number => apartY(reshaped(wide, faceOf(), live), 2, 13, 14);
  expect(opened(faceOf(openMouth)) - opened(faceOf())).toBeGreaterThan(8);
});

test('a live eye that shuts is shut, however wide the source opens its own', () => {
  const wideEyes = faceOf((i) => (EYE_RIGHT.indexOf(i) > 8 ? [0, -0.5] : [0, 0]));
  const shut = faceOf(closedEye);
  const gap = (points: Float32Array): number => apartY(points, 2, 159, 145);
  expect(gap(reshaped(wideEyes, faceOf(), faceOf()))).toBeGreaterThan(gap(reshaped(faceOf(), faceOf(), faceOf())) + 1);
  expect(gap(reshaped(wideEyes, faceOf(), shut))).toBeLessThan(1);
});

test('brows keep the live expression', () => {
  const raised = faceOf((i) => (i === 105 ? [0, -0.5] : [0, 0]));
  const out = reshaped(faceOf(), faceOf(), raised);
  const usual = reshaped(faceOf(), faceOf(), faceOf());
  expect(usual[2 * 105 + 1]! - out[2 * 105 + 1]!).toBeGreaterThan(3);
  expect(Math.abs(usual[2 * CHEEK + 1]! - out[2 * CHEEK + 1]!)).toBeLessThan(0.5);
});
