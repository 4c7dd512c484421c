/**
 * The mesh engine: the source's skin, drawn triangle by triangle over the live face's own landmarks. Needs no network
 * of its own, no GPU and a few milliseconds a face. Eyes and the mouth's inside stay the live person's.
 */

import { cropToFrame, evenRect, inverse } from '../geometry.ts';
import { type Kernels, type Texture, VERTEX_FLOATS } from '../kernels/kernels.ts';
import { CROP } from '../landmarks.ts';
import { POINTS, type Topology } from '../topology.ts';
import type { Frame } from '../types.ts';
import type { Engine, LiveFace, Looks, Portrait, Swapper } from './engine.ts';
import { ATLAS, atlasPoints, type Planes, paintAtlas } from './mesh/atlas.ts';
import { blurred } from './mesh/blur.ts';
import { cleanSkin } from './mesh/clean.ts';
import { Light, skinWeights } from './mesh/colour.ts';
import { facing } from './mesh/facing.ts';
import { freedom, reshape } from './mesh/shape.ts';

/** A source face ready to be drawn. Plain data, so it can be sent to any lane. */
export interface MeshFace {
  /** The atlas at growing softness: level k is what a camera sees from 2^(k/2) times further away. */
  levels: Planes[];
  /** Y, U, V about each of the 468 points. */
  colours: Float32Array;
  /** x, y, z of the 468 points in pixels of the best photo. */
  shape: Float32Array;
}

/** Softness levels of the atlas, half an octave apart. */
const LEVELS = 9;
/** Half side of the square a colour sample is taken from: in pixels of the 192 crop, and of the atlas. */
const SAMPLE_RADIUS = 3;
const ATLAS_SAMPLE_RADIUS = 12;
/** How far towards the face's middle the rim's colour samples are drawn, so that they are of skin. */
const SAMPLE_INSET = [0.1, 0.04];
/** Opacity by rings from the rim inwards. */
const RIM_FADE = [0, 0.55, 1];
/** Opacity at the edge of an eye and of the mouth's inside. */
const LID_ALPHA = 1;
const LIP_ALPHA = 0.5;
/** Cosines between which a part that turns away fades out. */
const TURNED_FROM = 0;
const TURNED_TO = 0.25;

export class MeshEngine implements Engine<MeshFace> {
  readonly kernels: Kernels;
  readonly topology: Topology;
  readonly triangles: Uint16Array;
  readonly vertices: Float32Array;
  readonly free: Float32Array;
  readonly skin: Float32Array;
  /** Opacity by place on the face alone. */
  readonly cover: Float32Array;
  readonly inset: Float32Array;
  readonly #atlasPoints: Float32Array;
  readonly #samplePoints: Float32Array;
  readonly #sampled: Float32Array;

