/** The visible mark in pictures that others see: “AI” large, “face modified” beside it. */

import { sharp } from '../../lib/sharp.ts';
import { planesOf } from '../../shared/i420.ts';
import type { Corner, Frame } from '../../shared/types.ts';

/** Height of the mark as a share of the frame's shorter side: its words stay legible in a picture of 640x360. */
const SHARE = 0.075;
/** Its least height, in pixels. */
const LEAST = 26;
/** Its distance from the frame's edges, as a share of its own height. */
const MARGIN = 0.35;
/** Most of the frame's width that it may take, as a share. */
const WIDEST = 0.9;
/** Height that it is rendered at, in pixels. */
const RENDERED = 192;
/** Frame sizes that it is kept scaled for; beyond that it is scaled anew. */
const MOST_SIZES = 16;

/** A letter: its width, and its strokes as an SVG path on which capitals are 14 high. */
type Letter = readonly [width: number, path: string];

const BOWL = 'M4 5A4 4.500 0 1 0 4 14A4 4.500 0 1 0 4 5';
const [A, I, a, c, d, e, f, i, m, o]: readonly Letter[] = [
  [10, 'M0 14L5 0L10 14M1.900 9H8.100'],
  [0, 'M0 0V14'],
  [8, `M8 5V14${BOWL}`],
  [7, 'M7 6.500A4 4.500 0 1 0 7 12.500'],
  [8, `M8 0V14${BOWL}`],
  [8, 'M0 9.400H8A4 4.500 0 1 0 6.900 12.600'],
  [4.5, 'M1.500 14V3.200C1.500 1 2.600 0 5 .3M-.5 5.200H4.500'],
  [0, 'M0 5V14M0 .5V1'],
  [12, 'M0 14V5M0 8.500C0 6 1.200 5 3 5S6 6 6 8V14M6 8.500C6 6 7.200 5 9 5S12 6 12 8V14'],
  [8, BOWL],
];
/** A run of letters, how large it is, and the width of its pen, in the letters' units. */
const RUNS = [
  { letters: [A, I], scale: 1.6, pen: 3.6 },
  { letters: [f, a, c, e], scale: 1, pen: 2.1 },
  { letters: [m, o, d, i, f, i, e, d], scale: 1, pen: 2.1 },
] as const;
/** Distance of two letters and of two runs, height of the mark, and the line its letters stand on. */
const GAP = 3.6;
const SPACE = 9;
const HIGH = 33;
const BASELINE = 27;

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

/** The mark for one size of frames: its layers, and its upper left corner in chroma samples. */
interface Layers {
  luma: Layer;
  chroma: Layer;
  x: number;
  y: number;
}

/**
 * Draws the mark. Its letters are strokes, not text, so that it looks the same on machines without fonts. It is
 * rendered once, scaled once for each frame size, and drawn in the time of its pixels. Runs on the main thread.
 */
