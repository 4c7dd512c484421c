/** The visible mark “AI-modified” in outgoing frames. */

import { sharp } from '../../lib/sharp.ts';
import { planesOf } from '../../shared/i420.ts';
import type { Corner, Frame } from '../../shared/types.ts';

/** Height of the mark as a share of the frame's. */
const SHARE = 0.05;
/** Its least height, in pixels. */
const LEAST = 14;
/** Its distance from the frame's edges, as a share of its own height. */
const MARGIN = 0.5;
/** Most of the frame's width that it may take, as a share. */
const WIDEST = 0.9;
/** Height that it is rendered at, in pixels. */
const RENDERED = 96;

/** The letters as width and SVG path; capitals are 14 high. */
const LETTERS: readonly (readonly [number, string])[] = [
  [10, 'M0 14L5 0L10 14M1.900 9H8.100'],
  [0, 'M0 0V14'],
  [5, 'M0 8.800H5'],
  [12, 'M0 14V5M0 8.500C0 6 1.200 5 3 5S6 6 6 8V14M6 8.500C6 6 7.200 5 9 5S12 6 12 8V14'],
  [8, 'M4 5A4 4.500 0 1 0 4 14A4 4.500 0 1 0 4 5'],
  [8, 'M8 0V14M4 5A4 4.500 0 1 0 4 14A4 4.500 0 1 0 4 5'],
  [0, 'M0 5V14M0 .5V1'],
  [4.5, 'M1.500 14V3.200C1.500 1 2.600 0 5 .3M-.5 5.200H4.500'],
  [0, 'M0 5V14M0 .5V1'],
  [8, 'M0 9.400H8A4 4.500 0 1 0 6.900 12.600'],
  [8, 'M8 0V14M4 5A4 4.500 0 1 0 4 14A4 4.500 0 1 0 4 5'],
];
/** Distance of two letters, and height of the mark, in the letters' units. */
const GAP = 3.6;
const HIGH = 28;

/** Opacity and grey, 0..1 each, of a rendered mark. */
interface Glyphs {
  width: number;
  height: number;
  opacity: Float32Array;
  grey: Float32Array;
}

/** The mark's rectangle in one plane: the share of the frame that stays, in 256ths, and 256 times what is added. */
interface Layer {
  width: number;
  height: number;
  left: Uint16Array;
  added: Uint16Array;
}

/**
 * Draws the mark. Its letters are strokes, not text, so that it looks the same on machines without fonts. It is
 * rendered once, scaled once for each frame size, and drawn in the time of its few thousand pixels.
 */
export class Badge {
  readonly #glyphs: Glyphs;
  readonly #corner: Corner;
  /** Frame size that the layers are scaled for. */
  #size = '';
  #luma: Layer | null = null;
  #chroma: Layer | null = null;

  private constructor(glyphs: Glyphs, corner: Corner) {
    this.#glyphs = glyphs;
    this.#corner = corner;
  }

  /** Renders the mark for a corner of the frame. */
  static async render(corner: Corner): Promise<Badge> {
    return new Badge(await glyphs(), corner);
  }

