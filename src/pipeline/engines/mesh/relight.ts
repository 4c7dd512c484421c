/**
 * The live face's light on the source's skin. At every mesh point the local mean colour of the frame is compared with
 * that of the source. What the difference has in common over the whole face is the light: it is fitted as a quadratic
 * over the canonical face, so that a face lit from the front takes over a face lit from above without a step. What is left
 * at the rim is carried a little way inwards (a screened Poisson equation), so that the drawn skin meets the live skin;
 * what is left inside are the source's own features, which stay, at the camera's contrast. Solved by over-relaxed sweeps
 * that start from the last frame's answer: cheap, and steady over time.
 */

import { BROW_LEFT, BROW_RIGHT, LIPS_OUTER, POINTS, type Topology } from '../../face/topology.ts';
import { BLACK, GREY } from './source/skin-segmentation.ts';
import { type FitCoefficients, fitWeighted } from './weighted-fit.ts';

/** How far what is left at the rim spreads: the weight of a neighbour against a point's own sample. */
const LUMA_SPREAD = 15;
const CHROMA_SPREAD = 3;
/** At the rim the drawn skin meets the live skin, so there the light is taken over as it is. */
const RIM_WEIGHT = 200;
/** Of the light as a whole the rim tells more than other parts, as that is where a difference shows, but not all. */
const RIM_IN_LIGHT = 10;
/** What a point that is not seen still tells. */
const UNSEEN = 0.005;
/** How firmly the inside keeps the source's features, in luma. */
const FEATURE_WEIGHT = 60;
/** Rings from the rim over which the source's own lights and darks set in: hair and shadow at its edge are not its face. */
const FEATURES_FROM = 1;
const FEATURES_TO = 3;
/** Bounds of the contrast taken over, and how fast it follows a frame. */
const CONTRAST_LEAST = 0.5;
const CONTRAST_MOST = 1.05;
/** Of the contrast found so much is taken: less measured nearer to the source on every clip, as photos are lit harder. */
const CONTRAST_SHARE = 0.85;
const CONTRAST_FOLLOW = 0.15;
/** Bounds of how colourful the source may become against its photo. */
const SATURATION_LEAST = 0.3;
const SATURATION_MOST = 1.5;
/** How fast the light as a whole follows: a lamp switched on is taken over in a third of a second. */
const LIGHT_FOLLOW = 0.28;
/** A point this far from what the light makes of the source's skin, in luma and in chroma, is half taken for something else. */
const UNLIKE_LUMA = 20;
const UNLIKE_CHROMA = 8;
/** How fast that follows: hair that swings is noticed in a third of a second, a single odd frame is not. */
const LIKENESS_FOLLOW = 0.28;
const FIRST_SWEEPS = 30;
const SWEEPS = 4;
/** How far beyond its new value a sweep moves each point, as the next would move it on the same way: half the sweeps do. */
const RELAXATION = 1.5;
/** Differences further from the face's usual one than this many times its spread are no light but something in front. */
const OUTLIER = 2.5;
/** About half of the canonical face, in its centimetres: keeps the numbers near one. */
const REACH = 8;
/** Terms of the quadratic: 1, x, y, x², xy, y². */
const TERMS = 6;

/** Below the nose, from this height of the canonical face down in centimetres, there may be a beard: so much less is told. */
const BEARD_BELOW = -2.5;
const BEARD_WEIGHT = 0.2;

/** How much a point tells about light: much at the rim, nothing at eyes, brows and lips, where faces differ by nature. */
export function skinWeights({ ring, fromEyes, fromMouth, vertices }: Topology): Float32Array {
  const hairy = new Set([...BROW_LEFT, ...BROW_RIGHT, ...LIPS_OUTER]);
  return Float32Array.from({ length: POINTS }, (_, i) => {
    if (hairy.has(i) || fromMouth[i]! <= 2 || fromEyes[i]! <= 1) return 0;
    if (ring[i]! <= 1) return RIM_WEIGHT;
    return vertices[3 * i + 1]! < BEARD_BELOW ? BEARD_WEIGHT : 1;
  });
}

/**
 * How much of the light's colour each of 468 points takes, 0..1: coloured light multiplies, so brows and lashes take little,
 * where an offset made for skin would leave them violet. Squared, as a point's mean holds skin beside the brow too.
 * @param source Y, U, V means at each point. @param skin as `skinWeights` has it.
 */
export function tintShares(source: Float32Array, skin: Float32Array): Float32Array {
  const luma = Float32Array.from({ length: POINTS }, (_, i) => Math.max(0, source[3 * i]! - BLACK));
  const bright = luma.filter((_, i) => skin[i]! > 0).sort();
  const usual = bright[bright.length >> 1] || 1;
  return luma.map((value) => Math.min(1, value / usual) ** 2);
}