  constructor(kernels: Kernels, topology: Topology) {
    this.kernels = kernels;
    this.topology = topology;
    this.triangles = kernels.indices(topology.skin);
    this.vertices = kernels.floats(POINTS * VERTEX_FLOATS);
    this.#samplePoints = kernels.floats(POINTS * 2);
    this.#sampled = kernels.floats(POINTS * 3);
    this.free = freedom(topology);
    this.skin = skinWeights(topology);
    this.cover = Float32Array.from({ length: POINTS }, (_, i) => {
      const rim = RIM_FADE[topology.ring[i]!] ?? 1;
      const lid = topology.fromEyes[i] === 0 ? LID_ALPHA : 1;
      const lip = topology.fromMouth[i] === 0 ? LIP_ALPHA : 1;
      return rim * lid * lip;
    });
    this.inset = Float32Array.from(topology.ring, (ring) => SAMPLE_INSET[ring] ?? 0);
    this.#atlasPoints = atlasPoints(topology);
    for (let i = 0; i < POINTS; i++)
      this.vertices.set(this.#atlasPoints.subarray(2 * i, 2 * i + 2), i * VERTEX_FLOATS + 2);
  }

  enrol(portraits: Portrait[]): MeshFace {
    const atlas = paintAtlas(portraits, this.topology);
    cleanSkin(atlas, this.#atlasPoints, this.topology);
    const levels = [atlas];
    for (let k = 1; k < LEVELS; k++) levels.push(blurred(atlas, ATLAS, 0.5 * Math.sqrt(2 ** k - 1)));
    return { levels, colours: this.#atlasColours(atlas), shape: portraits[0]!.points.slice(0, POINTS * 3) };
  }

  swapper(face: MeshFace): Swapper {
    return new MeshSwapper(this, face);
  }

  /** Y, U, V of the live face about each point, into a buffer that the next call overwrites. */
  liveColours(face: LiveFace): Float32Array {
    const back = inverse(cropToFrame(face.square, CROP));
    const at = this.#samplePoints;
    for (let i = 0; i < POINTS; i++) {
      const x = face.points[3 * i]!;
      const y = face.points[3 * i + 1]!;
      at[2 * i] = back.a * x - back.b * y + back.tx;
      at[2 * i + 1] = back.b * x + back.a * y + back.ty;
    }
    insetPoints(at, this.inset);
    this.kernels.meansAt(face.crop, CROP, at, 2, SAMPLE_RADIUS, this.#sampled);
    const colours = this.#sampled;
    for (let i = 0; i < colours.length; i += 3) {
      const [r, g, b] = [colours[i]!, colours[i + 1]!, colours[i + 2]!];
      colours[i] = 16 + 65.481 * r + 128.553 * g + 24.966 * b;
      colours[i + 1] = 128 - 37.797 * r - 74.203 * g + 112 * b;
      colours[i + 2] = 128 + 112 * r - 93.786 * g - 18.214 * b;
    }
    return colours;
  }

  #atlasColours(atlas: Planes): Float32Array {
    const at = this.#atlasPoints.slice();
    insetPoints(at, this.inset);
    const colours = new Float32Array(POINTS * 3);
    for (let i = 0; i < POINTS; i++) {
      const [x, y] = [at[2 * i]!, at[2 * i + 1]!];
      colours[3 * i] = boxMean(atlas.y, ATLAS, x, y, ATLAS_SAMPLE_RADIUS);
      colours[3 * i + 1] = boxMean(atlas.u, ATLAS / 2, x / 2, y / 2, ATLAS_SAMPLE_RADIUS / 2);
      colours[3 * i + 2] = boxMean(atlas.v, ATLAS / 2, x / 2, y / 2, ATLAS_SAMPLE_RADIUS / 2);
    }
    return colours;
  }
}

class MeshSwapper implements Swapper {
  readonly #engine: MeshEngine;
  readonly #face: MeshFace;
  readonly #light: Light;
  readonly #seen = new Float32Array(POINTS);
  readonly #shaped = new Float32Array(POINTS * 2);
  readonly #texture: Texture;
  #level = -1;
  #closed = false;

  constructor(engine: MeshEngine, face: MeshFace) {
    this.#engine = engine;
    this.#face = face;
    this.#light = new Light(engine.topology, engine.skin);
    this.#texture = engine.kernels.texture(ATLAS);
  }

  swap(frame: Frame, live: LiveFace, looks: Looks): void {
    const { kernels, topology, triangles, vertices } = this.#engine;
    const seen = facing(live.points, topology, this.#seen);
    this.#light.follow(this.#engine.liveColours(live), this.#face.colours, seen);
    reshape(live.points, this.#face.shape, this.#engine.free, looks.shape, this.#shaped);
    this.#pickLevel(live, looks.sharpness);
    const bounds = this.#place(looks);
    const rect = evenRect(...bounds, frame.width, frame.height);
    if (rect === null) return;
    kernels.warp(vertices, triangles, triangles.length / 3, this.#texture);
    kernels.store(frame, rect);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#engine.kernels.release(this.#texture);
  }

  /** Fills the vertices; returns the box they lie in: x0, y0, x1, y1 in the frame. */
  #place(looks: Looks): [number, number, number, number] {
    const { kernels, vertices, cover } = this.#engine;
    const { x: left, y: top } = kernels.rect;
    const { offset } = this.#light;
    const gain = 1 + looks.colour * (this.#light.contrast - 1);
    const shaped = this.#shaped;
    let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < POINTS; i++) {
      const at = i * VERTEX_FLOATS;
      const x = shaped[2 * i]!;
      const y = shaped[2 * i + 1]!;
      x0 = Math.min(x0, x);
      x1 = Math.max(x1, x);
      y0 = Math.min(y0, y);
      y1 = Math.max(y1, y);
      vertices[at] = x - left;
      vertices[at + 1] = y - top;
      const turned = Math.min(1, Math.max(0, (this.#seen[i]! - TURNED_FROM) / (TURNED_TO - TURNED_FROM)));
      vertices[at + 4] = looks.strength * cover[i]! * turned;
      for (let k = 0; k < 3; k++) {
        vertices[at + 6 + 2 * k] = gain;
        vertices[at + 7 + 2 * k] = looks.colour * offset[3 * i + k]! + (1 - gain) * this.#face.colours[3 * i + k]!;
      }
    }
    return [x0, y0, x1, y1];
  }

  /** The softness that suits the face's size in the frame, changed only when clearly off so that it does not flip. */
  #pickLevel({ square }: LiveFace, sharpness: number): void {
    const shrink = (ATLAS * 1.25) / square.side;
    const wanted = sharpness * Math.min(LEVELS - 1, Math.max(0, 2 * Math.log2(shrink)));
    if (this.#level >= 0 && Math.abs(wanted - this.#level) < 0.75) return;
    this.#level = Math.round(wanted);
    const { y, u, v } = this.#face.levels[this.#level]!;
    this.#texture.y.set(y);
    this.#texture.u.set(u);
    this.#texture.v.set(v);
  }
}

/** Draws points (x, y of 468) towards their common middle, each by its share. */
function insetPoints(points: Float32Array, inset: Float32Array): void {
  let x = 0;
  let y = 0;
  for (let i = 0; i < POINTS; i++) {
    x += points[2 * i]! / POINTS;
    y += points[2 * i + 1]! / POINTS;
  }
  for (let i = 0; i < POINTS; i++) {
    points[2 * i]! += (x - points[2 * i]!) * inset[i]!;
    points[2 * i + 1]! += (y - points[2 * i + 1]!) * inset[i]!;
  }
}

function boxMean(plane: Uint8Array, size: number, x: number, y: number, radius: number): number {
  let sum = 0;
  let count = 0;
  for (let j = Math.max(0, Math.floor(y) - radius); j <= Math.min(size - 1, Math.floor(y) + radius); j++) {
    for (let i = Math.max(0, Math.floor(x) - radius); i <= Math.min(size - 1, Math.floor(x) + radius); i++) {
      sum += plane[j * size + i]!;
      count++;
    }
  }
  return sum / count;
}
