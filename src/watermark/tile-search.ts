/**
 * Finds the tile in a residual whatever the picture's scale and cut: for each size of a cell the residual is folded to
 * one tile, and correlated with the sync chips at every offset at once, and with their mirror image.
 */

import { syncChips, TILE } from './chips.ts';
import { Fourier, type Spectrum } from './fourier.ts';
import type { GrayPicture } from './residual.ts';

/** Samples of a folded tile along a side of a cell, and along a side of the tile. */
const FINE = 4;
const SIDE = FINE * TILE;
const SAMPLES = SIDE * SIDE;

/** How a tile lies in a picture. */
export interface TilePlace {
  /** Size of a cell in pixels, across and down. */
  cellX: number;
  cellY: number;
  /** Where a tile begins, in cells. */
  x: number;
  y: number;
  /** Whether the picture is its mirror image. */
  isMirrored: boolean;
}

/** A place with how far the correlation there stands out, in deviations of the correlation elsewhere. */
export interface FoundTile {
  place: TilePlace;
  score: number;
}

/** Adds a residual up to one tile of SIDE² samples. */
function fold({ width, height, values }: GrayPicture, { cellX, cellY, x, y, isMirrored }: TilePlace): Float64Array {
  const out = new Float64Array(SAMPLES);
  const sample = (at: number): number => ((Math.floor(at) % SIDE) + SIDE) % SIDE;
  const columns = Uint8Array.from({ length: width }, (_, i) => {
    const column = isMirrored ? width - 1 - i : i;
    return sample(FINE * ((column + 0.5) / cellX - x));
  });
  for (let row = 0; row < height; row++) {
    const to = SIDE * sample(FINE * ((row + 0.5) / cellY - y));
    const from = row * width;
    for (let i = 0; i < width; i++) out[to + columns[i]!]! += values[from + i]!;
  }
  const mean = out.reduce((sum, value) => sum + value, 0) / SAMPLES;
  return out.map((value) => value - mean);
}

/** The cell that a sample lies in, row · TILE + column. */
const cellOf = (i: number): number => Math.floor(i / SIDE / FINE) * TILE + Math.floor((i % SIDE) / FINE);

/** The sync chips as samples. */
function syncSamples(): Float64Array {
  const chips = syncChips();
  return Float64Array.from({ length: SAMPLES }, (_, i) => chips[cellOf(i)]!);
}

const mirrored = (samples: Float64Array): Float64Array =>
  samples.map((_, i) => samples[i - (i % SIDE) + (SIDE - 1 - (i % SIDE))]!);

const SYNC = syncSamples();

/** Searches residuals for the tile. Not shared between threads; one search at a time. */
export class TileSearch {
  readonly #fourier = new Fourier(SIDE);
  readonly #direct = this.#spectrumOf(SYNC);
  readonly #mirrored = this.#spectrumOf(mirrored(SYNC));

  #spectrumOf(samples: Float64Array): Spectrum {
    const spectrum = { real: samples.slice(), imaginary: new Float64Array(SAMPLES) };
    this.#fourier.forward(spectrum);
    return spectrum;
  }

  /** The best place for cells of that size, in pixels of the residual. */
  at(picture: GrayPicture, cell: number): FoundTile {
    const origin = { cellX: cell, cellY: cell, x: 0, y: 0, isMirrored: false };
    const { real, imaginary } = this.#spectrumOf(fold(picture, origin));
    const [a, b] = [this.#direct, this.#mirrored];
    // Both correlations are real, so one transform back gives one as its real and the other as its imaginary part.
    const both = { real: new Float64Array(SAMPLES), imaginary: new Float64Array(SAMPLES) };
    for (let i = 0; i < SAMPLES; i++) {
      const [re, im] = [real[i]!, imaginary[i]!];
      const directRe = re * a.real[i]! + im * a.imaginary[i]!;
      const directIm = im * a.real[i]! - re * a.imaginary[i]!;
      const mirroredRe = re * b.real[i]! + im * b.imaginary[i]!;
      const mirroredIm = im * b.real[i]! - re * b.imaginary[i]!;
      both.real[i] = directRe - mirroredIm;
      both.imaginary[i] = directIm + mirroredRe;
    }
    this.#fourier.backward(both);
    const found = [peakOf(both.real), peakOf(both.imaginary)] as const;
    const isMirrored = found[1].score > found[0].score;
    const { at, score } = found[isMirrored ? 1 : 0];
    const [column, row] = [at % SIDE, Math.floor(at / SIDE)];
    // Seen from the other side, the tile begins where its mirror image ends.
    const across = isMirrored ? picture.width / cell - column / FINE : column / FINE;
    return { place: { ...origin, x: across, y: row / FINE, isMirrored }, score };
  }

  /** Moves and stretches a found tile until the correlation there is largest. */
  refine(picture: GrayPicture, found: FoundTile): TilePlace {
    let best = found.place;
    let most = correlation(picture, best);
    for (const reach of REACHES) {
      for (const move of movesOf(picture, reach)) {
        const place = move(best);
        const here = correlation(picture, place);
        if (here <= most) continue;
        [best, most] = [place, here];
      }
    }
    return best;
  }

  /** The value of each cell of the tile at a place, row by row. */
  cells(picture: GrayPicture, place: TilePlace): Float64Array {
    const samples = fold(picture, place);
    const out = new Float64Array(TILE * TILE);
    for (let i = 0; i < SAMPLES; i++) out[cellOf(i)]! += samples[i]!;
    return out;
  }
}

/** Where a correlation is largest, and by how many deviations. */
function peakOf(values: Float64Array): { at: number; score: number } {
  let at = 0;
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    if (values[i]! > values[at]!) at = i;
    squares += values[i]! ** 2;
  }
  // Both the sync chips and the folded residual have the mean 0, and so has their correlation.
  const deviation = Math.sqrt(squares / values.length);
  return { at, score: deviation === 0 ? 0 : values[at]! / deviation };
}

const correlation = (picture: GrayPicture, place: TilePlace): number =>
  fold(picture, place).reduce((sum, value, i) => sum + value * SYNC[i]!, 0);

type Move = (place: TilePlace) => TilePlace;

/** How large the steps of a refinement are, of SHIFT and STRETCH. */
const REACHES = [1, 1, 0.5, 0.5, 0.25] as const;
/** Change of the offset, in cells. */
const SHIFT = 0.2;
/** Relative change of a cell's size. */
const STRETCH = 0.005;

/** Steps to either side, of the offset and of the cell's size. The picture's middle stays where it is as cells are stretched. */
function movesOf({ width, height }: GrayPicture, reach: number): Move[] {
  return [-reach, reach].flatMap((step): Move[] => {
    const factor = 1 + step * STRETCH;
    const kept = (size: number, cell: number): number => ((1 / factor - 1) * size) / (2 * cell);
    return [
      (place) => ({ ...place, x: place.x + step * SHIFT }),
      (place) => ({ ...place, y: place.y + step * SHIFT }),
      (place) => ({ ...place, cellX: place.cellX * factor, x: place.x + kept(width, place.cellX) }),
      (place) => ({ ...place, cellY: place.cellY * factor, y: place.y + kept(height, place.cellY) }),
    ];
  });
}