export class Relight {
  readonly #topology: Topology;
  readonly #skin: Float32Array;
  /** The quadratic's terms at each point. */
  readonly #terms: Float32Array;
  /** Of its weight where the skins meet, what each point has in the light as a whole. */
  readonly #lightShare: Float32Array;
  /** Share of the source's features at each point: 0 at the rim, 1 inside. */
  readonly #featured: Float32Array;
  readonly #difference = new Float32Array(POINTS * 3);
  readonly #weight = new Float32Array(POINTS);
  readonly #inLight = new Float32Array(POINTS);
  readonly #sorted = new Float32Array(POINTS);
  /** Points well inside the face. */
  readonly #inner: Uint16Array;
  /** The light as a whole: of Y, U, V a coefficient for each term. */
  readonly #light = new Float64Array(TERMS * 3);
  /** What is left of the difference, spread over the mesh. */
  readonly #rest = new Float32Array(POINTS * 3);
  /** The source's luma at each point, without a quadratic of its own: its features. */
  #features: Float32Array | null = null;
  /** Y, U, V to add at each point, in steps of 1/255. */
  readonly offset = new Float32Array(POINTS * 3);
  /** How strong the live face's own lights and darks are against the source's: a dim or hazy camera softens both. */
  contrast = 1;
  /** How colourful the live skin is against the source's: what the source's chroma is multiplied by, about grey. */
  saturation = 1;
  /** How much each live point looks like lit skin, 0..1: hair, a headset's band or the ground behind a slipped rim do not. */
  readonly likeness = new Float32Array(POINTS).fill(1);
  #fresh = true;

