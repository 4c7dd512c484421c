/** How a head is held in space: similarity transforms between point sets in three dimensions, and angles from them. */

import { POINTS, type Topology } from './topology.ts';

export interface HeadPose {
  /** To the side, in degrees; 0 looks into the camera, positive to the right of the picture. */
  yawDegrees: number;
  /** Up or down, in degrees; positive looks down. */
  pitchDegrees: number;
}

/** @param points x, y, z of at least 468 points in pixels, y downwards, z away from the camera. */
export function poseOf(points: Float32Array, topology: Topology): HeadPose {
  // The canonical face looks along +z with y upwards; the picture's y goes down and its z away.
  const model = topology.vertices.map((value, i) => (i % 3 === 0 ? value : -value));
  const { matrix } = fitSimilarity3(model, points);
  // Where the face looks: the model's forward direction (−z here), turned.
  const [x, y, z] = [-matrix[2]!, -matrix[5]!, -matrix[8]!];
  const degrees = 180 / Math.PI;
  return { yawDegrees: Math.atan2(x, -z) * degrees, pitchDegrees: Math.atan2(y, Math.hypot(x, z)) * degrees };
}

export interface Fit {
  /** Scale and rotation, 3×3 by rows. */
  matrix: Float64Array;
  from: [number, number, number];
  to: [number, number, number];
}

/** The least-squares similarity in space from p to q over 468 points (Umeyama 1991; rotation by polar decomposition). */
export function fitSimilarity3(p: Float32Array, q: Float32Array): Fit {
  const from = centre(p);
  const to = centre(q);
  const h = new Float64Array(9);
  let spread = 0;
  for (let i = 0; i < POINTS * 3; i += 3) {
    for (let r = 0; r < 3; r++) {
      const target = q[i + r]! - to[r]!;
      for (let c = 0; c < 3; c++) h[3 * r + c]! += target * (p[i + c]! - from[c]!);
    }
    for (let c = 0; c < 3; c++) spread += (p[i + c]! - from[c]!) ** 2;
  }
  const rotation = polar(h);
  let scale = 0;
  for (let k = 0; k < 9; k++) scale += rotation[k]! * h[k]!;
  return { matrix: rotation.map((v) => (v * scale) / spread), from, to };
}

function centre(p: Float32Array): [number, number, number] {
  const sum: [number, number, number] = [0, 0, 0];
  for (let i = 0; i < POINTS * 3; i++) sum[i % 3]! += p[i]! / POINTS;
  return sum;
}

/** The rotation nearest to a 3×3 matrix: Newton's iteration X ← (X + X⁻ᵀ) / 2 (Higham 1986). */
function polar(h: Float64Array): Float64Array {
  let x = h.slice();
  for (let pass = 0; pass < 30; pass++) {
    const [a, b, c, d, e, f, g, i, j] = x as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const cofactors = [
      e * j - f * i,
      f * g - d * j,
      d * i - e * g,
      c * i - b * j,
      a * j - c * g,
      b * g - a * i,
      b * f - c * e,
      c * d - a * f,
      a * e - b * d,
    ];
    const det = a * cofactors[0]! + b * cofactors[1]! + c * cofactors[2]!;
    // Scaling by the determinant makes the first steps short.
    const s = Math.cbrt(Math.abs(1 / det));
    const next = x.map((v, k) => (s * v + cofactors[k]! / (det * s)) / 2);
    let change = 0;
    for (let k = 0; k < 9; k++) change += Math.abs(next[k]! - x[k]!);
    x = next;
    if (change < 1e-9) break;
  }
  return x;
}
