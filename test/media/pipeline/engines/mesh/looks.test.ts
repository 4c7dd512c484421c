/**
 * The looks of the swap, over clips that the bench composes (`npm run bench -- looks`). The bounds lie a fifth
 * beyond what was measured when they were set, those of detail further: they tell when looks fall.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLIPS, type ClipRecipe } from '../../../../../bench/looks/compose.ts';
import { type LookBench, openLooks } from '../../../../../bench/looks/looks.ts';

let bench: LookBench;
beforeAll(async () => {
  bench = await openLooks();
});
afterAll(() => bench.end());

const clip = (name: string): ClipRecipe => CLIPS.find((recipe) => recipe.name === name)!;
const FRAMES = 24;
/** Peak signal to noise, in decibels, of what stays in front. */
const LEAST_DB = 30;

describe('looks', () => {
  test.each([
    ['dim-room', { patchiness: 3, tintShift: 0.5, tintPatchiness: 3.4 }],
    ['warm-lamp', { patchiness: 3.8, tintShift: 2.8, tintPatchiness: 3 }],
    ['side-lamp', { patchiness: 4.4, tintShift: 2.5, tintPatchiness: 3.2 }],
  ])('of a face in the light of %s', async (name, most) => {
    const figures = await bench.run(clip(name), FRAMES);
    console.log(name, figures);
    expect(figures.toSource).toBeLessThan(0.85 * figures.toSourceBefore);
    expect(figures.patchiness).toBeLessThan(most.patchiness);
    expect(figures.tintShift).toBeLessThan(most.tintShift);
    expect(figures.tintPatchiness).toBeLessThan(most.tintPatchiness);
    expect(figures.seam).toBeLessThan(1.15);
    expect(figures.detail).toBeGreaterThan(0.6);
    expect(figures.detail).toBeLessThan(1.7);
    expect(figures.flicker).toBeLessThan(1.45);
  });

  test.each(['glasses', 'strand'])('leave %s in front of a face that is swapped, in every frame', async (name) => {
    const worn = await bench.run(clip(name), FRAMES);
    const { prop: _, ...without } = clip(name);
    const bare = await bench.run({ ...without, name: `${name}-without` }, FRAMES);
    console.log(name, worn.propDb, worn.change, bare.change);
    expect(worn.propDb).toBeGreaterThan(LEAST_DB);
    expect(worn.change).toBeGreaterThan(0.6 * bare.change);
    expect(bare.propDb).toBeNull();
  });
});