  constructor(topology: Topology, skin: Float32Array) {
    const { ring, vertices } = topology;
    this.#topology = topology;
    this.#skin = skin;
    this.#inner = Uint16Array.from([...ring.keys()].filter((i) => i < POINTS && ring[i]! >= 3));
    this.#lightShare = Float32Array.from(ring.subarray(0, POINTS), (r) => (r <= 1 ? RIM_IN_LIGHT / RIM_WEIGHT : 1));
    this.#featured = Float32Array.from(ring.subarray(0, POINTS), (r) =>
      Math.min(1, Math.max(0, (r - FEATURES_FROM) / (FEATURES_TO - FEATURES_FROM))),
    );
    this.#terms = new Float32Array(POINTS * TERMS);
    for (let i = 0; i < POINTS; i++) {
      const [x, y] = [vertices[3 * i]! / REACH, vertices[3 * i + 1]! / REACH];
      this.#terms.set([1, x, y, x * x, x * y, y * y], TERMS * i);
    }
  }

  /** @param live, source Y, U, V means at each point; @param seen how squarely each live point is seen, 0..1. */
  follow(live: Float32Array, source: Float32Array, seen: Float32Array): void {
    const share = this.#fresh ? 1 : CONTRAST_FOLLOW;
    this.#compare(live, source, seen, share);
    this.#compareColour(live, source, seen, share);
    this.#features ??= this.#featuresOf(source);
    const difference = this.#difference;
    for (let i = 0; i < difference.length; i += 3) {
      difference[i] = live[i]! - source[i]!;
      for (let k = i + 1; k < i + 3; k++) difference[k] = live[k]! - GREY - this.saturation * (source[k]! - GREY);
    }
    this.#weigh(seen);
    this.#fitLight(seen);
    this.#aim();
    for (let sweep = this.#fresh ? FIRST_SWEEPS : SWEEPS; sweep > 0; sweep--) this.#sweep();
    for (let i = 0; i < this.offset.length; i++) this.offset[i]! += this.#rest[i]!;
    this.#fresh = false;
  }

  /** Contrast of the live face's middle over that of the source's. */
  #compare(live: Float32Array, source: Float32Array, seen: Float32Array, share: number): void {
    const ratio = spreadOf(live, seen, this.#inner) / (spreadOf(source, seen, this.#inner) || 1);
    const wanted = Math.min(CONTRAST_MOST, Math.max(CONTRAST_LEAST, CONTRAST_SHARE * ratio));
    this.contrast += (wanted - this.contrast) * share;
  }

  /** Least squares of one factor from the source's chroma to the live one's, over the skin. */
  #compareColour(live: Float32Array, source: Float32Array, seen: Float32Array, share: number): void {
    let [both, own] = [0, 0];
    for (let i = 0; i < POINTS; i++) {
      if (this.#skin[i] === 0 || seen[i]! <= 0) continue;
      const [u, v] = [source[3 * i + 1]! - GREY, source[3 * i + 2]! - GREY];
      both += seen[i]! * (u * (live[3 * i + 1]! - GREY) + v * (live[3 * i + 2]! - GREY));
      own += seen[i]! * (u * u + v * v);
    }
    const wanted = own === 0 ? 1 : Math.min(SATURATION_MOST, Math.max(SATURATION_LEAST, both / own));
    this.saturation += (wanted - this.saturation) * share;
  }

  #featuresOf(source: Float32Array): Float32Array {
    const fit = this.#fit(source, this.#skin);
    return Float32Array.from({ length: POINTS }, (_, i) => source[3 * i]! - this.#valueAt(fit, i, 0));
  }

  #weigh(seen: Float32Array): void {
    const weight = this.#weight;
    let count = 0;
    for (let i = 0; i < POINTS; i++) {
      weight[i] = this.#skin[i]! * Math.max(UNSEEN, Math.min(1, seen[i]!));
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
      const far = ((this.#difference[3 * i]! - middle) / width) ** 2;
      weight[i]! /= 1 + far * far;
    }
  }

  /** The light as a whole, a little way towards this frame's, into `offset`. */
  #fitLight(seen: Float32Array): void {
    const fit = this.#fit(this.#difference, this.#weight);
    this.#liken(fit, seen);
    const share = this.#fresh ? 1 : LIGHT_FOLLOW;
    for (let c = 0; c < fit.length; c++) this.#light[c]! += share * (fit[c]! - this.#light[c]!);
    for (let i = 0; i < POINTS; i++) {
      for (let k = 0; k < 3; k++) this.offset[3 * i + k] = this.#valueAt(this.#light, i, k);
    }
  }

  #fit(values: Float32Array, weight: Float32Array): FitCoefficients {
    for (let i = 0; i < POINTS; i++) this.#inLight[i] = weight[i]! * this.#lightShare[i]!;
    return fitWeighted(this.#terms, TERMS, values, this.#inLight);
  }

  #valueAt(fit: FitCoefficients, i: number, k: number): number {
    let value = 0;
    for (let term = 0; term < TERMS; term++) value += this.#terms[TERMS * i + term]! * fit[3 * term + k]!;
    return value;
  }

  /** Compares each point with what this frame's light makes of the source. What is not seen stays as it was. */
  #liken(light: FitCoefficients, seen: Float32Array): void {
    const share = this.#fresh ? 1 : LIKENESS_FOLLOW;
    const off = (i: number, k: number): number => this.#difference[3 * i + k]! - this.#valueAt(light, i, k);
    for (let i = 0; i < POINTS; i++) {
      if (seen[i]! <= 0) continue;
      const [luma, u, v] = [off(i, 0) / UNLIKE_LUMA, off(i, 1) / UNLIKE_CHROMA, off(i, 2) / UNLIKE_CHROMA];
      const far = luma * luma + u * u + v * v;
      const now = 1 / (1 + far * far);
      this.likeness[i]! += share * (now - this.likeness[i]!);
    }
  }

  /** Turns `difference` into what the sweeps go for: at the rim, and in chroma, what the light leaves; inside, the features. */
  #aim(): void {
    const { ring } = this.#topology;
    const difference = this.#difference;
    for (let i = 0; i < POINTS; i++) {
      for (let k = 3 * i; k < 3 * i + 3; k++) difference[k]! -= this.offset[k]!;
      if (ring[i]! > 1) difference[3 * i] = (this.contrast * this.#featured[i]! - 1) * this.#features![i]!;
    }
  }

  /** Successive over-relaxation (Young 1954). */
  #sweep(): void {
    const { first, neighbours, ring } = this.#topology;
    const rest = this.#rest;
    const difference = this.#difference;
    for (let i = 0; i < POINTS; i++) {
      let y = 0;
      let u = 0;
      let v = 0;
      const end = first[i + 1]!;
      for (let n = first[i]!; n < end; n++) {
        const at = 3 * neighbours[n]!;
        y += rest[at]!;
        u += rest[at + 1]!;
        v += rest[at + 2]!;
      }
      const w = this.#weight[i]!;
      const wLuma = ring[i]! <= 1 ? w : FEATURE_WEIGHT;
      const links = end - first[i]!;
      const luma = RELAXATION / (wLuma + LUMA_SPREAD * links);
      const chroma = RELAXATION / (w + CHROMA_SPREAD * links);
      const at = 3 * i;
      rest[at]! += luma * (wLuma * difference[at]! + LUMA_SPREAD * y) - RELAXATION * rest[at]!;
      rest[at + 1]! += chroma * (w * difference[at + 1]! + CHROMA_SPREAD * u) - RELAXATION * rest[at + 1]!;
      rest[at + 2]! += chroma * (w * difference[at + 2]! + CHROMA_SPREAD * v) - RELAXATION * rest[at + 2]!;
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
