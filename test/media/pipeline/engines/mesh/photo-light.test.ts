import { beforeAll, expect, test } from 'vitest';
import { paintAtlas } from '../../../../../src/pipeline/engines/mesh/source/atlas.ts';
import {
  ATLAS,
  atlasPoints,
  BLACK,
  type Planes,
} from '../../../../../src/pipeline/engines/mesh/source/atlas-layout.ts';
import { PHOTO_LIGHT_TUNING, PhotoLight } from '../../../../../src/pipeline/engines/mesh/source/photo-light.ts';
import { areasOf } from '../../../../../src/pipeline/engines/mesh/source/skin-segmentation.ts';
import { GRID, shrink } from '../../../../../src/pipeline/engines/mesh/source/texel-grid.ts';
import { readTopology } from '../../../../../src/pipeline/face/topology.ts';
import { openSession } from '../../../../../src/pipeline/inference/model-session.ts';
import { readCatalogue } from '../../../../../src/pipeline/models/catalogue.ts';
import { astronaut, modelsDir, readFrame, startLane } from '../../../../support/lane.ts';

const catalogue = readCatalogue(modelsDir);
const topology = readTopology(catalogue.read(catalogue.forRole('face-geometry')));
const areas = areasOf(topology, atlasPoints(topology));
let light: PhotoLight;
let portrait: Planes;

beforeAll(async () => {
  const entry = catalogue.forRole('delight');
  light = new PhotoLight(await openSession(entry, catalogue.read(entry), { threads: 1 }));
  const lane = await startLane();
  const picture = await readFrame(astronaut);
  const [face] = await lane.analyse(picture);
  portrait = paintAtlas([{ picture, points: face!.points }], topology);
  await lane.end();
});

/** The portrait with a factor on the light at each texel, x and y 0..1. */
function litBy(factor: (x: number, y: number) => number): Planes {
  const shade = (plane: Uint8Array, size: number, zero: number): Uint8Array =>
    plane.map((value, p) => {
      const lit = zero + (value - zero) * factor((p % size) / size, Math.floor(p / size) / size);
      return Math.min(255, Math.max(0, Math.round(lit)));
    });
  const { y, u, v } = portrait;
  return { y: shade(y, ATLAS, BLACK), u: shade(u, ATLAS / 2, 128), v: shade(v, ATLAS / 2, 128) };
}
async function unlit(planes: Planes, tuning = PHOTO_LIGHT_TUNING): Promise<Planes> {
  const copy = { y: planes.y.slice(), u: planes.u.slice(), v: planes.v.slice() };
  await light.remove(copy, tuning);
  return copy;
}
/** Mean log of luma of the plain skin in a part of the face. */
function skinLog({ y }: Planes, isPart: (x: number, y: number) => boolean): number {
  const luma = shrink(y, ATLAS);
  const values = [...luma.keys()]
    .filter((p) => areas.core[p] && isPart((p % GRID) / GRID, Math.floor(p / GRID) / GRID))
    .map((p) => Math.log(Math.max(1, luma[p]! - BLACK)));
  return values.reduce((a, b) => a + b, 0) / values.length;
}
const onTheLeft = (x: number): boolean => x < 0.45;
const onTheRight = (x: number): boolean => x > 0.55;
const unevenness = (planes: Planes): number => skinLog(planes, onTheLeft) - skinLog(planes, onTheRight);

test('half a face in the shade is lit more like the other half', async () => {
  const own = unevenness(portrait);
  const shaded = litBy((x) => 1 - 0.55 / (1 + Math.exp((x - 0.45) * 25)));
  expect(Math.abs(unevenness(shaded) - own)).toBeGreaterThan(0.4);
  const left = async (half: number): Promise<number> => {
    const after = await unlit(shaded, { ...PHOTO_LIGHT_TUNING, half });
    return Math.abs(unevenness(after) - own) / Math.abs(unevenness(shaded) - own);
  };
  expect(await left(0)).toBeLessThan(0.6);
  expect(await left(PHOTO_LIGHT_TUNING.half)).toBeLessThan(0.8);
});

test('an evenly lit portrait stays nearly as it is', async () => {
  const after = await unlit(portrait);
  const [before, now] = [shrink(portrait.y, ATLAS), shrink(after.y, ATLAS)];
  const changes = [...before.keys()].filter((p) => areas.core[p]).map((p) => Math.abs(before[p]! - now[p]!));
  expect(changes.reduce((a, b) => a + b, 0) / changes.length).toBeLessThan(8);
});

test('the brightness of the photo as a whole is left alone', async () => {
  const all = (): boolean => true;
  const dim = litBy(() => 0.5);
  expect(Math.abs(skinLog(await unlit(dim), all) - skinLog(dim, all))).toBeLessThan(0.15);
});

test('nothing removed is nothing changed', async () => {
  const copy = { y: portrait.y.slice(), u: portrait.u.slice(), v: portrait.v.slice() };
  await light.remove(copy, { removed: 0, half: 0.2 });
  const change = copy.y.reduce((most, value, p) => Math.max(most, Math.abs(value - portrait.y[p]!)), 0);
  expect(change).toBeLessThanOrEqual(2);
});
