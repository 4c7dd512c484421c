/**
 * The live face's light on the source's skin. At every mesh point the local mean colour of the frame is compared with
 * that of the source; the difference is smoothed over the mesh (a screened Poisson equation) so that light is taken
 * over and the source's own features stay. Solved by over-relaxed sweeps that start from the last frame's answer:
 * cheap, and steady over time.
 */

import { BROW_LEFT, BROW_RIGHT, LIPS_OUTER, POINTS, type Topology } from '../../topology.ts';
import { fitPlane } from './plane.ts';

/**
 * How far a difference spreads: the weight of a neighbour against a point's own sample. Luma spreads far, as its local
 * differences are the source's features; chroma stays near, as a face of another tint than its neck looks pasted on.
 */
const LUMA_SPREAD = 30;
const CHROMA_SPREAD = 3;
/** Bounds of the contrast taken over, and how fast it follows a frame. */
const CONTRAST_LEAST = 0.5;
const CONTRAST_MOST = 1.05;
/** Of the contrast found so much is taken: less measured nearer to the source on every clip, as photos are lit harder. */
const CONTRAST_SHARE = 0.85;
const CONTRAST_FOLLOW = 0.05;
/** How fast the light's level and its rise across the face follow: a lamp switched on is taken over in a third of a second. */
const LEVEL_FOLLOW = 0.1;
const FIRST_SWEEPS = 150;
const SWEEPS = 4;
/** How far beyond its new value a sweep moves each point, as the next would move it on the same way: half the sweeps do. */
const RELAXATION = 1.5;
/** Differences further from the face's usual one than this many times its spread are no light but something in front. */
const OUTLIER = 2.5;
/** About half of the canonical face, in its centimetres: keeps the numbers near one. */
const REACH = 8;

/** At the rim the drawn skin meets the live skin, so there the light is taken over as it is. */
const RIM_WEIGHT = 60;

/** How much a point tells about light: much at the rim, nothing at eyes, brows and lips, where faces differ by nature. */
export function skinWeights({ ring, fromEyes, fromMouth }: Topology): Float32Array {
  const hairy = new Set([...BROW_LEFT, ...BROW_RIGHT, ...LIPS_OUTER]);
  return Float32Array.from({ length: POINTS }, (_, i) => {
    if (hairy.has(i) || fromMouth[i]! <= 2 || fromEyes[i]! <= 1) return 0;
    return ring[i]! <= 1 ? RIM_WEIGHT : 1;
  });
}

export class Light {
  readonly #topology: Topology;
  readonly #skin: Float32Array;
  readonly #difference = new Float32Array(POINTS * 3);
  readonly #weight = new Float32Array(POINTS);
  /** Points well inside the face. */
  readonly #inner: Uint16Array;
  readonly #sorted = new Float32Array(POINTS);
  /** Y, U, V to add at each point, in steps of 1/255. */
  readonly offset = new Float32Array(POINTS * 3);
  /** How strong the live face's own lights and darks are against the source's: a dim or hazy camera softens both. */
  contrast = 1;
  #fresh = true;

  constructor(topology: Topology, skin: Float32Array) {
    this.#topology = topology;
    this.#skin = skin;
    this.#inner = Uint16Array.from([...topology.ring.keys()].filter((i) => i < POINTS && topology.ring[i]! >= 3));
  }

