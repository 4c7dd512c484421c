/**
 * What stands in front of the face: a hand, a cup, a microphone, hair. The mesh gives every frame a small map of the live
 * face, whatever way the head is turned. A running model of that map (mean and usual deviation, texel by texel) knows what
 * the face looks like; what suddenly looks otherwise, once the room's light is evened out, is not the face and stays.
 */

import type { Rect } from '../../../shared/geometry.ts';
import { CROP } from '../../face/landmarks.ts';
import { POINTS, type Topology } from '../../face/topology.ts';
import type { Kernels, MeshPoint } from '../../kernels/kernels.ts';
import { ATLAS, atlasPoints, forEachPixel } from './source/atlas.ts';
import { fitPlane } from './source/fit-plane.ts';

/** Side of the map in texels. */
export const MAP = 64;
const TEXELS = MAP * MAP;
const NONE = 0xffff;
/** Texels left out between those the light is fitted to, and frames between looks at the model's edges: both change slowly. */
const LIGHT_STEP = 4;
const EDGE_FRAMES = 8;
/** Frames before the model is believed. */
const FIRST = 4;
/** Frames it looks at every texel of; later at every second one in turns, as on a chessboard, while nothing is in front. */
const EARLY = 16;
/** How fast the model follows what it takes for the face, and what it does not: something that stays becomes part of it. */
const FOLLOW = 0.12;
const FOLLOW_FRONT = 0.004;
/** With more of the map than this in front the mesh itself may be led astray, and nothing is taken for the face at once. */
const ASTRAY = 0.04;
/** What differs by more than this many usual deviations and so many steps of luma or chroma is in front. */
const DEVIATIONS = 2.5;
const LUMA_LEAST = 12;
const CHROMA_LEAST = 5;
/** From this share of that on a texel is marked, with half as much more wholly. */
const MARK_FROM = 0.75;
/** Of the marks in a texel's neighbourhood the mean must be more. */
const MEAN_LEAST = 0.4;
/**
 * What is in front comes in from beside the face, or out of the mouth. A mark of less than the first share of the map that touches neither
 * is a shadow's edge or a highlight that moved over the skin, and is learned; so is one of less than the second that lies where
 * nothing was in front a frame ago. From there on it may be a hand whose arm looks like the skin behind it.
 */
const [ISLAND, NEW_ISLAND] = [0.03, 0.12];
/** So much of an island must lie where something was. */
const STAYS = 0.25;
/** At edges the slightest slip of the mesh changes the luma by part of the step between texels. */
const SLIP = 0.7;
/** Lids, brows and lips move in ways the mesh does not tell. */
const LIVELY = 1.4;
/** What is seen at another angle than usual is lit otherwise: so much more, per step of the cosine. */
const TURN = 1.5;
/** How much of the mask stays from frame to frame: gone within three. */
const LINGER = 0.4;
/** Parts turned further away than this cosine say nothing. */
const SEEN_LEAST = 0.2;
/** Seen at a cosine so different from what it was learned at, a part is as good as new. */
const VIEW_APART = 0.35;
/** When more of the map than this is in front for so many frames, it is the model that is wrong. */
const TOO_MUCH = 0.7;
const TOO_LONG = 20;

/** First and end of a part of the map's texels: the white ones, the black ones or all. */
export type MapRange = readonly [number, number];

/** The map's texels on the mesh, shared by every face. */
export class FaceMap {
  readonly #kernels: Kernels;
  /** The texels' places on the mesh, up to `half` and from there. */
  readonly #places: readonly [Uint8Array, Uint8Array];
  readonly #sampled: Float32Array;
  /** Map index of each texel that shows skin, its place −0.5..0.5, and a corner of its triangle: the white of a chessboard first. */
  readonly texels: Uint16Array;
  /** How many of them are white. */
  readonly half: number;
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly corner: Uint16Array;
  /** How much more than elsewhere a texel may change by itself. */
  readonly tolerance: Float32Array;
  /** For each texel of the list, where in the list the four beside it are; NONE where there is none. */
  readonly beside: Uint16Array;
  /** Texel under each of 468 points. */
  readonly under: Uint16Array;
  /** Texels of the whole face, holes included. */
  readonly inside: Uint8Array;
  /** Texels by which something can come in front: beside the face, and at the opening of the mouth, which closed is but a line. */
  readonly outside: Uint8Array;

