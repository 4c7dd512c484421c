/**
 * The source's iris colour on the live eyes: their gaze, lids, pupils and highlights stay. Runs in the lane worker, once
 * a frame for each face.
 */

import { planesOf } from '../../../shared/i420.ts';
import type { Frame } from '../../../shared/types.ts';
import { EYE_LEFT, EYE_RIGHT } from '../../face/topology.ts';
import type { RegionPlanes } from '../../kernels/frame-region.ts';
import { BLACK, GREY } from './source/atlas-layout.ts';

/** Tuning of the irises. Radii are shares of the iris's own. Hand-tuned by eye. */
export const IRIS_TUNING = {
  /** Share of the way to the source's colour; 0..1. */
  share: 1,
  /** Least radius in pixels at which a live iris is coloured; above 0. */
  radiusLeast: 3,
  /** Least radius in pixels at which a photo's iris tells its colour; above 0. */
  photoRadiusLeast: 4,
  /** Least opening of the lids over the iris, in its radii, at which it is coloured and tells; 0 or more. */
  openLeast: 0.5,
  /** Radius from which pixels tell about the colour: within it is the pupil. */
  ringFrom: 0.45,
  /** Radius up to which pixels tell about the colour. */
  ringTo: 0.85,
  /** Radius up to which an iris is coloured in full. */
  edgeFrom: 0.85,
  /** Radius from which nothing is coloured; above `edgeFrom`. */
  edgeTo: 1.1,
  /** Luma above the iris's own, 0..255, from which a pixel begins to be a highlight. */
  highlightFrom: 25,
  /** Luma above the iris's own from which nothing is coloured; above `highlightFrom`. */
  highlightTo: 60,
  /** Bound of the factor on luma, either way; 1 or more. */
  gainMost: 1.8,
  /** Share of what both skins differ by in colour that is the lamp's; 0..1. */
  lampShare: 0.8,
  /** Share of the way that the live iris's colour moves; 0..1 a call, which is every third frame. */
  follow: 0.25,
  /** Least pixels of an iris that tell its colour; 1 or more. */
  pixelsLeast: 10,
};

/** Values of the irises that an experiment may set anew; see `IRIS_TUNING` for units and ranges. */
export type IrisTuning = Readonly<typeof IRIS_TUNING>;

/** The colour of irises, and of the skin below the eyes, which shows the colour of the light. */
export interface IrisColour {
  /** Luma over that of the skin. */
  luma: number;
  /** U and V of the irises off grey, per luma. */
  u: number;
  v: number;
  /** The same of the skin. */
  skinU: number;
  skinV: number;
}

/** The colour of irises in one picture. */
interface SeenIrises extends IrisColour {
  /** Luma above black, 0..255. */
  level: number;
}

/** Luma of white in limited range. */
const WHITE = 235;

/** The parts of one eye among the landmarks. */
interface EyePoints {
  iris: number;
  /** Points on the iris's edge. */
  edge: readonly number[];
  lids: readonly number[];
  /** Points of plain skin below the eye. */
  skin: readonly number[];
}

const EYES: readonly EyePoints[] = [
  { iris: 468, edge: [469, 470, 471, 472], lids: EYE_RIGHT, skin: [117, 118, 101] },
  { iris: 473, edge: [474, 475, 476, 477], lids: EYE_LEFT, skin: [346, 347, 330] },
];

/** An iris in a picture, in its pixels. */
interface Iris {
  x: number;
  y: number;
  radius: number;
  /** The lids' corners: x, y in turn. */
  lids: Float32Array;
}

/** @param points x, y, z of 478. @param shift from the points' place to the picture's. */
function irisIn({ iris, edge, lids }: EyePoints, points: Float32Array, [dx, dy]: readonly [number, number]): Iris {
  const [x, y] = [points[3 * iris]!, points[3 * iris + 1]!];
  const apart = (i: number): number => Math.hypot(points[3 * i]! - x, points[3 * i + 1]! - y);
  const radius = edge.reduce((sum, i) => sum + apart(i), 0) / edge.length;
  const places = new Float32Array(2 * lids.length);
  for (const [k, i] of lids.entries()) {
    places[2 * k] = points[3 * i]! + dx;
    places[2 * k + 1] = points[3 * i + 1]! + dy;
  }
  return { x: x + dx, y: y + dy, radius, lids: places };
}