  /** @param live, source Y, U, V means at each point; @param seen how squarely each live point is seen, 0..1. */
  follow(live: Float32Array, source: Float32Array, seen: Float32Array): void {
    const difference = this.#difference;
    for (let i = 0; i < difference.length; i++) difference[i] = live[i]! - source[i]!;
    this.#weigh(seen);
    this.#compare(live, source, seen);
    this.#level();
    for (let sweep = this.#fresh ? FIRST_SWEEPS : SWEEPS; sweep > 0; sweep--) this.#sweep();
    this.#fresh = false;
  }

  #weigh(seen: Float32Array): void {
    const weight = this.#weight;
    let count = 0;
    for (let i = 0; i < POINTS; i++) {
      weight[i] = this.#skin[i]! * Math.max(0.02, Math.min(1, seen[i]!));
      if (this.#skin[i]! > 0 && seen[i]! > 0.3) this.#sorted[count++] = this.#difference[3 * i]!;
    }
    if (count < 20) return;
    const luma = this.#sorted.subarray(0, count).sort();
    const middle = luma[luma.length >> 1]!;
    const width = Math.max(
      12,
      (luma[Math.floor(luma.length * 0.75)]! - luma[Math.floor(luma.length * 0.25)]!) * OUTLIER,
    );
    for (let i = 0; i < POINTS; i++) {
      const far = (this.#difference[3 * i]! - middle) / width;
      weight[i]! /= 1 + far ** 4;
    }
  }

  #compare(live: Float32Array, source: Float32Array, seen: Float32Array): void {
    const ratio = spreadOf(live, seen, this.#inner) / (spreadOf(source, seen, this.#inner) || 1);
    const wanted = Math.min(CONTRAST_MOST, Math.max(CONTRAST_LEAST, CONTRAST_SHARE * ratio));
    this.contrast += (wanted - this.contrast) * (this.#fresh ? 1 : CONTRAST_FOLLOW);
  }

  /**
   * Sweeps carry what neighbours have in common only slowly, so the light's level and its rise across and down the face,
   * which all points share, are brought up to date at once: least squares of what is left.
   */
  #level(): void {
    const { vertices } = this.#topology;
    for (let k = 0; k < 3; k++) {
      const m = new Float64Array(9);
      for (let i = 0; i < POINTS; i++) {
        const [w, x, y] = [this.#weight[i]!, vertices[3 * i]! / REACH, vertices[3 * i + 1]! / REACH];
        const d = this.#difference[3 * i + k]! - this.offset[3 * i + k]!;
        m[0]! += w;
        m[1]! += w * x;
        m[2]! += w * y;
        m[3]! += w * x * x;
        m[4]! += w * x * y;
        m[5]! += w * y * y;
        m[6]! += w * d;
        m[7]! += w * d * x;
        m[8]! += w * d * y;
      }
      const [level, across, down] = fitPlane(m);
      const share = this.#fresh ? 1 : LEVEL_FOLLOW;
      for (let i = 0; i < POINTS; i++)
        this.offset[3 * i + k]! += share * (level + (across * vertices[3 * i]! + down * vertices[3 * i + 1]!) / REACH);
    }
  }

  /** Successive over-relaxation (Young 1954). */
  #sweep(): void {
    const { first, neighbours } = this.#topology;
    const offset = this.offset;
    const difference = this.#difference;
    for (let i = 0; i < POINTS; i++) {
      let y = 0;
      let u = 0;
      let v = 0;
      const end = first[i + 1]!;
      for (let n = first[i]!; n < end; n++) {
        const at = 3 * neighbours[n]!;
        y += offset[at]!;
        u += offset[at + 1]!;
        v += offset[at + 2]!;
      }
      const w = this.#weight[i]!;
      const links = end - first[i]!;
      const luma = RELAXATION / (w + LUMA_SPREAD * links);
      const chroma = RELAXATION / (w + CHROMA_SPREAD * links);
      const at = 3 * i;
      offset[at]! += luma * (w * difference[at]! + LUMA_SPREAD * y) - RELAXATION * offset[at]!;
      offset[at + 1]! += chroma * (w * difference[at + 1]! + CHROMA_SPREAD * u) - RELAXATION * offset[at + 1]!;
      offset[at + 2]! += chroma * (w * difference[at + 2]! + CHROMA_SPREAD * v) - RELAXATION * offset[at + 2]!;
    }
  }
}

/** Standard deviation of luma over those of the points that are seen well. */
function spreadOf(colours: Float32Array, seen: Float32Array, points: Uint16Array): number {
  let [n, sum, squares] = [0, 0, 0];
  for (const i of points) {
    if (seen[i]! < 0.5) continue;
    const y = colours[3 * i]!;
    n++;
    sum += y;
    squares += y * y;
  }
  return n === 0 ? 0 : Math.sqrt(Math.max(0, squares / n - (sum / n) ** 2));
}