  constructor(kernels: Kernels, topology: Topology) {
    this.#kernels = kernels;
    const at = atlasPoints(topology).map((value) => (value * MAP) / ATLAS);
    const found = new Map<number, MeshPoint>();
    this.inside = new Uint8Array(TEXELS);
    for (const mesh of [topology.skin, topology.holes]) {
      for (let t = 0; t < mesh.length; t += 3) {
        forEachPixel(mesh.subarray(t, t + 3), at, MAP, (texel, i, j, k, p, q, r) => {
          this.inside[texel] = 1;
          if (mesh === topology.holes || found.has(texel)) return;
          found.set(texel, { corners: [i, j, k], weights: [p, q, r] });
        });
      }
    }
    const white = (texel: number): boolean => (texel + Math.floor(texel / MAP)) % 2 === 0;
    const texels = [...found.keys()].sort((a, b) => Number(white(b)) - Number(white(a)));
    const places = texels.map((texel) => found.get(texel)!);
    this.half = texels.filter(white).length;
    const { fromEyes, fromMouth } = topology;
    this.#places = [kernels.places(places.slice(0, this.half)), kernels.places(places.slice(this.half))];
    this.#sampled = kernels.floats(places.length * 3);
    this.texels = Uint16Array.from(texels);
    this.x = Float32Array.from(texels, (t) => (t % MAP) / MAP - 0.5);
    this.y = Float32Array.from(texels, (t) => Math.floor(t / MAP) / MAP - 0.5);
    const index = new Uint16Array(TEXELS).fill(NONE);
    for (const [k, texel] of texels.entries()) index[texel] = k;
    this.beside = Uint16Array.from(
      texels.flatMap((t) => [t - 1, t + 1, t - MAP, t + MAP].map((n) => index[n] ?? NONE)),
    );
    this.corner = Uint16Array.from(places, ({ corners }) => corners[0]);
    this.tolerance = Float32Array.from(this.corner, (i) => (fromEyes[i]! <= 2 || fromMouth[i]! <= 2 ? LIVELY : 1));
    this.under = Uint16Array.from({ length: POINTS }, (_, i) => {
      const place = (value: number): number => Math.min(MAP - 1, Math.max(0, Math.floor(value)));
      return place(at[2 * i + 1]!) * MAP + place(at[2 * i]!);
    });
    const mouth = new Set(this.under.filter((_, i) => fromMouth[i] === 0));
    this.outside = this.inside.map((inside, texel) => (inside === 0 || mouth.has(texel) ? 1 : 0));
  }

  /**
   * Y, U, V of each texel of a face, into a buffer that the next call overwrites.
   * @param points x, y in the crop. @param part of the texels; the others stay as they were.
   */
  sample(crop: Float32Array, points: Float32Array, [from, to]: MapRange): Float32Array {
    const [white, black] = this.#places;
    const sampled = this.#sampled;
    const seen = { values: crop, n: CROP };
    if (from < this.half) this.#kernels.coloursAt(seen, points, white, sampled);
    if (to > this.half) this.#kernels.coloursAt(seen, points, black, sampled.subarray(3 * this.half));
    return sampled;
  }
}

/** The model of one live face, and what is in front of it now. */
export class Occlusion {
  readonly #map: FaceMap;
  readonly #mean: Float32Array;
  /** Usual deviation of luma and of chroma. */
  readonly #usual: Float32Array;
  /** How squarely each texel used to be seen, and how often it was. */
  readonly #view: Float32Array;
  readonly #looks: Uint16Array;
  readonly #raw = new Float32Array(TEXELS);
  /** How much luma a slip of the mesh may change at each texel. */
  readonly #slip: Float32Array;
  readonly #moments = new Float64Array(9);
  readonly #known = new Uint8Array(TEXELS);
  readonly #visited = new Uint8Array(TEXELS);
  readonly #soft = new Float32Array(TEXELS);
  /** 0 the face, 255 something in front, MAP² texels. */
  readonly mask = new Uint8Array(TEXELS);
  /** Whether anything is, and where on the map. */
  any = false;
  area: Rect = { x: 0, y: 0, width: 0, height: 0 };
  /** Share of the map that is in front. */
  #covered = 0;
  #frames = 0;
  #wrong = 0;

  constructor(map: FaceMap) {
    this.#map = map;
    this.#mean = new Float32Array(map.texels.length * 3);
    this.#usual = new Float32Array(map.texels.length * 2);
    this.#view = new Float32Array(map.texels.length);
    this.#looks = new Uint16Array(map.texels.length);
    this.#slip = new Float32Array(map.texels.length);
  }

