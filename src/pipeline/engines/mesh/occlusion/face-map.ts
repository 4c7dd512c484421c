/**
 * The map of a face that the occlusion test works on: 64×64 texels in the layout of the atlas, whichever way the head
 * is turned.
 */

import { CROP } from '../../../face/landmarks.ts';
import { POINTS, type Topology } from '../../../face/topology.ts';
import type { Kernels, MeshPoint } from '../../../kernels/kernels.ts';
import { ATLAS, atlasPoints, type Planes } from '../source/atlas-layout.ts';
import { forEachPixel } from '../source/rasterise.ts';

/** Side of the map in texels. */
export const MAP_SIDE = 64;

/** Texels of the whole map, row by row. */
export const MAP_TEXELS = MAP_SIDE * MAP_SIDE;

/** In `FaceMap.neighbours`: no texel of skin there. */
export const NO_TEXEL = 0xffff;

/** First and end of a range of `FaceMap.texels`: the white ones, the black ones or all. */
export type MapRange = readonly [number, number];

/**
 * The map's texels on the mesh; one instance a lane, used by every face in turn. Texels of skin are listed like the
 * squares of a chessboard, all white ones first, so that a frame can sample every second texel. "List" below is that
 * list.
 */
export class FaceMap {
  readonly #kernels: Kernels;
  /** Places of the white and of the black texels on the mesh, as the kernels take them. */
  readonly #places: readonly [Uint8Array, Uint8Array];
  readonly #sampled: Float32Array;
  /** Map index of each texel of skin: the list. */
  readonly texels: Uint16Array;
  /** How many texels of the list are white. */
  readonly half: number;
  /** Column of each texel of the list, −0.5..0.5. */
  readonly x: Float32Array;
  /** Row of each texel of the list, −0.5..0.5. */
  readonly y: Float32Array;
  /** A corner of the triangle that each texel of the list lies in: one of 468 points. */
  readonly corner: Uint16Array;
  /** Edges of the mesh from each texel of the list to the eyes or to the mouth, whichever is nearer. */
  readonly mobileDistance: Uint8Array;
  /**
   * Places in the list of the four neighbours of each texel of the list, [texels, 4]; NO_TEXEL where there is none.
   */
  readonly neighbours: Uint16Array;
  /** Map index of the texel under each of 468 points. */
  readonly texelOfPoint: Uint16Array;
  /** 1 for each texel of the map that shows the face, eyes and mouth included. */
  readonly inside: Uint8Array;
  /** 1 for each texel of the map that is in the list: skin. */
  readonly isListed: Uint8Array;
  /** 1 where an occluder can enter: beside the face, and at the mouth's opening, which is only a line when closed. */
  readonly border: Uint8Array;

  constructor(kernels: Kernels, topology: Topology) {
    this.#kernels = kernels;
    const at = atlasPoints(topology).map((value) => (value * MAP_SIDE) / ATLAS);
    const found = new Map<number, MeshPoint>();
    this.inside = new Uint8Array(MAP_TEXELS);
    for (const mesh of [topology.skin, topology.holes]) {
      for (let t = 0; t < mesh.length; t += 3) {
        forEachPixel(mesh.subarray(t, t + 3), at, MAP_SIDE, (texel, corners, weights) => {
          this.inside[texel] = 1;
          if (mesh === topology.holes || found.has(texel)) return;
          found.set(texel, { corners, weights: [...weights] });
        });
      }
    }
    const white = (texel: number): boolean => (texel + Math.floor(texel / MAP_SIDE)) % 2 === 0;
    const texels = [...found.keys()].sort((a, b) => Number(white(b)) - Number(white(a)));
    const places = texels.map((texel) => found.get(texel)!);
    this.half = texels.filter(white).length;
    const { fromEyes, fromMouth } = topology;
    this.#places = [kernels.places(places.slice(0, this.half)), kernels.places(places.slice(this.half))];
    this.#sampled = kernels.floats(places.length * 3);
    this.texels = Uint16Array.from(texels);
    this.isListed = new Uint8Array(MAP_TEXELS);
    for (const texel of texels) this.isListed[texel] = 1;
    this.x = Float32Array.from(texels, (t) => (t % MAP_SIDE) / MAP_SIDE - 0.5);
    this.y = Float32Array.from(texels, (t) => Math.floor(t / MAP_SIDE) / MAP_SIDE - 0.5);
    const index = new Uint16Array(MAP_TEXELS).fill(NO_TEXEL);
    for (const [k, texel] of texels.entries()) index[texel] = k;
    this.neighbours = Uint16Array.from(
      texels.flatMap((t) => [t - 1, t + 1, t - MAP_SIDE, t + MAP_SIDE].map((n) => index[n] ?? NO_TEXEL)),
    );
    this.corner = Uint16Array.from(places, ({ corners }) => corners[0]);
    this.mobileDistance = Uint8Array.from(this.corner, (i) => Math.min(255, fromEyes[i]!, fromMouth[i]!));
    this.texelOfPoint = Uint16Array.from({ length: POINTS }, (_, i) => {
      const place = (value: number): number => Math.min(MAP_SIDE - 1, Math.max(0, Math.floor(value)));
      return place(at[2 * i + 1]!) * MAP_SIDE + place(at[2 * i]!);
    });
    const mouth = new Set(this.texelOfPoint.filter((_, i) => fromMouth[i] === 0));
    this.border = this.inside.map((inside, texel) => (inside === 0 || mouth.has(texel) ? 1 : 0));
  }

  /** Mean Y, U, V of each texel of the list in an atlas, as `sample` gives them of a live face. */
  listed({ y, u, v }: Planes): Float32Array {
    const colours = new Float32Array(this.texels.length * 3);
    for (const [c, plane] of [y, u, v].entries()) {
      const size = c === 0 ? ATLAS : ATLAS / 2;
      const step = size / MAP_SIDE;
      for (const [k, texel] of this.texels.entries()) {
        const first = Math.floor(texel / MAP_SIDE) * step * size + (texel % MAP_SIDE) * step;
        let sum = 0;
        for (let p = 0; p < step * step; p++) sum += plane[first + Math.floor(p / step) * size + (p % step)]!;
        colours[3 * k + c] = sum / (step * step);
      }
    }
    return colours;
  }

  /**
   * Y, U, V of each texel of the list, 0..255, into a buffer that the next call overwrites.
   * @param crop RGB 0..1, [192, 192, 3], in kernel memory. @param points x, y of 468 in the crop.
   * @param range of the list; the other texels stay as they were.
   */
  sample(crop: Float32Array, points: Float32Array, [from, to]: MapRange): Float32Array {
    const [white, black] = this.#places;
    const sampled = this.#sampled;
    const tensor = { values: crop, n: CROP };
    if (from < this.half) this.#kernels.coloursAt(tensor, points, white, sampled);
    if (to > this.half) this.#kernels.coloursAt(tensor, points, black, sampled.subarray(3 * this.half));
    return sampled;
  }
}
