/** Head pose: similarity transforms between point sets in three dimensions, and angles from them. */

import { POINTS, type Topology } from './topology.ts';

/** Where a head is turned. */
export interface HeadPose {
  /** To the side, in degrees; 0 looks into the camera, positive to the right of the picture. */
  yawDegrees: number;
  /** Up or down, in degrees; positive looks down. */
  pitchDegrees: number;
}

/** The pose of a face. @param points x, y, z of at least 468 in pixels, y downwards, z away from the camera. */
export function poseOf(points: Float32Array, topology: Topology): HeadPose {
  // The canonical face looks along +z with y upwards; the picture's y goes down and its z away.
  const model = topology.vertices.map((value, i) => (i % 3 === 0 ? value : -value));
  const { matrix } = fitSimilarity3(model, points);
  // The model's forward direction (−z here), rotated as the face is.
  const [x, y, z] = [-matrix[2]!, -matrix[5]!, -matrix[8]!];
  const degrees = 180 / Math.PI;
  return { yawDegrees: Math.atan2(x, -z) * degrees, pitchDegrees: Math.atan2(y, Math.hypot(x, z)) * degrees };
}

/** A similarity in space: to + matrix · (point − from). */
export interface SimilarityFit {
  /** Scale and rotation, 3×3 by rows. */
  matrix: Float64Array;
  /** Centres of the two point sets. */
  from: [number, number, number];
  to: [number, number, number];
}

/**
 * The least-squares similarity in space from p to q over 468 points (Umeyama 1991; rotation by polar
 * decomposition).
 */
export function fitSimilarity3(p: Float32Array, q: Float32Array): SimilarityFit {
  const from = centre(p);
  const to = centre(q);
  const h = new Float64Array(9);
  let spread = 0;
  for (let i = 0; i < POINTS * 3; i += 3) {
    const [x, y, z] = [p[i]! - from[0], p[i + 1]! - from[1], p[i + 2]! - from[2]];
    const [u, v, w] = [q[i]! - to[0], q[i + 1]! - to[1], q[i + 2]! - to[2]];
    h[0]! += u * x;
    h[1]! += u * y;
    h[2]! += u * z;
    h[3]! += v * x;
    h[4]! += v * y;
    h[5]! += v * z;
    h[6]! += w * x;
    h[7]! += w * y;
    h[8]! += w * z;
    spread += x * x + y * y + z * z;
  }
  const rotation = polar(h);
  let scale = 0;
  for (let k = 0; k < 9; k++) scale += rotation[k]! * h[k]!;
  return { matrix: rotation.map((v) => (v * scale) / spread), from, to };
}

function centre(p: Float32Array): [number, number, number] {
  let [x, y, z] = [0, 0, 0];
  for (let i = 0; i < POINTS * 3; i += 3) {
    x += p[i]!;
    y += p[i + 1]!;
    z += p[i + 2]!;
  }
  return [x / POINTS, y / POINTS, z / POINTS];
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
    // Scaling by the determinant saves iterations: the first steps would only undo the scale.
    const s = Math.cbrt(Math.abs(1 / det));
    const next = x.map((v, k) => (s * v + cofactors[k]! / (det * s)) / 2);
    let change = 0;
    for (let k = 0; k < 9; k++) change += Math.abs(next[k]! - x[k]!);
    x = next;
    if (change < 1e-9) break;
  }
  return x;
}
