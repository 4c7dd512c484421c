/** Temporal smoothing of landmarks. */

import { fitSimilarity, inverse, type Similarity } from '../../shared/geometry.ts';
import { ALL_POINTS, POINTS } from './topology.ts';

/** Parameters of the one-euro filter; `tracking` in config.yaml. */
export interface Smoothing {
  /** Cut-off frequency at rest, in hertz: lower is steadier. */
  minCutoffHz: number;
  /** How much the cut-off rises, in hertz, for each face width a second of movement: higher lags less. */
  beta: number;
}

/** Cut-off frequency of the speed estimate, in hertz, as the paper has it. */
const SPEED_CUTOFF_HZ = 1;

/** Weight of a new value in a low-pass filter of this cut-off. */
const weightOf = (cutoffHz: number, seconds: number): number => 1 / (1 + 1 / (2 * Math.PI * cutoffHz * seconds));

/**
 * Filters the landmarks of one face with one-euro filters (Casiez et al. 2012) in the face's own coordinates: the
 * head's pose is removed before and applied again after, so a quick head does not lag while a face at rest does not
 * tremble.
 */
export class FaceFilter {
  readonly #smoothing: Smoothing;
  /** The face at rest: last filtered points in a frame where the face is one unit wide about the origin. */
  readonly #rest = new Float32Array(ALL_POINTS * 3);
  readonly #speed = new Float32Array(ALL_POINTS * 3);
  /** The filtered head pose as a similarity: a, b, tx, ty; null before the first frame. */
  #pose: [number, number, number, number] | null = null;
  /** Its filtered speed, in face widths a second. */
  readonly #poseSpeed: [number, number, number, number] = [0, 0, 0, 0];
  #lastMs = 0;

  constructor(smoothing: Smoothing) {
    this.#smoothing = smoothing;
  }

  /** Filters the points of the next frame, x, y, z of 478 in pixels, in place. */
  next(points: Float32Array, nowMs: number): void {
    const seconds = Math.min(0.2, Math.max(0.001, (nowMs - this.#lastMs) / 1000));
    this.#lastMs = nowMs;
    if (this.#pose === null) {
      this.#begin(points);
      return;
    }
    const raw = fitSimilarity(this.#rest, points, POINTS, 3);
    const pose = this.#steadyPose(raw, seconds);
    const back = inverse(raw);
    const size = Math.hypot(raw.a, raw.b);
    const { minCutoffHz, beta } = this.#smoothing;
    const speedShare = weightOf(SPEED_CUTOFF_HZ, seconds);
    const rest = this.#rest;
    const speed = this.#speed;
    for (let i = 0; i < points.length; i += 3) {
      const x = points[i]!;
      const y = points[i + 1]!;
      const own = [back.a * x - back.b * y + back.tx, back.b * x + back.a * y + back.ty, points[i + 2]! / size];
      let fastest = 0;
      for (let k = 0; k < 3; k++) {
        const v = (own[k]! - rest[i + k]!) / seconds;
        speed[i + k]! += (v - speed[i + k]!) * speedShare;
        // Depth is the noisiest coordinate and never visible, so it does not raise the cut-off.
        if (k < 2) fastest = Math.max(fastest, Math.abs(speed[i + k]!));
      }
      const share = weightOf(minCutoffHz + beta * fastest, seconds);
      for (let k = 0; k < 3; k++) rest[i + k]! += (own[k]! - rest[i + k]!) * share;
      points[i] = pose.a * rest[i]! - pose.b * rest[i + 1]! + pose.tx;
      points[i + 1] = pose.b * rest[i]! + pose.a * rest[i + 1]! + pose.ty;
      points[i + 2] = rest[i + 2]! * size;
    }
  }

  /** Continues in a frame that is `by` times as large. */
  scale(by: number): void {
    if (this.#pose !== null) for (let k = 0; k < 4; k++) this.#pose[k]! *= by;
  }

  #begin(points: Float32Array): void {
    let x = 0;
    let y = 0;
    let width = 0;
    for (let i = 0; i < POINTS * 3; i += 3) {
      x += points[i]! / POINTS;
      y += points[i + 1]! / POINTS;
    }
    for (let i = 0; i < POINTS * 3; i += 3) width = Math.max(width, 2 * Math.hypot(points[i]! - x, points[i + 1]! - y));
    for (let i = 0; i < points.length; i += 3) {
      this.#rest[i] = (points[i]! - x) / width;
      this.#rest[i + 1] = (points[i + 1]! - y) / width;
      this.#rest[i + 2] = points[i + 2]! / width;
    }
    this.#pose = [width, 0, x, y];
  }

  /** The head's place, rotation and size, filtered too, with a cut-off that the slightest movement raises. */
  #steadyPose(raw: Similarity, seconds: number): Similarity {
    const size = Math.hypot(raw.a, raw.b);
    const pose = this.#pose!;
    const { minCutoffHz, beta } = this.#smoothing;
    const next = [raw.a, raw.b, raw.tx, raw.ty] as const;
    const speedShare = weightOf(SPEED_CUTOFF_HZ * 3, seconds);
    let fastest = 0;
    for (let k = 0; k < 4; k++) {
      const v = (next[k]! - pose[k]!) / size / seconds;
      this.#poseSpeed[k]! += (v - this.#poseSpeed[k]!) * speedShare;
      fastest = Math.max(fastest, Math.abs(this.#poseSpeed[k]!), Math.abs(v) * 0.5);
    }
    const share = weightOf(minCutoffHz * 1.5 + 8 * beta * fastest, seconds);
    for (let k = 0; k < 4; k++) pose[k]! += (next[k]! - pose[k]!) * share;
    return { a: pose[0], b: pose[1], tx: pose[2], ty: pose[3] };
  }
}
