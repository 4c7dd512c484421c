import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';
import { root } from '../../../../src/lib/package-root.ts';
import { openSession } from '../../../../src/pipeline/inference/model-session.ts';
import { readCatalogue } from '../../../../src/pipeline/models/catalogue.ts';
import { modelsDir } from '../../../support/lane.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-models-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const catalogue = readCatalogue(modelsDir);

test('converting the models again gives the same bytes', () => {
  const { status, stderr } = spawnSync('node', [path.join(root, 'scripts/convert-models.mjs'), folder], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  // nsfwjs is not installed.
  for (const { file } of catalogue.models.filter(({ source }) => /^npm (?!nsfwjs)/.test(source)))
    expect(readFileSync(path.join(folder, file)).equals(readFileSync(path.join(modelsDir, file))), file).toBe(true);
});

/**
 * face-crop.json holds what MediaPipe itself (Python package 0.10.14, its own attention mesh on its own runtime, with a
 * region of interest that is the whole picture) finds in face-crop.png, in pixels.
 */
test('the converted face mesh agrees with MediaPipe within 0.05 pixels', async () => {
  const entry = catalogue.forRole('face-mesh');
  const session = await openSession(entry, catalogue.read(entry), { threads: 1 });
  const picture = await sharp(path.join(root, 'test/fixtures/face-crop.png')).removeAlpha().raw().toBuffer();
  for (const [i, value] of picture.entries()) session.inputs.image![i] = value / 255;
  await session.run();
  const expected = JSON.parse(readFileSync(path.join(root, 'test/fixtures/face-crop.json'), 'utf8')) as number[][];
  expect(expected).toHaveLength(478);
  const found = session.outputs.landmarks!;
  for (const [i, point] of expected.entries()) {
    for (const [k, value] of point.entries())
      expect(Math.abs(found[3 * i + k]! - value), `point ${i}, axis ${k}`).toBeLessThan(0.05);
  }
  expect(session.outputs.presence![0]).toBeGreaterThan(3);
  await session.close();
});

describe('a model that is not the released one', () => {
  test('is refused with what happened and what to do', () => {
    const copy = path.join(folder, 'copy');
    cpSync(modelsDir, copy, { recursive: true });
    const changed = readCatalogue(copy);
    const entry = changed.forRole('face-detector');
    writeFileSync(path.join(copy, entry.file), 'not a model');
    expect(() => changed.read(entry)).toThrow(
      /face-detector\.onnx is not the file FaceOff was released with.*git checkout -- models/s,
    );
    rmSync(path.join(copy, entry.file));
    expect(() => changed.read(entry)).toThrow(/cannot be read.*npm run models:convert/s);
  });

  test('is refused when ONNX Runtime cannot use it', async () => {
    const entry = catalogue.forRole('face-detector');
    await expect(openSession(entry, new TextEncoder().encode('nonsense'), { threads: 1 })).rejects.toThrow(
      /Opening the model face-detector failed\. ONNX Runtime cannot use the model/,
    );
  });
});

describe('a session', () => {
  test('writes its outputs in place, run after run', async () => {
    const entry = catalogue.forRole('face-detector');
    const session = await openSession(entry, catalogue.read(entry), { threads: 1 });
    const { scores } = session.outputs;
    await session.run();
    const before = scores!.slice();
    session.inputs.image!.fill(0.5);
    await session.run();
    expect(session.outputs.scores).toBe(scores);
    expect(scores).not.toEqual(before);
    expect(before.some((value) => value !== 0)).toBe(true);
    await session.close();
  });

  test('closes once and refuses to run after', async () => {
    const entry = catalogue.forRole('face-detector');
    const session = await openSession(entry, catalogue.read(entry), { threads: 1 });
    await Promise.all([session.run(), session.close(), session.close()]);
    await expect(session.run()).rejects.toThrow(/was closed/);
  });
});
