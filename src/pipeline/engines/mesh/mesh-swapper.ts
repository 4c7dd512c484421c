import { evenRect } from '../../../shared/geometry.ts';
import type { Frame } from '../../../shared/types.ts';
import { POINTS } from '../../face/topology.ts';
import { type Gains, TEXTURE_EDGE, VERTEX_FLOATS } from '../../kernels/frame-region.ts';
import type { LiveFace, Looks, Swapper } from '../engine.ts';
import { facing } from './facing.ts';
import { FittedSource } from './fitted-source.ts';
import type { MeshResources } from './mesh-resources.ts';
import { MAP_SIDE } from './occlusion/face-map.ts';
import { Occlusion } from './occlusion/occlusion.ts';
import { ATLAS, BLACK, GREY } from './source/atlas-layout.ts';
import type { MeshFace } from './source/mesh-face.ts';
import { opacityByLikeness, opacityByView } from './source/opacity.ts';
import { SourceTexture } from './source-texture.ts';

/** A place along a side of so many pixels, no nearer to its ends than a warp may sample. */
const clampToSide = (at: number, side: number): number => Math.min(side - TEXTURE_EDGE, Math.max(TEXTURE_EDGE, at));

/** A change from one source face to the next, under way. */
interface Crossfade {
  from: FittedSource;
  /** The change to `from`, where that was still under way. */
  before: Crossfade | null;
  /** The vertices of what it changes from, beside those that are drawn. */
  vertices: Float32Array;
  lastsMs: number;
  /** When the first frame of it was received; null before that. */
  beganAtMs: number | null;
  /** How far it has come, 0..1. */
  share: number;
}

/** Changes that are mixed at once; where more follow one another so fast, the oldest is left out. */
const MOST_CROSSFADES = 3;

/**
 * Draws a source face over one tracked live face, frame after frame; keeps the light and the occlusion model of
 * that live face. `wear` changes the source face: shape, light, colours and texture of both are mixed, so that a frame
 * of the change is drawn once, as any other. Runs in the lane worker.
 */
export class MeshSwapper implements Swapper {
  readonly #resources: MeshResources;
  #source: FittedSource;
  #crossfade: Crossfade | null = null;
  readonly #occlusion: Occlusion;
  readonly #texture: SourceTexture;
  /** Cosine to the camera of each of 468 live points. */
  readonly #facing = new Float32Array(POINTS);
  /**
   * Cosine to the camera of each of 468 live points; 0 near and beyond the frame's edge, where points are ignored.
   */
  readonly #seen = new Float32Array(POINTS);
  /** Where each of 468 points is drawn: x, y in pixels of the frame. */
  readonly #drawn = new Float32Array(POINTS * 2);
  /** Frames measured since the source face was put on. */
  #frames = 0;

  constructor(resources: MeshResources, face: MeshFace) {
    const { kernels, map, tuning } = resources;
    this.#resources = resources;
    this.#source = new FittedSource(resources, face);
    this.#occlusion = new Occlusion(map, tuning.occlusion, tuning.worn);
    this.#texture = new SourceTexture(kernels, face, tuning.texture, tuning.expression);
  }

