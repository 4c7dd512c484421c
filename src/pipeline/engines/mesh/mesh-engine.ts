/**
 * The mesh engine: the source's skin, drawn triangle by triangle over the live face's own landmarks. Needs no network
 * of its own, no GPU and a few milliseconds a face. Eyes and the mouth's inside stay the live person's, and so does
 * whatever comes between the face and the camera.
 */

import { evenRect } from '../../../shared/geometry.ts';
import type { Frame } from '../../../shared/types.ts';
import { POINTS, type Topology } from '../../face/topology.ts';
import { type Gains, TEXTURE_EDGE, type Texture, VERTEX_FLOATS } from '../../kernels/frame-region.ts';
import type { Kernels } from '../../kernels/kernels.ts';
import type { Engine, LiveFace, Looks, Portrait, Swapper } from '../engine.ts';
import { ColourSampler } from './colour-sampler.ts';
import { facing } from './facing.ts';
import { FaceMap, MAP, Occlusion } from './occlusion.ts';
import { Relight, skinWeights, tintShares } from './relight.ts';
import { freedom, reshape } from './shape.ts';
import { ATLAS, atlasPoints, type Planes, paintAtlas } from './source/atlas.ts';
import { delight } from './source/delight.ts';
import { blurred, blurredPlane } from './source/gaussian-blur.ts';
import { neutraliseExpression, smileOf } from './source/neutralise-expression.ts';
import {
  bestViews,
  foldsOf,
  opacityByPlace,
  opacityByView,
  opacityOutside,
  opacityOverHair,
  translucent,
} from './source/opacity.ts';
import { GREY } from './source/skin-segmentation.ts';

/** A source face ready to be drawn. Plain data, so it can be sent to any lane. */
export interface MeshFace {
  /** The atlas at growing softness: level k is what a camera sees from 2^(k/2) times further away. */
  levels: Planes[];
  /** What a smile has left in it; null where the photo does not smile. */
  smile: Smile | null;
  /** Y, U, V about each of the 468 points. */
  colours: Float32Array;
  /** x, y, z of the 468 points in pixels of the best photo. */
  shape: Float32Array;
  /** How squarely the best photo saw each of the 468 points, 0..1. */
  views: Float32Array;
}

export interface Smile {
  /** How broad it is, 0..1. */
  breadth: number;
  /** Where it shows in any level. */
  texels: Uint32Array;
  /** Luma of each level there as it is without the smile's folds. */
  neutral: Uint8Array[];
}

/** The light is looked at in so many frames one after another, then in one of so many. */
const LIGHT_FIRST = 8;
const LIGHT_EVERY = 3;
/** How fast the folds of a smile follow the live mouth, and the change that is worth touching the texture for. */
const SMILE_FOLLOW = 0.3;
const SMILE_STEP = 0.04;
/** Softness levels of the atlas, half an octave apart. */
const LEVELS = 9;
/** A point nearer to the frame's edge than this share of the face's square has nothing to tell: its surroundings are cut. */
const EDGE_MARGIN = 0.02;

export class MeshEngine implements Engine<MeshFace> {
  readonly #kernels: Kernels;
  readonly #topology: Topology;
  readonly #atlasPoints: Float32Array;
  readonly #shared: Shared;

  constructor(kernels: Kernels, topology: Topology) {
    this.#kernels = kernels;
    this.#topology = topology;
    this.#atlasPoints = atlasPoints(topology);
    this.#shared = sharedBy(kernels, topology, this.#atlasPoints);
  }