  /** Draws the mark into a frame in place. */
  draw({ width, height, data }: Frame): void {
    this.#fit(width, height);
    const { chromaWidth: cw, chromaHeight: ch, u, v } = planesOf({ width, height });
    const [luma, chroma] = [this.#luma!, this.#chroma!];
    const margin = Math.round(chroma.height * MARGIN);
    // On whole chroma samples, so that luma and chroma agree.
    const x = this.#corner.endsWith('left') ? margin : Math.max(0, cw - chroma.width - margin);
    const y = this.#corner.startsWith('top') ? margin : Math.max(0, ch - chroma.height - margin);
    blend(luma, { samples: data.subarray(0, u), stride: width }, 2 * x, 2 * y);
    blend(chroma, { samples: data.subarray(u, v), stride: cw }, x, y);
    blend(chroma, { samples: data.subarray(v), stride: cw }, x, y);
  }

  /** Scales the mark to the frame's size. */
  #fit(width: number, height: number): void {
    if (this.#size === `${width}x${height}`) return;
    this.#size = `${width}x${height}`;
    const ratio = this.#glyphs.width / this.#glyphs.height;
    const high = Math.min(Math.max(LEAST, height * SHARE), (width * WIDEST) / ratio, height);
    const h = Math.max(1, Math.round(high / 2));
    const w = Math.max(1, Math.min(width >> 1, Math.round(h * ratio)));
    this.#luma = layerOf(scaled(this.#glyphs, 2 * w, 2 * h), (grey) => 16 + 219 * grey);
    this.#chroma = layerOf(scaled(this.#glyphs, w, h), () => 128);
  }
}

/** A plane of the frame; `stride` samples from row to row. */
interface FramePlane {
  samples: Uint8Array;
  stride: number;
}

/** Blends a layer into a plane with its upper left corner at x, y. */
function blend(layer: Layer, { samples, stride }: FramePlane, x: number, y: number): void {
  const { width, height, left, added } = layer;
  for (let row = 0; row < height; row++) {
    let at = (y + row) * stride + x;
    for (let i = row * width; i < (row + 1) * width; i++, at++) {
      // In a frame of odd size the layer may reach beyond the plane.
      if (at < samples.length) samples[at] = (samples[at]! * left[i]! + added[i]!) >> 8;
    }
  }
}

function layerOf({ width, height, opacity, grey }: Glyphs, level: (grey: number) => number): Layer {
  const left = Uint16Array.from(opacity, (share) => Math.round(256 * (1 - share)));
  const added = Uint16Array.from(opacity, (share, i) => Math.round(256 * share * level(grey[i]!)));
  return { width, height, left, added };
}

/** Shrinks glyphs by the mean over each pixel's area; the grey is weighted by the opacity. */
function scaled(from: Glyphs, width: number, height: number): Glyphs {
  const opacity = new Float32Array(width * height);
  const grey = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [x0, x1] = [Math.floor((x * from.width) / width), Math.ceil(((x + 1) * from.width) / width)];
      const [y0, y1] = [Math.floor((y * from.height) / height), Math.ceil(((y + 1) * from.height) / height)];
      let [sum, light] = [0, 0];
      for (let v = y0; v < y1; v++) {
        for (let u = x0; u < x1; u++) {
          sum += from.opacity[v * from.width + u]!;
          light += from.opacity[v * from.width + u]! * from.grey[v * from.width + u]!;
        }
      }
      opacity[y * width + x] = sum / ((x1 - x0) * (y1 - y0));
      grey[y * width + x] = sum === 0 ? 0 : light / sum;
    }
  }
  return { width, height, opacity, grey };
}

/** Renders the letters on a dark pill. */
async function glyphs(): Promise<Glyphs> {
  let x = 0;
  const strokes = LETTERS.map(([width, path]) => {
    const at = x;
    x += width + GAP;
    return `<path transform="translate(${at} 0)" d="${path}"/>`;
  });
  const wide = x - GAP + HIGH;
  const size = `viewBox="0 0 ${wide} ${HIGH}" width="${(RENDERED * wide) / HIGH}" height="${RENDERED}"`;
  const pill = `<rect width="${wide}" height="${HIGH}" rx="${HIGH / 2}" fill="#000" fill-opacity=".65"/>`;
  const pen = 'fill="none" stroke="#fff" stroke-width="2.100" stroke-linecap="round" stroke-linejoin="round"';
  const letters = `<g transform="translate(${HIGH / 2} 7)" ${pen}>${strokes.join('')}</g>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${pill}${letters}</svg>`;
  const { data, info } = await sharp(Buffer.from(svg)).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  const [opacity, grey] = [3, 0].map((channel) =>
    Float32Array.from({ length: info.width * info.height }, (_, i) => data[4 * i + channel]! / 255),
  ) as [Float32Array, Float32Array];
  return { width: info.width, height: info.height, opacity, grey };
}