  /**
   * Changes the source face from the next frame on. What is known of the live face stays.
   * @param crossfadeMs how long both are mixed; 0 changes at once.
   */
  wear(face: MeshFace, crossfadeMs: number): void {
    const from = this.#source;
    this.#source = new FittedSource(this.#resources, face, from);
    const isSeen = (this.#frames > 0 || this.#crossfade !== null) && crossfadeMs > 0;
    const vertices = new Float32Array(POINTS * VERTEX_FLOATS);
    const before = withoutOldest(this.#crossfade, MOST_CROSSFADES - 1);
    this.#crossfade = isSeen ? { from, before, vertices, lastsMs: crossfadeMs, beganAtMs: null, share: 0 } : null;
    this.#texture.change(face, isSeen);
    this.#frames = 0;
  }

  /** Draws the source face into the frame. @throws FaceOffError `kernel_order` when the live face's region is stale. */
  swap(frame: Frame, live: LiveFace, looks: Looks): void | Promise<void> {
    live.region.requireLoaded();
    this.#advance(frame.receivedAtMs);
    if (live.isRepeat && this.#frames > 0) return this.#show(frame, live, looks);
    const segmentation = this.#locate(frame, live);
    if (segmentation === null) return this.#measureAndShow(frame, live, looks);
    return segmentation.then((certainty) => {
      this.#occlusion.worn.follow(certainty);
      this.#measureAndShow(frame, live, looks);
    });
  }

  /** Brings the crossfade to the time of a frame. */
  #advance(nowMs: number): void {
    for (let fade = this.#crossfade; fade !== null; fade = fade.before) {
      fade.beganAtMs ??= nowMs;
      fade.share = Math.min(1, (nowMs - fade.beganAtMs) / fade.lastsMs);
      if (fade.share === 1) fade.before = null;
    }
    if (this.#crossfade === null) return;
    this.#texture.mix(this.#crossfade.share);
    if (this.#crossfade.share === 1) this.#crossfade = null;
  }

  #measureAndShow(frame: Frame, live: LiveFace, looks: Looks): void {
    this.#measure(live);
    for (let fade = this.#crossfade; fade !== null; fade = fade.before) fade.from.shape.follow(live.points);
    this.#source.shape.follow(live.points);
    this.#texture.follow(live, looks.sharpness);
    this.#show(frame, live, looks);
  }

  /** Draws the face as it was last measured, where it is now. */
  #show(frame: Frame, live: LiveFace, looks: Looks): void {
    const bounds = this.#setVertices(live, looks);
    const rect = evenRect(bounds, frame.width, frame.height);
    if (rect === null) return;
    this.#draw(looks, live);
    live.region.store(frame, rect);
  }

  /** Returns the texture to the kernels. Idempotent. */
  close(): void {
    this.#texture.close();
  }

  /**
   * Finds which way the parts of the live face look, and where they are in its crop.
   * @returns what is worn in front of it, where that is due in this frame.
   */
  #locate(frame: Frame, live: LiveFace): Promise<Float32Array> | null {
    const { topology, sampler, map, segmenter } = this.#resources;
    facing(live.points, topology, this.#facing);
    this.#clipToFrame(frame, live);
    sampler.place(live);
    if (segmenter === null || !this.#occlusion.worn.isDue(this.#seen)) return null;
    return segmenter.segment(map.sample(live.crop, sampler.points, [0, map.texels.length]));
  }

  /** Measures what occludes the live face, its light and its irises. */
  #measure(live: LiveFace): void {
    const { sampler, map, tuning } = this.#resources;
    const { lightEveryFrames, lightFirstFrames } = tuning.swapper;
    this.#occlusion.update(map.sample(live.crop, sampler.points, this.#occlusion.range), this.#seen);
    if (++this.#frames % lightEveryFrames === 0 || this.#frames <= lightFirstFrames) {
      const colours = sampler.live(live.crop);
      const visible = this.#visible();
      for (let fade = this.#crossfade; fade !== null; fade = fade.before) fade.from.follow(live, colours, visible);
      this.#source.follow(live, colours, visible);
    }
  }

  /** Sets `#seen`. Beyond the frame's edge the crop repeats the frame's last pixels, which do not show the face. */
  #clipToFrame({ width, height }: Frame, { points, square }: LiveFace): void {
    const margin = this.#resources.tuning.swapper.edgeMargin * square.side;
    for (let i = 0; i < POINTS; i++) {
      const x = points[3 * i]!;
      const y = points[3 * i + 1]!;
      const isInside = x > margin && y > margin && x < width - margin && y < height - margin;
      this.#seen[i] = isInside ? this.#facing[i]! : 0;
    }
  }

  /** Weight of each point in the measurement of light: its cosine to the camera, less the occluded share. */
  #visible(): Float32Array {
    const occlusion = this.#occlusion;
    return occlusion.any ? this.#seen.map((seen, i) => seen * (1 - occlusion.coverageAt(i))) : this.#seen;
  }

  /** Sets the vertices; returns the box they lie in: x0, y0, x1, y1 in the frame. */
  #setVertices(live: LiveFace, looks: Looks): [number, number, number, number] {
    const { vertices, underVertices } = this.#resources;
    const { x: left, y: top, width, height } = live.region.rect;
    this.#verticesOf(this.#source, vertices, live, looks);
    const drawn = this.#drawn;
    if (this.#crossfade !== null) {
      this.#mixVertices(this.#crossfade, vertices, live, looks);
      for (let i = 0; i < POINTS; i++) {
        drawn[2 * i] = vertices[i * VERTEX_FLOATS]! + left;
        drawn[2 * i + 1] = vertices[i * VERTEX_FLOATS + 1]! + top;
      }
    }
    let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < POINTS; i++) {
      const at = i * VERTEX_FLOATS;
      const x = drawn[2 * i]!;
      const y = drawn[2 * i + 1]!;
      x0 = Math.min(x0, x);
      x1 = Math.max(x1, x);
      y0 = Math.min(y0, y);
      y1 = Math.max(y1, y);
      underVertices[at] = x - left;
      underVertices[at + 1] = y - top;
      underVertices[at + 2] = clampToSide(live.points[3 * i]! - left, width);
      underVertices[at + 3] = clampToSide(live.points[3 * i + 1]! - top, height);
    }
    return [x0, y0, x1, y1];
  }

