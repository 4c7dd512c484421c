/**
 * Makes the painted portraits of models/portraits/ from photographs of the paintings (NOTICE names them):
 * `node scripts/paintings.mjs FOLDER`. Cuts each to the head, closes the cracks of its paint and the weave of its canvas,
 * which the swap would show as lines on a live skin, and fills bands that lie on a forehead with the skin beside them.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import sharp from 'sharp';

/**
 * `head`: the square to keep, in pixels of the photograph: left, top, side. `median`: side of the filter's window.
 * `saturation`: what is left of the colour, where old varnish has turned yellow.
 * `bands`: lines to fill, as points x, y, with half their thickness.
 */
const PAINTINGS = {
  'adele-bloch-bauer': { head: [40, 20, 380], median: 0 },
  'girl-with-a-pearl-earring': { head: [30, 200, 720], median: 5 },
  'lady-with-an-ermine': {
    head: [130, 70, 500],
    median: 7,
    bands: [
      { half: 8, line: [312, 292, 340, 279, 356, 269, 380, 266, 420, 265, 452, 264, 500, 265, 556, 266] },
      { half: 7, line: [210, 227, 296, 225, 340, 218, 436, 216, 484, 217, 550, 224] },
    ],
  },
  'mona-lisa': { head: [80, 60, 600], median: 7, saturation: 0.6 },
  'straw-hat': { head: [180, 180, 480], median: 3 },
};

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('Name the folder of the photographs.');
const out = 'models/portraits';
mkdirSync(out, { recursive: true });
for (const [name, { head, median, saturation = 1, bands = [] }] of Object.entries(PAINTINGS)) {
  const photo = sharp(path.join(folder, `${name}.jpg`)).removeAlpha();
  const { data, info } = await (median > 0 ? photo.median(median) : photo).raw().toBuffer({ resolveWithObject: true });
  for (const band of bands) fill(data, info, band);
  const [left, top, side] = head;
  await sharp(data, { raw: info })
    .extract({ left, top, width: side, height: side })
    .modulate({ saturation })
    .webp({ quality: 88 })
    .toFile(path.join(out, `${name}.webp`));
}

/** Replaces each column of a band by the way from the pixels above it to those below. */
function fill(data, { width, channels }, { half, line }) {
  for (let k = 0; k + 3 < line.length; k += 2) {
    const [x0, y0, x1, y1] = line.slice(k, k + 4);
    for (let x = x0; x < x1; x++) {
      const middle = Math.round(y0 + ((x - x0) / (x1 - x0)) * (y1 - y0));
      for (let y = middle - half; y <= middle + half; y++) {
        const share = (y - (middle - half)) / (2 * half);
        for (let c = 0; c < channels; c++) {
          const at = (row) => data[(row * width + x) * channels + c];
          data[(y * width + x) * channels + c] = at(middle - half - 1) * (1 - share) + at(middle + half + 1) * share;
        }
      }
    }
  }
}