  /** The texels that the next look is at. */
  get part(): MapRange {
    const { half, texels } = this.#map;
    if (this.#frames < EARLY || this.any) return [0, texels.length];
    return this.#frames % 2 === 0 ? [0, half] : [half, texels.length];
  }

  /** @param colours Y, U, V of each texel, `part` of them as they are now; @param seen how squarely each of 468 points is seen. */
  look(colours: Float32Array, seen: Float32Array): void {
    const part = this.part;
    if (this.#frames >= FIRST) this.#compare(colours, seen, part);
    // Once a texel is known it is learned from in every second frame.
    if (this.#frames < EARLY || !this.any || this.#frames % 2 === 0) this.#learn(colours, seen, part);
    this.#frames++;
  }

  /** Share of something in front at a mesh point, 0..1. */
  at(point: number): number {
    return this.mask[this.#map.under[point]!]! / 255;
  }

  #compare(colours: Float32Array, seen: Float32Array, [from, to]: MapRange): void {
    const { texels, corner, tolerance, x, y } = this.#map;
    const [level, across, down] = this.#light(colours, seen, [from, to]);
    if (this.#frames % EDGE_FRAMES === FIRST % EDGE_FRAMES) this.#findEdges();
    const [mean, usual, looks, views, slip] = [this.#mean, this.#usual, this.#looks, this.#view, this.#slip];
    const known = this.#known.fill(0);
    const raw = this.#raw.fill(0);
    let [count, front, marked] = [0, 0, false];
    for (let k = from; k < to; k++) {
      const view = seen[corner[k]!]!;
      if (view < SEEN_LEAST || looks[k]! < FIRST) continue;
      const turned = Math.abs(view - views[k]!);
      if (turned > VIEW_APART) continue;
      const dy = Math.abs(colours[3 * k]! - mean[3 * k]! - (level + across * x[k]! + down * y[k]!));
      const du = colours[3 * k + 1]! - mean[3 * k + 1]!;
      const dv = colours[3 * k + 2]! - mean[3 * k + 2]!;
      const tolerated = tolerance[k]! * (1 + TURN * turned);
      const limitY = tolerated * (LUMA_LEAST + DEVIATIONS * usual[2 * k]! + slip[k]!);
      const limitC = tolerated * (CHROMA_LEAST + DEVIATIONS * usual[2 * k + 1]!);
      const texel = texels[k]!;
      known[texel] = 1;
      count++;
      // Nearly all are the face, and are done with here.
      if (dy <= MARK_FROM * limitY && du * du + dv * dv <= (MARK_FROM * limitC) ** 2) continue;
      const error = Math.max(dy / limitY, Math.sqrt(du * du + dv * dv) / limitC);
      const mark = Math.min(1, 2 * (error - MARK_FROM));
      raw[texel] = mark;
      marked ||= mark > MEAN_LEAST;
      if (error > 1) front++;
    }
    this.#wrong = front > TOO_MUCH * count ? this.#wrong + 1 : 0;
    if (this.#wrong > TOO_LONG) this.#forget();
    else if (marked || this.any) this.#spread();
  }

  /** The room's light against the model's: level, and its rise across and down the map, fitted to what is the face. */
  #light(colours: Float32Array, seen: Float32Array, [from, to]: MapRange): [number, number, number] {
    const { texels, corner, x, y } = this.#map;
    let fit: [number, number, number] = [0, 0, 0];
    const m = this.#moments;
    for (let pass = 0; pass < 3; pass++) {
      m.fill(0);
      const [level, across, down] = fit;
      // First everything counts, but nothing too much; then what is far from the plane counts little.
      const reach = pass === 0 ? 40 : 15;
      for (let k = from; k < to; k += LIGHT_STEP) {
        if (seen[corner[k]!]! < SEEN_LEAST) continue;
        const [px, py] = [x[k]!, y[k]!];
        const d = colours[3 * k]! - this.#mean[3 * k]!;
        const off = (d - level - across * px - down * py) / reach;
        const w = (1 - (0.9 / 255) * this.mask[texels[k]!]!) / (1 + off * off);
        m[0]! += w;
        m[1]! += w * px;
        m[2]! += w * py;
        m[3]! += w * px * px;
        m[4]! += w * px * py;
        m[5]! += w * py * py;
        m[6]! += w * d;
        m[7]! += w * d * px;
        m[8]! += w * d * py;
      }
      fit = fitPlane(m);
    }
    return fit;
  }

  /** What a slip of the mesh may change: the greatest luma step from each texel of the model to those beside it. */
  #findEdges(): void {
    const { beside } = this.#map;
    const mean = this.#mean;
    for (let k = 0; k < this.#slip.length; k++) {
      let edge = 0;
      for (let n = 4 * k; n < 4 * k + 4; n++) {
        const other = beside[n]!;
        if (other !== NONE) edge = Math.max(edge, Math.abs(mean[3 * other]! - mean[3 * k]!));
      }
      this.#slip[k] = SLIP * edge;
    }
  }

  /** From single texels to a mask: alone they are noise; together they are something, with a margin. */
  #spread(): void {
    const { inside } = this.#map;
    const soft = boxed(this.#raw, this.#known, this.#soft);
    const raw = this.#raw;
    for (let t = 0; t < TEXELS; t++) raw[t] = soft[t]! > MEAN_LEAST ? 1 : 0;
    // Twice grown, and rounded off at the edge.
    grow(raw, soft);
    grow(soft, raw);
    this.#drown(raw);
    boxed(raw, inside, soft);
    let [x0, y0, x1, y1, covered] = [MAP, MAP, 0, 0, 0];
    for (let t = 0; t < TEXELS; t++) {
      const now = raw[t]! > 0 ? Math.min(1, 1.5 * soft[t]!) * 255 : 0;
      const value = Math.max(now, this.mask[t]! * LINGER);
      this.mask[t] = value < 8 ? 0 : value;
      if (value < 8) continue;
      const [x, y] = [t % MAP, Math.floor(t / MAP)];
      x0 = Math.min(x0, x);
      x1 = Math.max(x1, x + 1);
      y0 = Math.min(y0, y);
      y1 = y + 1;
      covered += inside[t]!;
    }
    this.any = x1 > 0;
    this.#covered = covered / this.#map.texels.length;
    this.area = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
  }

  /** Takes islands off that are but light. */
  #drown(raw: Float32Array): void {
    const { outside, texels } = this.#map;
    const mask = this.mask;
    const visited = this.#visited.fill(0);
    for (let first = 0; first < TEXELS; first++) {
      if (raw[first] === 0 || visited[first]) continue;
      const island = [first];
      visited[first] = 1;
      let [ashore, stays] = [false, 0];
      for (const texel of island) {
        if (mask[texel]! > 0) stays++;
        for (const beside of [texel - 1, texel + 1, texel - MAP, texel + MAP]) {
          ashore ||= outside[beside] === 1;
          if (raw[beside] === 0 || visited[beside]) continue;
          visited[beside] = 1;
          island.push(beside);
        }
      }
      const least = stays > STAYS * island.length ? ISLAND : NEW_ISLAND;
      if (!ashore && island.length < least * texels.length) for (const texel of island) raw[texel] = 0;
    }
  }

  #learn(colours: Float32Array, seen: Float32Array, [from, to]: MapRange): void {
    const { texels, corner } = this.#map;
    const mean = this.#mean;
    const usual = this.#usual;
    const astray = this.#covered > ASTRAY;
    for (let k = from; k < to; k++) {
      const view = seen[corner[k]!]!;
      if (view < SEEN_LEAST) continue;
      if (!astray && this.#turned(k, view)) this.#looks[k] = 0;
      const looks = this.#looks[k]!;
      const front = (astray || this.mask[texels[k]!]! > 0) && looks >= FIRST;
      if (looks < 0xffff) this.#looks[k] = looks + 1;
      const share = front ? FOLLOW_FRONT : Math.max(1 / (looks + 1), FOLLOW);
      const dy = colours[3 * k]! - mean[3 * k]!;
      const du = colours[3 * k + 1]! - mean[3 * k + 1]!;
      const dv = colours[3 * k + 2]! - mean[3 * k + 2]!;
      this.#view[k]! += share * (view - this.#view[k]!);
      mean[3 * k]! += share * dy;
      mean[3 * k + 1]! += share * du;
      mean[3 * k + 2]! += share * dv;
      if (front || looks === 0) continue;
      usual[2 * k]! += share * (Math.abs(dy) - usual[2 * k]!);
      usual[2 * k + 1]! += share * (Math.sqrt(du * du + dv * dv) - usual[2 * k + 1]!);
    }
  }

  /** Whether what is known of a texel is from quite another angle: a slanted look mixes it with what lies beside. */
  #turned(k: number, view: number): boolean {
    return Math.abs(view - this.#view[k]!) > VIEW_APART;
  }

  #forget(): void {
    this.#looks.fill(0);
    this.#frames = 0;
    this.#wrong = 0;
    this.mask.fill(0);
    this.any = false;
    this.#covered = 0;
  }
}

/** Mean over 3×3 of the texels that count; nothing along the map's edge. */
function boxed(from: Float32Array, counts: Uint8Array, out: Float32Array): Float32Array {
  for (let y = 1; y < MAP - 1; y++) {
    for (let x = 1; x < MAP - 1; x++) {
      const t = y * MAP + x;
      let [sum, n] = [0, 0];
      for (let r = t - MAP; r <= t + MAP; r += MAP) {
        for (let s = r - 1; s <= r + 1; s++) {
          if (!counts[s]) continue;
          sum += from[s]!;
          n++;
        }
      }
      out[t] = n === 0 ? 0 : sum / n;
    }
  }
  return out;
}

/** Each texel as its largest neighbour; nothing along the map's edge. */
function grow(from: Float32Array, out: Float32Array): void {
  for (let y = 1; y < MAP - 1; y++) {
    for (let t = y * MAP + 1; t < (y + 1) * MAP - 1; t++)
      out[t] = Math.max(from[t]!, from[t - 1]!, from[t + 1]!, from[t - MAP]!, from[t + MAP]!);
  }
}
