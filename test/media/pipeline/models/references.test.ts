import { readFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { beforeAll, expect, test } from 'vitest';
import { root } from '../../../../src/lib/package-root.ts';
import { openSession } from '../../../../src/pipeline/inference/model-session.ts';
import { readCatalogue } from '../../../../src/pipeline/models/catalogue.ts';

/**
 * model-references.json holds the results of other implementations for face-crop.png: the detector on LiteRT (Python package
 * ai-edge-litert 2.3.0), the embedding of the inner 150x150 pixels by face-api on TensorFlow.js, and the kinds by nsfwjs's
 * model on TensorFlow.js 4.22, for the picture in the middle of a black square of 224.
 */
interface References {
  detector: { cell: number; score: number; box: number[] }[];
  embedding: number[];
  kinds: number[];
}

const catalogue = readCatalogue(path.join(root, 'models'));
const fixture = (name: string) => path.join(root, 'test/fixtures', name);
const expected = JSON.parse(readFileSync(fixture('model-references.json'), 'utf8')) as References;
let picture: Buffer;
beforeAll(async () => {
  picture = await sharp(fixture('face-crop.png')).removeAlpha().raw().toBuffer();
});

/** Shows the model of a role a window of the picture, black outside; pixel values become value · scale + shift. */
async function look(role: string, side: number, scale: number, shift: number): Promise<Record<string, Float32Array>> {
  const entry = catalogue.forRole(role);
  const session = await openSession(entry, catalogue.read(entry), { threads: 1 });
  const image = session.inputs.image!.fill(shift);
  const margin = (side - 192) / 2;
  for (let y = Math.max(0, margin); y < Math.min(side, side - margin); y++) {
    for (let x = Math.max(0, margin); x < Math.min(side, side - margin); x++) {
      for (let k = 0; k < 3; k++) {
        image[(y * side + x) * 3 + k] = picture[((y - margin) * 192 + x - margin) * 3 + k]! * scale + shift;
      }
    }
  }
  await session.run();
  await session.close();
  return { ...session.outputs };
}

test('the converted face detector agrees with LiteRT', async () => {
  const { boxes, scores } = await look('face-detector', 192, 2 / 255, -1);
  const certain = expected.detector.reduce((a, b) => (b.score > a.score ? b : a));
  expect(scores!.indexOf(Math.max(...scores!))).toBe(certain.cell);
  for (const { cell, score, box } of expected.detector) {
    expect(Math.abs(scores![cell]! - score), `cell ${cell}, score`).toBeLessThan(1e-3);
    for (const [k, value] of box.entries()) {
      expect(Math.abs(boxes![16 * cell + k]! - value), `cell ${cell}, number ${k}`).toBeLessThan(0.01);
    }
  }
});

test('the converted face embedder agrees with face-api', async () => {
  const { embedding } = await look('face-embedder', 150, 1, 0);
  expect(expected.embedding).toHaveLength(128);
  for (const [i, value] of expected.embedding.entries()) {
    expect(Math.abs(embedding![i]! - value), `number ${i}`).toBeLessThan(1e-4);
  }
});

test('the converted content check agrees with TensorFlow.js', async () => {
  const { kinds } = await look('content-check', 224, 1 / 255, 0);
  expect(expected.kinds).toHaveLength(5);
  for (const [i, value] of expected.kinds.entries()) {
    expect(Math.abs(kinds![i]! - value), `kind ${i}`).toBeLessThan(1e-4);
  }
});