  /** Moves the vertices of a source face towards what it changes from. */
  #mixVertices(
    { from, before, vertices: others, share }: Crossfade,
    vertices: Float32Array,
    live: LiveFace,
    looks: Looks,
  ): void {
    this.#verticesOf(from, others, live, looks);
    if (before !== null) this.#mixVertices(before, others, live, looks);
    for (let i = 0; i < vertices.length; i++) {
      const k = i % VERTEX_FLOATS;
      // The places in the texture are the same for every face.
      if (k !== 2 && k !== 3) vertices[i] = others[i]! + share * (vertices[i]! - others[i]!);
    }
  }

  /** Writes where, how opaque and in which light each of 468 points of a source face is drawn; not its texture's place. */
  #verticesOf(source: FittedSource, out: Float32Array, live: LiveFace, looks: Looks): void {
    const { opacities, overHair, folds, tuning, shape } = this.#resources;
    const opacity = opacities[((looks.keepEyes ? 1 : 0) + (looks.keepMouth ? 2 : 0)) as 0 | 1 | 2 | 3];
    const { x: left, y: top } = live.region.rect;
    const { offset, likeness, gain: lit, plain } = source.light;
    const { gain, saturation } = source.gains(looks);
    const drawn = this.#drawn;
    shape.reshape(live.points, source.shape, looks.shape, drawn);
    for (let i = 0; i < POINTS; i++) {
      const at = i * VERTEX_FLOATS;
      out[at] = drawn[2 * i]! - left;
      out[at + 1] = drawn[2 * i + 1]! - top;
      const hair = opacityByLikeness(likeness[i]!, overHair[i]!, tuning.opacity);
      const view = opacityByView(this.#facing[i]!, source.face.views[i]!, folds[i]!, tuning.opacity);
      out[at + 4] = looks.strength * opacity[i]! * hair * view;
      const light = 1 + looks.colour * (lit[i]! - 1);
      out[at + 5] = BLACK - light * (gain * BLACK - (1 - gain) * (plain[i]! - BLACK));
      const tint = looks.colour * source.tint[i]!;
      out[at + 6] = tint * offset[3 * i + 1]! + (1 - saturation * light) * GREY;
      out[at + 7] = tint * offset[3 * i + 2]! + (1 - saturation * light) * GREY;
      out[at + 8] = light;
    }
  }

  /** Factors on the texture's luma, about its plain skin, and on its chroma, about grey. */
  #gains(looks: Looks, source = this.#source, fade = this.#crossfade): Gains {
    const to = source.gains(looks);
    if (fade === null) return to;
    const from = this.#gains(looks, fade.from, fade.before);
    return {
      gain: from.gain + fade.share * (to.gain - from.gain),
      saturation: from.saturation + fade.share * (to.saturation - from.saturation),
    };
  }

  #draw(looks: Looks, { points, region }: LiveFace): void {
    const { skin, vertices, under, underKept, underVertices, restored, mask } = this.#resources;
    let [top, bottom] = [Infinity, -Infinity];
    for (let i = 0; i < POINTS; i++) {
      const live = points[3 * i + 1]!;
      const drawn = this.#drawn[2 * i + 1]!;
      top = Math.min(top, live, drawn);
      bottom = Math.max(bottom, live, drawn);
    }
    const { y } = region.rect;
    region.keep(top - y, bottom - y);
    region.warpKept(underVertices, looks.keepEyes || looks.keepMouth ? underKept : under);
    region.warp(vertices, skin, this.#gains(looks), this.#texture.texture);
    if (!looks.keepEyes) {
      const { x: left, y: top } = region.rect;
      const share = this.#crossfade?.share ?? 1;
      const draw = ({ iris }: FittedSource, strength: number): void =>
        iris.draw(region.planes, points, this.#drawn, { left, top, strength });
      if (this.#crossfade !== null) draw(this.#crossfade.from, looks.strength * (1 - share));
      draw(this.#source, looks.strength * share);
    }
    if (!this.#occlusion.any) return;
    mask.set(this.#occlusion.mask);
    region.restore(vertices, restored, { opacity: mask, size: MAP_SIDE, area: this.#occlusion.area }, ATLAS);
  }
}

/** At most so many changes, the newest ones. */
function withoutOldest(fade: Crossfade | null, most: number): Crossfade | null {
  return fade === null || most === 0 ? null : { ...fade, before: withoutOldest(fade.before, most - 1) };
}
