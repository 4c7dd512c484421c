/** Values of the tuning reach the stages from `MeshEngine`, so that an experiment needs no edit of a stage. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { LiveFace, Looks } from '../../../../../src/pipeline/engines/engine.ts';
import { MeshEngine } from '../../../../../src/pipeline/engines/mesh/mesh-engine.ts';
import { MESH_TUNING, type MeshTuning } from '../../../../../src/pipeline/engines/mesh/mesh-tuning.ts';
import { ShapeTransfer } from '../../../../../src/pipeline/engines/mesh/shape.ts';
import { lipColumns, ShapeDifference } from '../../../../../src/pipeline/engines/mesh/shape-difference.ts';
import { CROP } from '../../../../../src/pipeline/face/landmarks.ts';
import { ALL_POINTS, POINTS, readTopology } from '../../../../../src/pipeline/face/topology.ts';
import { Kernels } from '../../../../../src/pipeline/kernels/kernels.ts';
import type { Frame } from '../../../../../src/shared/types.ts';
import { modelsDir } from '../../../../support/lane.ts';

const topology = readTopology(await readFile(path.join(modelsDir, 'face-geometry.json')));
const SIDE = 400;
const SOURCE = 150;
const LIVE = 110;
const CHEEK = 50;
/** The middle of the upper lip's inner edge, which moves with the mouth as a whole. */
const LIP = 13;

const points = new Float32Array(ALL_POINTS * 3);
for (let i = 0; i < POINTS; i++) {
  const [x, y, z] = topology.vertices.subarray(3 * i, 3 * i + 3);
  points.set([SIDE / 2 + 18 * x!, SIDE / 2 - 18 * y!, -18 * z!], 3 * i);
}

/** A picture of one luma and one colour. */
function plain(luma: number): Frame {
  const data = new Uint8Array((SIDE * SIDE * 3) / 2).fill(luma);
  data.fill(112, SIDE * SIDE, (SIDE * SIDE * 5) / 4);
  data.fill(146, (SIDE * SIDE * 5) / 4);
  return { width: SIDE, height: SIDE, data, receivedAtMs: 0 };
}

/** Luma of the cheek after a swap that leaves the light of the photo as it is. */
async function swappedLuma(tuning: MeshTuning): Promise<number> {
  const kernels = await Kernels.load(SIDE * SIDE);
  const engine = new MeshEngine(kernels, topology, { tuning });
  const swapper = engine.swapper(await engine.enrol([{ picture: plain(SOURCE), points }]));
  const looks: Looks = { strength: 1, shape: 0, colour: 0, sharpness: 1, keepEyes: false, keepMouth: false };
  const square = { x: SIDE / 2, y: SIDE / 2, side: 380, angle: 0 };
  const crop = kernels.floats(CROP * CROP * 3);
  const frame = plain(LIVE);
  const region = kernels.load(frame, { x: 0, y: 0, width: SIDE, height: SIDE });
  region.crop(square, { values: crop, n: CROP });
  const live: LiveFace = { points, square, crop, region, isRepeat: false };
  await swapper.swap(frame, live, looks);
  swapper.close();
  return frame.data[Math.round(points[3 * CHEEK + 1]!) * SIDE + Math.round(points[3 * CHEEK]!)]!;
}

test('a changed opacity is drawn', async () => {
  const usual = await swappedLuma(MESH_TUNING);
  const half = await swappedLuma({ ...MESH_TUNING, opacity: { ...MESH_TUNING.opacity, most: 0.5 } });
  expect(Math.abs(usual - (LIVE + MESH_TUNING.opacity.most * (SOURCE - LIVE)))).toBeLessThan(3);
  expect(Math.abs(half - (LIVE + 0.5 * (SOURCE - LIVE)))).toBeLessThan(3);
});

test('a changed share of the shape moves the points', () => {
  const wide = points.map((value, at) => (at % 3 === 0 ? SIDE / 2 + 1.2 * (value - SIDE / 2) : value));
  const moved = (mouthShare: number): number => {
    const out = new Float32Array(POINTS * 2);
    const difference = new ShapeDifference(wide, lipColumns(topology));
    difference.follow(points);
    new ShapeTransfer(topology, { ...MESH_TUNING.shape, mouthShare }).reshape(points, difference, 1, out);
    return Math.hypot(out[2 * LIP]! - points[3 * LIP]!, out[2 * LIP + 1]! - points[3 * LIP + 1]!);
  };
  expect(moved(0)).toBeCloseTo(0, 3);
  expect(moved(0.6)).toBeGreaterThan(1.5 * moved(0.3));
});
