/** A photo's hair, shadows and lamps are removed from the source face. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { ATLAS, atlasPoints, type Planes } from '../../../../../src/pipeline/engines/mesh/source/atlas-layout.ts';
import { delight } from '../../../../../src/pipeline/engines/mesh/source/delight.ts';
import {
  type Areas,
  areasOf,
  findOutliers,
} from '../../../../../src/pipeline/engines/mesh/source/skin-segmentation.ts';
import { BROW_LEFT, BROW_RIGHT, readTopology } from '../../../../../src/pipeline/face/topology.ts';
import { modelsDir } from '../../../../support/lane.ts';

const SKIN = [150, 112, 146] as const;
const HAIR = [50, 122, 134] as const;
/** Points of the canonical face: a cheek, the chin, the middle of the forehead and its top. */
const [CHEEK, CHIN, FOREHEAD, HAIRLINE] = [50, 175, 151, 10];

let at: Float32Array;
let areas: Areas;
beforeAll(async () => {
  const topology = readTopology(await readFile(path.join(modelsDir, 'face-geometry.json')));
  at = atlasPoints(topology);
  areas = areasOf(topology, at);
});

type Colour = readonly [number, number, number];
type Place = readonly [number, number];

const place = (point: number): Place => [Math.round(at[2 * point]!), Math.round(at[2 * point + 1]!)];

/** An atlas whose colours are a function of the place. */
function painted(colour: (x: number, y: number) => Colour): Planes {
  const plane = (k: 0 | 1 | 2, step: 1 | 2): Uint8Array => {
    const size = ATLAS / step;
    return Uint8Array.from({ length: size * size }, (_, p) =>
      Math.round(colour((p % size) * step, Math.floor(p / size) * step)[k]),
    );
  };
  return { y: plane(0, 1), u: plane(1, 2), v: plane(2, 2) };
}

function cleaned(colour: (x: number, y: number) => Colour): Planes {
  const planes = painted(colour);
  delight(planes, areas, findOutliers(planes, areas));
  return planes;
}

const luma = ({ y }: Planes, [column, row]: Place): number => y[row * ATLAS + column]!;
const disc = ([cx, cy]: Place, radius: number, x: number, y: number): boolean => Math.hypot(x - cx, y - cy) < radius;

describe('de-lighting of a source face', () => {
  test('leaves plain skin as it is', () => {
    const { y } = cleaned(() => SKIN);
    expect(y.every((value) => Math.abs(value - SKIN[0]) < 2)).toBe(true);
  });

  test('turns a fringe into skin, without a step where it began', () => {
    const line = (place(HAIRLINE)[1] + place(FOREHEAD)[1]) / 2;
    const planes = cleaned((_, y) => (y < line ? HAIR : SKIN));
    const column = place(FOREHEAD)[0];
    expect(luma(planes, [column, place(HAIRLINE)[1] + 4])).toBeGreaterThan(100);
    const steps = Array.from({ length: 60 }, (_, i) => luma(planes, [column, Math.round(line) - 30 + i]));
    const rises = steps.slice(1).map((value, i) => Math.abs(value - steps[i]!));
    expect(Math.max(...rises)).toBeLessThan(6);
  });

  test('blends a fringe close above the brows softly into the skin between them', () => {
    const [column, brow] = place(BROW_RIGHT[2]!);
    const line = brow - 24;
    const planes = cleaned((_, y) => (y < line ? HAIR : SKIN));
    const steps = Array.from({ length: 20 }, (_, i) => luma(planes, [column, line - 30 + 3 * i]));
    expect(Math.max(...steps.slice(1).map((value, i) => value - steps[i]!))).toBeLessThan(10);
    expect(steps.at(-1)).toBe(SKIN[0]);
  });

  test('keeps soft shade', () => {
    const [top, bottom] = [place(HAIRLINE)[1], place(CHIN)[1]];
    const shade = (y: number): Colour => {
      const share = 0.45 + (0.55 * (y - top)) / (bottom - top);
      return [16 + share * (SKIN[0] - 16), 128 + share * (SKIN[1] - 128), 128 + share * (SKIN[2] - 128)];
    };
    const planes = cleaned((_, y) => shade(y));
    const [x, y] = place(FOREHEAD);
    expect(Math.abs(luma(planes, [x, y]) - shade(y)[0])).toBeLessThan(4);
  });

  test('keeps a beard', () => {
    const beard = place(CHIN);
    const planes = cleaned((x, y) => (disc(beard, 45, x, y) ? [80, 122, 136] : SKIN));
    expect(luma(planes, [beard[0], beard[1] - 30])).toBeLessThan(95);
  });

  test('keeps brows and moles, and removes the reflection of a lamp', () => {
    const cheek = place(CHEEK);
    const mirrored: Place = [ATLAS - cheek[0], cheek[1]];
    const brow = BROW_LEFT.map(place).reduce(([a, b], [x, y]) => [a + x / 10, b + y / 10], [0, 0]);
    const planes = cleaned((x, y) => {
      if (disc(brow as Place, 6, x, y) || disc(mirrored, 5, x, y)) return HAIR;
      return disc(cheek, 14, x, y) ? [235, 128, 128] : SKIN;
    });
    expect(luma(planes, [Math.round(brow[0]!), Math.round(brow[1]!)])).toBeLessThan(70);
    expect(luma(planes, mirrored)).toBeLessThan(70);
    expect(Math.abs(luma(planes, cheek) - SKIN[0])).toBeLessThan(12);
  });

  test("takes half of the room's colour off the skin, and leaves no tint in dark places", () => {
    const warm: Colour = [150, 95, 160];
    const cheek = place(CHEEK);
    const { u, v } = cleaned((x, y) => (disc(cheek, 9, x, y) ? [40, 128, 128] : warm));
    const chroma = (plane: Uint8Array, [x, y]: Place): number => plane[(y >> 1) * (ATLAS / 2) + (x >> 1)]!;
    // White light would make it 112 and 145.
    expect(Math.abs(chroma(u, place(CHIN)) - (95 + 112) / 2)).toBeLessThan(3);
    expect(Math.abs(chroma(v, place(CHIN)) - (160 + 145) / 2)).toBeLessThan(3);
    expect(Math.abs(chroma(u, cheek) - 128)).toBeLessThan(3);
    expect(Math.abs(chroma(v, cheek) - 128)).toBeLessThan(3);
  });
});