  enrol(portraits: Portrait[]): MeshFace {
    const topology = this.#topology;
    const atlas = paintAtlas(portraits, topology);
    delight(atlas, this.#atlasPoints, topology);
    const levels = Array.from({ length: LEVELS }, (_, k) => (k === 0 ? atlas : blurred(atlas, ATLAS, softness(k))));
    return {
      levels,
      smile: this.#smileIn(portraits[0]!, levels),
      colours: this.#shared.sampler.atlas(atlas, this.#atlasPoints),
      shape: portraits[0]!.points.slice(0, POINTS * 3),
      views: bestViews(portraits, topology),
    };
  }

  #smileIn({ points }: Portrait, levels: Planes[]): Smile | null {
    const breadth = smileOf(points);
    if (breadth === 0) return null;
    const y = neutraliseExpression(levels[0]!, this.#atlasPoints, this.#topology);
    const planes = levels.map((_, k) => (k === 0 ? y : blurredPlane(y, ATLAS, softness(k))));
    const shows = (texel: number): boolean => planes.some((plane, k) => plane[texel] !== levels[k]!.y[texel]);
    const texels = Uint32Array.from(y.keys()).filter(shows);
    return { breadth, texels, neutral: planes.map((plane) => Uint8Array.from(texels, (texel) => plane[texel]!)) };
  }

  swapper(face: MeshFace): Swapper {
    return new MeshSwapper(this.#kernels, this.#topology, this.#shared, face);
  }
}

/** Standard deviation of a level's softness, in pixels of the atlas. */
const softness = (level: number): number => 0.5 * Math.sqrt(2 ** level - 1);

/** A place along a side of so many pixels, not nearer to its ends than a warp may sample. */
const within = (at: number, side: number): number => Math.min(side - TEXTURE_EDGE, Math.max(TEXTURE_EDGE, at));

/** What every swapper of a lane uses: the fixed things of the mesh, and buffers that hold one face at a time. */
interface Shared {
  sampler: ColourSampler;
  map: FaceMap;
  skinWeights: Float32Array;
  freedom: ReturnType<typeof freedom>;
  /** Opacity by place; with the live eyes kept, the live mouth, and both. */
  covers: readonly [Float32Array, Float32Array, Float32Array, Float32Array];
  /** What is left of it over hair. */
  overHair: Float32Array;
  /** Points that fold behind the nose. */
  folds: Uint8Array;
  /** The source's skin: triangles, and vertices with their places in the atlas. */
  skin: Uint16Array;
  vertices: Float32Array;
  /** What is laid under it where it is translucent: the live eyes and mouth, moved along. */
  under: Uint16Array;
  /** The same where the live eyes or mouth are to stay. */
  underKept: Uint16Array;
  underVertices: Float32Array;
  /** What is given back to something in front, and the mask of it. */
  back: Uint16Array;
  mask: Uint8Array;
}

function sharedBy(kernels: Kernels, topology: Topology, atlas: Float32Array): Shared {
  const vertices = kernels.floats(POINTS * VERTEX_FLOATS);
  const underVertices = kernels.floats(POINTS * VERTEX_FLOATS);
  for (let i = 0; i < POINTS; i++) {
    vertices.set(atlas.subarray(2 * i, 2 * i + 2), i * VERTEX_FLOATS + 2);
    underVertices[i * VERTEX_FLOATS + 4] = 1;
  }
  const place = opacityByPlace(topology);
  const cover = (eyes: boolean, mouth: boolean): Float32Array => {
    const outside = opacityOutside(topology, eyes, mouth);
    return place.map((share, i) => share * outside[i]!);
  };
  return {
    sampler: new ColourSampler(kernels),
    map: new FaceMap(kernels, topology),
    skinWeights: skinWeights(topology),
    freedom: freedom(topology),
    covers: [cover(false, false), cover(true, false), cover(false, true), cover(true, true)],
    overHair: opacityOverHair(topology),
    folds: foldsOf(topology),
    skin: kernels.indices(topology.skin),
    vertices,
    under: kernels.indices(translucent(topology, false)),
    underKept: kernels.indices(translucent(topology, true)),
    underVertices,
    back: kernels.indices([...topology.skin, ...topology.holes]),
    mask: kernels.bytes(MAP * MAP),
  };
}

class MeshSwapper implements Swapper {
  readonly #kernels: Kernels;
  readonly #topology: Topology;
  readonly #shared: Shared;
  readonly #face: MeshFace;
  readonly #light: Relight;
  readonly #front: Occlusion;
  /** How much of the light's colour each point takes. */
  readonly #tint: Float32Array;
  readonly #seen = new Float32Array(POINTS);
  /** The same, and nothing beyond the frame. */
  readonly #shown = new Float32Array(POINTS);
  readonly #shaped = new Float32Array(POINTS * 2);
  readonly #texture: Texture;
  #level = -1;
  /** How much of the source's smile is taken out of the texture, and how broadly the live person smiles. */
  #calmed = 0;
  #smiling: number | null = null;
  #looked = 0;
  #closed = false;

  constructor(...[kernels, topology, shared, face]: [Kernels, Topology, Shared, MeshFace]) {
    this.#kernels = kernels;
    this.#topology = topology;
    this.#shared = shared;
    this.#face = face;
    this.#light = new Relight(topology, shared.skinWeights);
    this.#front = new Occlusion(shared.map);
    this.#tint = tintShares(face.colours, shared.skinWeights);
    this.#texture = kernels.texture(ATLAS);
  }

  swap(frame: Frame, live: LiveFace, looks: Looks): void {
    this.#look(frame, live);
    reshape(live.points, this.#face.shape, this.#shared.freedom, looks.shape, this.#shaped);
    this.#dress(live, looks.sharpness);
    const bounds = this.#place(live, looks);
    const rect = evenRect(...bounds, frame.width, frame.height);
    if (rect === null) return;
    this.#draw(looks, live);
    live.region.store(frame, rect);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#kernels.release(this.#texture);
  }

  /** Takes in the live face: which way its parts look, what is in front of it, and its light. */
  #look(frame: Frame, live: LiveFace): void {
    const { sampler, map } = this.#shared;
    facing(live.points, this.#topology, this.#seen);
    this.#show(frame, live);
    sampler.place(live);
    this.#front.look(map.sample(live.crop, sampler.points, this.#front.part), this.#shown);
    // Light changes slowly, and followed more often it passes more of the noise on: every third frame is enough.
    if (++this.#looked % LIGHT_EVERY === 0 || this.#looked <= LIGHT_FIRST)
      this.#light.follow(sampler.live(live.crop), this.#face.colours, this.#lit());
  }

  /** Beyond the frame's edge the crop repeats its last pixels, which tell nothing about the face. */
  #show({ width, height }: Frame, { points, square }: LiveFace): void {
    const margin = EDGE_MARGIN * square.side;
    for (let i = 0; i < POINTS; i++) {
      const [x, y] = [points[3 * i]!, points[3 * i + 1]!];
      const inside = x > margin && y > margin && x < width - margin && y < height - margin;
      this.#shown[i] = inside ? this.#seen[i]! : 0;
    }
  }

  /** How much each point tells about the light: as squarely as it is seen, unless something is in front. */
  #lit(): Float32Array {
    return this.#front.any ? this.#shown.map((seen, i) => seen * (1 - this.#front.at(i))) : this.#shown;
  }

  /** Fills the vertices; returns the box they lie in: x0, y0, x1, y1 in the frame. */
  #place(live: LiveFace, looks: Looks): [number, number, number, number] {
    const { vertices, underVertices, covers, overHair, folds } = this.#shared;
    const cover = covers[((looks.keepEyes ? 1 : 0) + (looks.keepMouth ? 2 : 0)) as 0 | 1 | 2 | 3];
    const { x: left, y: top, width, height } = live.region.rect;
    const { offset, likeness } = this.#light;
    const { gain, saturation } = this.#gains(looks);
    const { colours, views } = this.#face;
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
      vertices[at] = underVertices[at] = x - left;
      vertices[at + 1] = underVertices[at + 1] = y - top;
      underVertices[at + 2] = within(live.points[3 * i]! - left, width);
      underVertices[at + 3] = within(live.points[3 * i + 1]! - top, height);
      const hair = overHair[i]! + (1 - overHair[i]!) * likeness[i]!;
      vertices[at + 4] = looks.strength * cover[i]! * hair * opacityByView(this.#seen[i]!, views[i]!, folds[i]!);
      vertices[at + 5] = looks.colour * offset[3 * i]! + (1 - gain) * colours[3 * i]!;
      const tint = looks.colour * this.#tint[i]!;
      vertices[at + 6] = tint * offset[3 * i + 1]! + (1 - saturation) * GREY;
      vertices[at + 7] = tint * offset[3 * i + 2]! + (1 - saturation) * GREY;
    }
    return [x0, y0, x1, y1];
  }

  /** What the source's luma is multiplied by, about its own mean, and its chroma, about grey. */
  #gains({ colour }: Looks): Gains {
    const { contrast, saturation } = this.#light;
    return { gain: 1 + colour * (contrast - 1), saturation: 1 + colour * (saturation - 1) };
  }

