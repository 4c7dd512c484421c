/** The content check with its model, in its thread, behind the guard of a stream. */

import { mkdtempSync, rmSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { defaultConfig } from '../../../../src/config.ts';
import { rgbToFrame } from '../../../../src/faces/portrait.ts';
import { root } from '../../../../src/lib/package-root.ts';
import { ContentCheck } from '../../../../src/pipeline/content/content-check.ts';
import { sampleOf } from '../../../../src/pipeline/content/sample.ts';
import type { Frame } from '../../../../src/shared/types.ts';
import { astronaut, cutFrame, group, modelsDir, readFrame } from '../../../support/lane.ts';

const { contentThreshold } = defaultConfig().safety;
let check: ContentCheck;
beforeAll(async () => {
  check = new ContentCheck(modelsDir);
  await check.start();
});
afterAll(() => check.close());

const scoreOf = (frame: Frame): Promise<number> => check.score(sampleOf(frame));

/**
 * content-positive.png is no picture of anyone: 16 x 16 colours, left and right alike, that a search by
 * the model's score (evolution strategies) found from a skin-coloured ellipse on a grey ground.
 */
async function composed(width: number, height: number): Promise<Frame> {
  const { data } = await sharp(path.join(root, 'test/fixtures/content-positive.png'))
    .resize(width, height, { fit: 'fill', kernel: 'linear' })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return rgbToFrame(data, width, height, 3);
}

test.each([
  [224, 224],
  [640, 480],
  [1280, 720],
])('a composed picture of %i x %i is above the threshold', async (width, height) => {
  expect(await scoreOf(await composed(width, height))).toBeGreaterThan(contentThreshold);
});

test('a portrait and parts of a group are below it', async () => {
  expect(await scoreOf(await readFrame(astronaut))).toBeLessThan(contentThreshold);
  for (const left of [0, 300, 600, 900, 1280]) {
    const frame = await cutFrame(group, { left, top: 120, width: 640, height: 480 }, 640, 480);
    expect(await scoreOf(frame)).toBeLessThan(contentThreshold);
  }
});

describe('without its model', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-content-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('every check is refused in a sentence, and the thread ends', async () => {
    await cp(path.join(modelsDir, 'models.yaml'), path.join(folder, 'models.yaml'));
    const without = new ContentCheck(folder);
    for (const attempt of [() => without.start(), () => without.score(sampleOf(blank()))])
      await expect(attempt()).rejects.toMatchObject({
        code: 'shipped_model_missing',
        message: expect.stringMatching(/content-check\.onnx cannot be read/),
      });
    await without.close();
  });
});

test('a check that is closed takes no more', async () => {
  const closed = new ContentCheck(modelsDir);
  expect(await closed.score(sampleOf(blank()))).toBeLessThan(contentThreshold);
  await closed.close();
  await closed.close();
  await expect(closed.score(sampleOf(blank()))).rejects.toMatchObject({ code: 'closing' });
});

const blank = (): Frame => rgbToFrame(new Uint8Array(64 * 64 * 3).fill(90), 64, 64, 3);

test.each([
  ['hangs', 'SIGSTOP', /did not answer for 5 seconds and was killed/],
  ['dies', 'SIGKILL', /ended with SIGKILL/],
] as const)(
  'a process that %s refuses its checks, and a later check has another one',
  async (_what, signal, why) => {
    const told: string[] = [];
    const lossy = new ContentCheck(modelsDir, {
      onLost: ({ message }, restarts) => told.push(`${restarts}: ${message}`),
    });
    try {
      expect(await lossy.score(sampleOf(blank()))).toBeLessThan(contentThreshold);
      const first = lossy.pid!;
      process.kill(first, signal);
      const lost = { code: 'content_check_lost', message: expect.stringMatching(why) };
      const checks = [0, 1].map(() => lossy.score(sampleOf(blank())));
      for (const check of checks) await expect(check).rejects.toMatchObject(lost);
      // At once there is no other one yet.
      await expect(lossy.score(sampleOf(blank()))).rejects.toMatchObject(lost);
      expect(told).toEqual([expect.stringMatching(why)]);
      await vi.waitFor(async () => expect(await lossy.score(sampleOf(blank()))).toBeLessThan(contentThreshold), {
        timeout: 30_000,
        interval: 200,
      });
      expect(lossy.pid).not.toBe(first);
      expect(() => process.kill(first, 0)).toThrow(/ESRCH/);
      expect(lossy.restarts).toBe(1);
    } finally {
      await lossy.close();
    }
  },
  60_000,
);