/** Calls back with each pixel of a picture within `reach` radii of an iris and between the lids. */
function forEachIrisPixel(
  { x, y, radius, lids }: Iris,
  reach: number,
  { width, height }: { width: number; height: number },
  visit: (column: number, row: number, radii: number) => void,
): void {
  const r = reach * radius;
  for (let column = Math.max(0, Math.ceil(x - r)); column <= Math.min(width - 1, x + r); column++) {
    const [top, bottom] = openingAt(lids, column);
    const half = Math.sqrt(Math.max(0, r * r - (column - x) ** 2));
    const end = Math.min(height - 1, y + half, bottom);
    for (let row = Math.max(0, Math.ceil(Math.max(y - half, top))); row <= end; row++)
      visit(column, row, Math.hypot(column - x, row - y) / radius);
  }
}

/** Whether an iris is large enough, and its lids far enough open, for its colour to be seen. */
function isShown({ x, radius, lids }: Iris, { radiusLeast, openLeast }: IrisTuning): boolean {
  const [top, bottom] = openingAt(lids, x);
  return radius >= radiusLeast && bottom - top >= openLeast * radius;
}

/** Where a column crosses the lids: the least and the greatest y; an empty range where it does not. */
function openingAt(lids: Float32Array, column: number): [number, number] {
  let [top, bottom] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let a = lids.length - 2, b = 0; b < lids.length; a = b, b += 2) {
    const [xa, xb] = [lids[a]!, lids[b]!];
    if (xa > column === xb > column) continue;
    const y = lids[a + 1]! + ((column - xa) / (xb - xa)) * (lids[b + 1]! - lids[a + 1]!);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return [top, bottom];
}

/** The iris colour of a photo; null where the eyes are too small or too far shut to tell. */
export function irisColourOf(frame: Frame, points: Float32Array, tuning: IrisTuning = IRIS_TUNING): IrisColour | null {
  const { width, height, data } = frame;
  const { chromaWidth, chromaHeight, u, v } = planesOf(frame);
  const chroma = { stride: chromaWidth, width: chromaWidth, height: chromaHeight };
  const planes: RegionPlanes = {
    bytes: data,
    luma: { at: 0, stride: width, width, height },
    u: { at: u, ...chroma },
    v: { at: v, ...chroma },
  };
  const seen = measureIrises(planes, points, [0, 0], { ...tuning, radiusLeast: tuning.photoRadiusLeast });
  if (seen === null) return null;
  const { level: _, ...colour } = seen;
  return colour;
}

/** @param shift from the points' place to the planes'. @returns null where no iris can be seen. */
function measureIrises(
  planes: RegionPlanes,
  points: Float32Array,
  shift: readonly [number, number],
  tuning: IrisTuning,
): SeenIrises | null {
  const { luma } = planes;
  const { ringFrom, ringTo, pixelsLeast } = tuning;
  const values: number[][] = [[], [], []];
  const skin: number[][] = [[], [], []];
  for (const eye of EYES) {
    const iris = irisIn(eye, points, shift);
    if (!isShown(iris, tuning)) continue;
    for (const i of eye.skin) {
      const [x, y] = [Math.round(points[3 * i]! + shift[0]), Math.round(points[3 * i + 1]! + shift[1])];
      if (x < 0 || y < 0 || x >= luma.width || y >= luma.height) continue;
      collect(skin, planes, x, y);
    }
    forEachIrisPixel(iris, ringTo, luma, (x, y, radii) => {
      if (radii < ringFrom) return;
      collect(values, planes, x, y);
    });
  }
  if (values[0]!.length < pixelsLeast || skin[0]!.length === 0) return null;
  // The median leaves highlights and lashes out.
  const medians = (lists: number[][]): number[] => lists.map((list) => list.sort((a, b) => a - b)[list.length >> 1]!);
  const [own, beside] = [medians(values), medians(skin)];
  const [level, skinLevel] = [Math.max(8, own[0]!), Math.max(8, beside[0]!)];
  return {
    level,
    luma: level / skinLevel,
    u: own[1]! / level,
    v: own[2]! / level,
    skinU: beside[1]! / skinLevel,
    skinV: beside[2]! / skinLevel,
  };
}