export class Badge {
  readonly #glyphs: Glyphs;
  readonly #corner: Corner;
  /** Scaled for each frame size. */
  readonly #layers = new Map<string, Layers>();

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
    const { chromaWidth: cw, u, v } = planesOf({ width, height });
    const { luma, chroma, x, y } = this.#fitted(width, height);
    blend(luma, { samples: data.subarray(0, u), stride: width }, 2 * x, 2 * y);
    blend(chroma, { samples: data.subarray(u, v), stride: cw }, x, y);
    blend(chroma, { samples: data.subarray(v), stride: cw }, x, y);
  }

  /** Makes opacities of a picture's pixels at least the mark's, where a transparent picture would hide it. */
  drawOpacity(alpha: Uint8Array, width: number, height: number): void {
    const { luma, x, y } = this.#fitted(width, height);
    for (let row = 0; row < luma.height; row++) {
      for (let column = 0; column < luma.width; column++) {
        const at = (2 * y + row) * width + 2 * x + column;
        alpha[at] = Math.max(alpha[at]!, Math.min(255, 256 - luma.left[row * luma.width + column]!));
      }
    }
  }

  /** The mark as RGBA, for a picture of this size, and where its upper left corner lies there. */
  overlay(width: number, height: number): { data: Buffer; width: number; height: number; left: number; top: number } {
    const { luma, x, y } = this.#fitted(width, height);
    const glyphs = scaled(this.#glyphs, luma.width, luma.height);
    const data = Buffer.alloc(4 * luma.width * luma.height);
    for (let at = 0; at < glyphs.grey.length; at++) {
      const grey = Math.round(255 * glyphs.grey[at]!);
      data.set([grey, grey, grey, Math.round(255 * glyphs.opacity[at]!)], 4 * at);
    }
    return { data, width: luma.width, height: luma.height, left: 2 * x, top: 2 * y };
  }

  /** The mark scaled to the frame's size. It lies on whole chroma samples, so that luma and chroma agree. */
  #fitted(width: number, height: number): Layers {
    const size = `${width}x${height}`;
    const known = this.#layers.get(size);
    if (known !== undefined) return known;
    const ratio = this.#glyphs.width / this.#glyphs.height;
    const high = Math.min(Math.max(LEAST, Math.min(width, height) * SHARE), (width * WIDEST) / ratio, height);
    const h = Math.max(1, Math.round(high / 2));
    const w = Math.max(1, Math.min(width >> 1, Math.round(h * ratio)));
    const { chromaWidth, chromaHeight } = planesOf({ width, height });
    const margin = Math.round(h * MARGIN);
    const fitted = {
      luma: layerOf(scaled(this.#glyphs, 2 * w, 2 * h), (grey) => 16 + 219 * grey),
      chroma: layerOf(scaled(this.#glyphs, w, h), () => 128),
      x: this.#corner.endsWith('left') ? margin : Math.max(0, chromaWidth - w - margin),
      y: this.#corner.startsWith('top') ? margin : Math.max(0, chromaHeight - h - margin),
    };
    if (this.#layers.size === MOST_SIZES) this.#layers.clear();
    this.#layers.set(size, fitted);
    return fitted;
  }
}

/** A plane of the frame; `stride` samples from row to row. */
interface FramePlane {
  samples: Uint8Array;
  stride: number;
}

/** Blends a layer into a plane with its upper left corner at x, y. In a frame of odd size it may reach beyond the plane. */
function blend({ width, height, left, added }: Layer, { samples, stride }: FramePlane, x: number, y: number): void {
  const most = samples.length;
  for (let row = 0, i = 0; row < height; row++) {
    const begin = (y + row) * stride + x;
    const end = Math.min(begin + width, most);
    const next = i + width;
    for (let at = begin; at < end; at++, i++) samples[at] = (samples[at]! * left[i]! + added[i]!) >> 8;
    i = next;
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
  let x = HIGH / 2;
  const strokes = RUNS.flatMap(({ letters, scale, pen }, run) => {
    if (run > 0) x += SPACE;
    return letters.map((letter, at) => {
      const [width, path] = letter!;
      const place = `translate(${x} ${BASELINE - 14 * scale}) scale(${scale})`;
      x += scale * width + (at < letters.length - 1 ? scale * GAP : 0);
      return `<path transform="${place}" stroke-width="${pen / scale}" d="${path}"/>`;
    });
  });
  const wide = x + HIGH / 2;
  const size = `viewBox="0 0 ${wide} ${HIGH}" width="${(RENDERED * wide) / HIGH}" height="${RENDERED}"`;
  const pill = `<rect width="${wide}" height="${HIGH}" rx="${HIGH / 2}" fill="#000" fill-opacity=".72"/>`;
  const letters = `<g fill="none" stroke="#fff" stroke-linecap="round" stroke-linejoin="round">${strokes.join('')}</g>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${pill}${letters}</svg>`;
  const { data, info } = await sharp(Buffer.from(svg)).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  const [opacity, grey] = [3, 0].map((channel) =>
    Float32Array.from({ length: info.width * info.height }, (_, i) => data[4 * i + channel]! / 255),
  ) as [Float32Array, Float32Array];
  return { width: info.width, height: info.height, opacity, grey };
}