  #draw(looks: Looks, { points, region }: LiveFace): void {
    const { skin, vertices, under, underKept, underVertices, back, mask } = this.#shared;
    let [top, bottom] = [Infinity, -Infinity];
    for (let i = 0; i < POINTS; i++) {
      const [live, drawn] = [points[3 * i + 1]!, this.#shaped[2 * i + 1]!];
      top = Math.min(top, live, drawn);
      bottom = Math.max(bottom, live, drawn);
    }
    const { y } = region.rect;
    region.keep(top - y, bottom - y);
    region.warpKept(underVertices, looks.keepEyes || looks.keepMouth ? underKept : under);
    region.warp(vertices, skin, this.#gains(looks), this.#texture);
    if (!this.#front.any) return;
    mask.set(this.#front.mask);
    region.restore(vertices, back, { opacity: mask, size: MAP, area: this.#front.area }, ATLAS);
  }

  /** Has the texture as soft as suits the face's size in the frame, and with so much of the source's smile as the live person has. */
  #dress({ square, points }: LiveFace, sharpness: number): void {
    const { levels, smile } = this.#face;
    const wanted = sharpness * Math.min(LEVELS - 1, Math.max(0, 2 * Math.log2(ATLAS / square.side)));
    // Changed only when clearly off, so that it does not flip.
    const isOff = this.#level < 0 || Math.abs(wanted - this.#level) >= 0.75;
    if (isOff) {
      this.#level = Math.round(wanted);
      const { y, u, v } = levels[this.#level]!;
      this.#texture.y.set(y);
      this.#texture.u.set(u);
      this.#texture.v.set(v);
    }
    if (smile === null) return;
    const now = smileOf(points);
    this.#smiling = this.#smiling === null ? now : this.#smiling + SMILE_FOLLOW * (now - this.#smiling);
    const calmed = Math.max(0, smile.breadth - this.#smiling);
    if (!isOff && Math.abs(calmed - this.#calmed) < SMILE_STEP) return;
    this.#calmed = calmed;
    this.#neutral(smile);
  }

  #neutral({ texels, neutral }: Smile): void {
    const { y } = this.#face.levels[this.#level]!;
    const without = neutral[this.#level]!;
    const texture = this.#texture.y;
    const share = Math.round(256 * this.#calmed);
    for (let k = 0; k < texels.length; k++) {
      const texel = texels[k]!;
      texture[texel] = y[texel]! + ((share * (without[k]! - y[texel]!) + 128) >> 8);
    }
  }
}
