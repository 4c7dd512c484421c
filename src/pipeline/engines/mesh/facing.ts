import { POINTS, type Topology } from '../../face/topology.ts';

/**
 * How squarely each of 468 points faces the camera: the cosine between its normal and the direction to the camera. 1
 * is frontal, 0 edge-on, below 0 turned away.
 * @param points x, y, z of at least 468 in pixels, y downwards, z away from the camera.
 * @param out is written and returned.
 */
export function facing(points: Float32Array, topology: Topology, out = new Float32Array(POINTS)): Float32Array {
  normals.fill(0);
  for (const triangles of [topology.skin, topology.holes]) {
    for (let t = 0; t < triangles.length; t += 3) {
      const i = 3 * triangles[t]!;
      const j = 3 * triangles[t + 1]!;
      const k = 3 * triangles[t + 2]!;
      const [ux, uy, uz] = [points[j]! - points[i]!, points[j + 1]! - points[i + 1]!, points[j + 2]! - points[i + 2]!];
      const [vx, vy, vz] = [points[k]! - points[i]!, points[k + 1]! - points[i + 1]!, points[k + 2]! - points[i + 2]!];
      const nx = uy * vz - uz * vy;
      const ny = uz * vx - ux * vz;
      const nz = ux * vy - uy * vx;
      add(i, nx, ny, nz);
      add(j, nx, ny, nz);
      add(k, nx, ny, nz);
    }
  }
  for (let i = 0; i < POINTS; i++) {
    const nz = normals[3 * i + 2]!;
    const [nx, ny] = [normals[3 * i]!, normals[3 * i + 1]!];
    const length = Math.sqrt(nx * nx + ny * ny + nz * nz) || 1;
    out[i] = (FRONTAL_SIGN * nz) / length;
  }
  return out;
}

/**
 * The canonical triangles wind so that, with y downwards and z away, the normals of a frontal face have this sign of
 * z.
 */
const FRONTAL_SIGN = -1;
const normals = new Float32Array(POINTS * 3);

function add(at: number, x: number, y: number, z: number): void {
  normals[at]! += x;
  normals[at + 1]! += y;
  normals[at + 2]! += z;
}