/** Adds a pixel's luma above black and its U and V off grey to lists of each. */
function collect(lists: number[][], { bytes, luma, u, v }: RegionPlanes, x: number, y: number): void {
  const c = (y >> 1) * u.stride + (x >> 1);
  lists[0]!.push(bytes[luma.at + y * luma.stride + x]! - BLACK);
  lists[1]!.push(bytes[u.at + c]! - GREY);
  lists[2]!.push(bytes[v.at + c]! - GREY);
}

/** Colours the irises of one live face. */
export class IrisTint {
  readonly #source: IrisColour | null;
  readonly #tuning: IrisTuning;
  #live: SeenIrises | null = null;

  /** @param source null leaves the live colour. */
  constructor(source: IrisColour | null, tuning: IrisTuning = IRIS_TUNING) {
    this.#source = source;
    this.#tuning = tuning;
  }

  /**
   * Measures the live irises, before anything is drawn.
   * @param points x, y, z of 478 in pixels of the frame. @param left, top of the region in the frame.
   */
  follow(planes: RegionPlanes, points: Float32Array, left: number, top: number): void {
    if (this.#source === null) return;
    const now = measureIrises(planes, points, [-left, -top], this.#tuning);
    if (now === null) return;
    const live = this.#live;
    const share = this.#tuning.follow;
    const mix = (key: keyof SeenIrises): number =>
      live === null ? now[key] : live[key] + share * (now[key] - live[key]);
    this.#live = {
      level: mix('level'),
      luma: mix('luma'),
      u: mix('u'),
      v: mix('v'),
      skinU: mix('skinU'),
      skinV: mix('skinV'),
    };
  }

  /**
   * Colours the irises where they were drawn.
   * @param drawn x, y of 468 in pixels of the frame: lids take their irises along. @param strength 0..1.
   */
  draw(
    planes: RegionPlanes,
    points: Float32Array,
    drawn: Float32Array,
    place: { left: number; top: number; strength: number },
  ): void {
    const [source, live] = [this.#source, this.#live];
    if (source === null || live === null) return;
    const { gainMost, lampShare, edgeFrom, edgeTo, highlightFrom, highlightTo, share } = this.#tuning;
    const { bytes, luma, u, v } = planes;
    const amount = share * place.strength;
    const gain = 1 + amount * (Math.min(gainMost, Math.max(1 / gainMost, source.luma / live.luma)) - 1);
    // A lamp that colours the skin colours the irises too.
    const toU = source.u + lampShare * (live.skinU - source.skinU) - live.u;
    const toV = source.v + lampShare * (live.skinV - source.skinV) - live.v;
    for (const eye of EYES) {
      let [dx, dy] = [-place.left, -place.top];
      for (const i of eye.lids) {
        dx += (drawn[2 * i]! - points[3 * i]!) / eye.lids.length;
        dy += (drawn[2 * i + 1]! - points[3 * i + 1]!) / eye.lids.length;
      }
      const iris = irisIn(eye, points, [dx, dy]);
      // The drawn lids have some of the source's shape.
      for (const [k, i] of eye.lids.entries()) {
        iris.lids[2 * k] = drawn[2 * i]! - place.left;
        iris.lids[2 * k + 1] = drawn[2 * i + 1]! - place.top;
      }
      if (!isShown(iris, this.#tuning)) continue;
      forEachIrisPixel(iris, edgeTo, luma, (x, y, radii) => {
        const at = luma.at + y * luma.stride + x;
        const before = bytes[at]!;
        const edge = Math.min(1, (edgeTo - radii) / (edgeTo - edgeFrom));
        const dull = Math.min(
          1,
          Math.max(0, (highlightTo - (before - BLACK - live.level)) / (highlightTo - highlightFrom)),
        );
        const weight = edge * dull;
        const after = before + weight * (gain - 1) * (before - BLACK);
        bytes[at] = Math.min(WHITE, after);
        if ((x & 1) !== 0 || (y & 1) !== 0) return;
        const c = (y >> 1) * u.stride + (x >> 1);
        const scale = weight * amount * (after - BLACK);
        bytes[u.at + c] = Math.min(240, Math.max(16, bytes[u.at + c]! + scale * toU));
        bytes[v.at + c] = Math.min(240, Math.max(16, bytes[v.at + c]! + scale * toV));
      });
    }
  }
}
