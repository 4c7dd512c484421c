import { expect, test } from 'vitest';
import { ATLAS, BLACK } from '../../../../../src/pipeline/engines/mesh/source/atlas-layout.ts';
import { mergeViews, type PaintedView } from '../../../../../src/pipeline/engines/mesh/source/merge-views.ts';
import { GRID } from '../../../../../src/pipeline/engines/mesh/source/texel-grid.ts';

const HALF = ATLAS / 2;

/** A view of skin with freckles under a light. @param sees how squarely a column, 0..1, is seen. */
function view(light: number, chroma: number, sees: (x: number) => number): PaintedView {
  const luma = (p: number): number => {
    const [x, y] = [p % ATLAS, Math.floor(p / ATLAS)];
    return (x % 16 < 3 && y % 16 < 3 ? 60 : 90) * light;
  };
  const weightAt = (x: number): number => sees(x) ** 4;
  return {
    planes: {
      y: Uint8Array.from({ length: ATLAS * ATLAS }, (_, p) => BLACK + luma(p)),
      u: new Uint8Array(HALF * HALF).fill(110),
      v: new Uint8Array(HALF * HALF).fill(chroma),
    },
    weight: Float32Array.from({ length: ATLAS * ATLAS }, (_, p) => weightAt((p % ATLAS) / ATLAS)),
    chromaWeight: Float32Array.from({ length: HALF * HALF }, (_, p) => weightAt((p % HALF) / HALF)),
    visibility: Float32Array.from({ length: GRID * GRID }, (_, p) => sees((p % GRID) / GRID)),
  };
}

const row = (plane: Uint8Array, size: number, at: number): number => {
  // A row without freckles.
  const y = Math.floor((size / ATLAS) * (16 * 10 + 8));
  return plane[y * size + Math.floor(at * size)]!;
};

test('a view in another light is given the light of the first one', () => {
  const seenLeft = (x: number): number => Math.max(0, Math.min(1, 1.4 - 1.6 * x));
  const seenRight = (x: number): number => Math.max(0, Math.min(1, 1.6 * x - 0.2));
  const { planes } = mergeViews([view(0.5, 150, seenLeft), view(1, 138, seenRight)]);
  const lumas = [0.1, 0.3, 0.5, 0.7, 0.9].map((x) => row(planes.y, ATLAS, x) - BLACK);
  for (const luma of lumas) expect(Math.abs(luma - 45)).toBeLessThan(4);
  for (const x of [0.1, 0.5, 0.9]) expect(Math.abs(row(planes.v, HALF, x) - 150)).toBeLessThan(3);
  // Freckles of the second view stay: they are no light.
  const freckle = planes.y[(16 * 10 + 1) * ATLAS + 16 * 28 + 1]! - BLACK;
  expect(Math.abs(freckle - 30)).toBeLessThan(5);
});

test('views that see nothing in common keep their own light', () => {
  const { planes } = mergeViews([view(1, 140, (x) => (x < 0.4 ? 1 : 0)), view(0.6, 140, (x) => (x > 0.6 ? 1 : 0))]);
  expect(row(planes.y, ATLAS, 0.2) - BLACK).toBe(90);
  // Nothing tells what the light is: the second one keeps its own.
  expect(Math.abs(row(planes.y, ATLAS, 0.8) - BLACK - 54)).toBeLessThan(2);
});

test('one view is merged as it is', () => {
  const only = view(1, 140, () => 1);
  expect(mergeViews([only]).planes.y).toEqual(only.planes.y);
  expect(() => mergeViews([])).toThrow(RangeError);
});
