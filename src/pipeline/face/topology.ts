/**
 * The fixed shape of MediaPipe's face mesh: triangles, texture coordinates, neighbours, mirror points and regions.
 * Indices are those of the canonical face model (Apache-2.0); 478 points come from the model, the last ten are
 * irises.
 */

import { z } from 'zod';

/** Points of the face mesh. */
export const POINTS = 468;
/** Points with the irises, as the landmark model gives them. */
export const ALL_POINTS = 478;

/** The outer corner of the person's right eye, left on screen; with EYE_OUTER_LEFT it levels a crop. */
export const EYE_OUTER_RIGHT = 33;
/** The outer corner of the person's left eye, right on screen. */
export const EYE_OUTER_LEFT = 263;

// biome-ignore format: a table
/** The face's outline, as a loop of points from the forehead. */
export const OVAL = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109];
// biome-ignore format: a table
/** The mouth opening's edge, as a loop. */
export const LIPS_INNER = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95];
// biome-ignore format: a table
/** The lips' outer edge, as a loop. */
export const LIPS_OUTER = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146];
// biome-ignore format: a table
/** The lids of the person's right eye, as a loop. */
export const EYE_RIGHT = [33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246];
// biome-ignore format: a table
/** The lids of the person's left eye, as a loop. */
export const EYE_LEFT = [263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466];
// biome-ignore format: a table
/** The person's right brow. */
export const BROW_RIGHT = [70, 63, 105, 66, 107, 55, 65, 52, 53, 46];
// biome-ignore format: a table
/** The person's left brow. */
export const BROW_LEFT = [300, 293, 334, 296, 336, 285, 295, 282, 283, 276];

const Geometry = z.object({
  vertices: z.array(z.number()).length(POINTS * 3),
  uvs: z.array(z.number()).length(POINTS * 2),
  triangles: z.array(
    z
      .number()
      .int()
      .min(0)
      .max(POINTS - 1),
  ),
});

/** The mesh's fixed geometry and what follows from it, one entry a point unless a field says otherwise. */
export interface Topology {
  /** Canonical points, x right, y up, z to the viewer, in centimetres. */
  vertices: Float32Array;
  /** Texture coordinates 0..1, v downwards. */
  uvs: Float32Array;
  /** Corner indices of the skin: eye openings and the mouth's inside are left out. */
  skin: Uint16Array;
  /** The triangles left out, eyes and mouth. */
  holes: Uint16Array;
  /** Neighbours of point i: `neighbours[first[i]]` to `neighbours[first[i + 1] - 1]`. */
  first: Uint16Array;
  neighbours: Uint16Array;
  /** The point on the other half of the face. */
  mirror: Uint16Array;
  /** Edges between a point and the oval: 0 on the rim. */
  ring: Uint8Array;
  /** Edges between a point and the nearest point of a lid: 0 on the lid. */
  fromEyes: Uint8Array;
  /** Edges between a point and the nearest point of the mouth opening: 0 on its edge. */
  fromMouth: Uint8Array;
}

/**
 * Reads MediaPipe's geometry, models/face-geometry.json.
 * @throws ZodError when the file is not that of the 468-point mesh.
 */
export function readTopology(file: Uint8Array): Topology {
  const { vertices, uvs, triangles } = Geometry.parse(JSON.parse(new TextDecoder().decode(file)));
  const openings = [EYE_RIGHT, EYE_LEFT, LIPS_INNER].map((loop) => new Set(loop));
  const skin: number[] = [];
  const holes: number[] = [];
  const links = Array.from({ length: POINTS }, () => new Set<number>());
  for (let t = 0; t < triangles.length; t += 3) {
    const corners = triangles.slice(t, t + 3) as [number, number, number];
    const hole = openings.some((loop) => corners.every((corner) => loop.has(corner)));
    (hole ? holes : skin).push(...corners);
    for (const p of corners) for (const q of corners) if (p !== q) links[p]!.add(q);
  }
  const first = new Uint16Array(POINTS + 1);
  for (let i = 0; i < POINTS; i++) first[i + 1] = first[i]! + links[i]!.size;
  const steps = (from: number[]): Uint8Array => distances(links, from);
  return {
    vertices: Float32Array.from(vertices),
    uvs: Float32Array.from(uvs),
    skin: Uint16Array.from(skin),
    holes: Uint16Array.from(holes),
    first,
    neighbours: Uint16Array.from(links.flatMap((set) => [...set])),
    mirror: mirrorOf(vertices),
    ring: steps(OVAL),
    fromEyes: steps([...EYE_RIGHT, ...EYE_LEFT]),
    fromMouth: steps(LIPS_INNER),
  };
}

/** For each point, edges to the nearest of `from` (breadth-first search). */
function distances(links: Set<number>[], from: number[]): Uint8Array {
  const steps = new Uint8Array(links.length).fill(255);
  let front = from;
  for (let step = 0; front.length > 0; step++) {
    for (const i of front) steps[i] = step;
    front = [...new Set(front.flatMap((i) => [...links[i]!]))].filter((i) => steps[i] === 255);
  }
  return steps;
}

/** For each point, the nearest to its mirror image. */
function mirrorOf(vertices: number[]): Uint16Array {
  const at = (i: number): [number, number, number] => [vertices[3 * i]!, vertices[3 * i + 1]!, vertices[3 * i + 2]!];
  return Uint16Array.from({ length: POINTS }, (_, i) => {
    const [x, y, z] = at(i);
    let best = i;
    let least = Infinity;
    for (let j = 0; j < POINTS; j++) {
      const [u, v, w] = at(j);
      const d = (u + x) ** 2 + (v - y) ** 2 + (w - z) ** 2;
      if (d < least) [best, least] = [j, d];
    }
    return best;
  });
}
