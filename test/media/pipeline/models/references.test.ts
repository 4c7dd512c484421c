import { readFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { beforeAll, expect, test } from 'vitest';
import { root } from '../../../../src/lib/package-root.ts';
import { openSession } from '../../../../src/pipeline/inference/model-session.ts';
import { readCatalogue } from '../../../../src/pipeline/models/catalogue.ts';

/**
 * model-references.json holds the results of other implementations for face-crop.png: the detector and, at every sixteenth
 * column of every eighth row, the person segmenter on LiteRT (Python package ai-edge-litert 2.3.0), the embedding of the inner 150x150 pixels by face-api on TensorFlow.js, and the kinds by nsfwjs's
 * model on TensorFlow.js 4.22, for the picture in the middle of a black square of 224.
 */
interface References {
  detector: { cell: number; score: number; box: number[] }[];
  embedding: number[];
  kinds: number[];
  person: number[];
}

const catalogue = readCatalogue(path.join(root, 'models'));
const fixture = (name: string) => path.join(root, 'test/fixtures', name);
const expected = JSON.parse(readFileSync(fixture('model-references.json'), 'utf8')) as References;
const square = (side: number) => ({ width: side, height: side });
let picture: Buffer;
beforeAll(async () => {
  picture = await sharp(fixture('face-crop.png')).removeAlpha().raw().toBuffer();
});

/** Shows the model of a role a window of the picture, black outside; pixel values become value · scale + shift. */
async function look(
  role: string,
  size: { width: number; height: number },
  scale: number,
  shift: number,
): Promise<Record<string, Float32Array>> {
  const entry = catalogue.forRole(role);
  const session = await openSession(entry, catalogue.read(entry), { threads: 1 });
  const image = session.inputs.image!.fill(shift);
  const { width, height } = size;
  const [left, top] = [(width - 192) / 2, (height - 192) / 2];
  for (let y = Math.max(0, top); y < Math.min(height, height - top); y++) {
    for (let x = Math.max(0, left); x < Math.min(width, width - left); x++) {
      for (let k = 0; k < 3; k++) {
        image[(y * width + x) * 3 + k] = picture[((y - top) * 192 + x - left) * 3 + k]! * scale + shift;
      }
    }
  }
  await session.run();
  await session.close();
  return { ...session.outputs };
}

test('the converted face detector agrees with LiteRT', async () => {
  const { boxes, scores } = await look('face-detector', square(192), 2 / 255, -1);
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
  const { embedding } = await look('face-embedder', square(150), 1, 0);
  expect(expected.embedding).toHaveLength(128);
  for (const [i, value] of expected.embedding.entries()) {
    expect(Math.abs(embedding![i]! - value), `number ${i}`).toBeLessThan(1e-4);
  }
});

test('the converted content check agrees with TensorFlow.js', async () => {
  const { kinds } = await look('content-check', square(224), 1 / 255, 0);
  expect(expected.kinds).toHaveLength(5);
  for (const [i, value] of expected.kinds.entries()) {
    expect(Math.abs(kinds![i]! - value), `kind ${i}`).toBeLessThan(1e-4);
  }
});

test('the converted person segmenter agrees with LiteRT', async () => {
  const size = { width: 256, height: 160 };
  const { person } = await look('person-segmenter', size, 1 / 255, 0);
  expect(expected.person).toHaveLength((size.width / 16) * (size.height / 8));
  for (const [i, value] of expected.person.entries()) {
    const [x, y] = [4 + 16 * (i % 16), 4 + 8 * Math.floor(i / 16)];
    expect(Math.abs(person![y * size.width + x]! - value), `${x}, ${y}`).toBeLessThan(1e-4);
  }
});
