import { evenRect } from '../../../shared/geometry.ts';
import type { Frame } from '../../../shared/types.ts';
import { POINTS } from '../../face/topology.ts';
import { type Gains, TEXTURE_EDGE, VERTEX_FLOATS } from '../../kernels/frame-region.ts';
import type { LiveFace, Looks, Swapper } from '../engine.ts';
import { facing } from './facing.ts';
import { IrisTint } from './iris.ts';
import { Relight } from './light/relight.ts';
import { tintShares } from './light/skin-weights.ts';
import type { MeshResources } from './mesh-resources.ts';
import { MAP_SIDE } from './occlusion/face-map.ts';
import { Occlusion } from './occlusion/occlusion.ts';
import { ShapeDifference } from './shape-difference.ts';
import { ATLAS, BLACK, GREY } from './source/atlas-layout.ts';
import type { MeshFace } from './source/mesh-face.ts';
import { opacityByLikeness, opacityByView } from './source/opacity.ts';
import { SourceTexture } from './source-texture.ts';

/** A place along a side of so many pixels, no nearer to its ends than a warp may sample. */
const clampToSide = (at: number, side: number): number => Math.min(side - TEXTURE_EDGE, Math.max(TEXTURE_EDGE, at));

/**
 * Draws one source face over one tracked live face, frame after frame; keeps the light and the occlusion model of
 * that live face. Runs in the lane worker.
 */
export class MeshSwapper implements Swapper {
  readonly #resources: MeshResources;
  readonly #face: MeshFace;
  readonly #light: Relight;
  readonly #occlusion: Occlusion;
  readonly #texture: SourceTexture;
  /** How much of the light's colour each of 468 points takes. */
  readonly #tint: Float32Array;
  /** Cosine to the camera of each of 468 live points. */
  readonly #facing = new Float32Array(POINTS);
  /**
   * Cosine to the camera of each of 468 live points; 0 near and beyond the frame's edge, where points are ignored.
   */
  readonly #seen = new Float32Array(POINTS);
  /** Where each of 468 points is drawn: x, y in pixels of the frame. */
  readonly #drawn = new Float32Array(POINTS * 2);
  readonly #shape: ShapeDifference;
  readonly #iris: IrisTint;
  #frames = 0;

  constructor(resources: MeshResources, face: MeshFace) {
    const { kernels, topology, map, tuning } = resources;
    this.#resources = resources;
    this.#face = face;
    const { skinWeights: skin, quadratic } = resources;
    this.#shape = new ShapeDifference(face.shape, resources.lips, tuning.shapeDifference);
    this.#iris = new IrisTint(face.iris, tuning.iris);
    this.#light = new Relight(face.colours, { topology, quadratic, skin, tuning: tuning.relight });
    this.#occlusion = new Occlusion(map, tuning.occlusion, tuning.worn);
    this.#tint = tintShares(face.colours, resources.skinWeights);
    this.#texture = new SourceTexture(kernels, face, tuning.texture, tuning.expression);
  }

  /** Draws the source face into the frame. @throws FaceOffError `kernel_order` when the live face's region is stale. */
  swap(frame: Frame, live: LiveFace, looks: Looks): void | Promise<void> {
    live.region.requireLoaded();
    if (live.isRepeat && this.#frames > 0) return this.#show(frame, live, looks);
    const segmentation = this.#locate(frame, live);
    if (segmentation === null) return this.#measureAndShow(frame, live, looks);
    return segmentation.then((certainty) => {
      this.#occlusion.worn.follow(certainty);
      this.#measureAndShow(frame, live, looks);
    });
  }

  #measureAndShow(frame: Frame, live: LiveFace, looks: Looks): void {
    this.#measure(live);
    this.#shape.follow(live.points);
    this.#texture.follow(live, looks.sharpness);
    this.#show(frame, live, looks);
  }

  /** Draws the face as it was last measured, where it is now. */
  #show(frame: Frame, live: LiveFace, looks: Looks): void {
    this.#resources.shape.reshape(live.points, this.#shape, looks.shape, this.#drawn);
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
      this.#light.follow(sampler.live(live.crop), this.#visible());
      this.#followIris(live);
    }
  }

  #followIris({ region, points }: LiveFace): void {
    const { x, y } = region.rect;
    this.#iris.follow(region.planes, points, x, y);
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
    const { vertices, underVertices, opacities, overHair, folds, tuning } = this.#resources;
    const opacity = opacities[((looks.keepEyes ? 1 : 0) + (looks.keepMouth ? 2 : 0)) as 0 | 1 | 2 | 3];
    const { x: left, y: top, width, height } = live.region.rect;
    const { offset, likeness, gain: lit, plain } = this.#light;
    const { gain, saturation } = this.#gains(looks);
    const { views } = this.#face;
    const drawn = this.#drawn;
    let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < POINTS; i++) {
      const at = i * VERTEX_FLOATS;
      const x = drawn[2 * i]!;
      const y = drawn[2 * i + 1]!;
      x0 = Math.min(x0, x);
      x1 = Math.max(x1, x);
      y0 = Math.min(y0, y);
      y1 = Math.max(y1, y);
      vertices[at] = underVertices[at] = x - left;
      vertices[at + 1] = underVertices[at + 1] = y - top;
      underVertices[at + 2] = clampToSide(live.points[3 * i]! - left, width);
      underVertices[at + 3] = clampToSide(live.points[3 * i + 1]! - top, height);
      const hair = opacityByLikeness(likeness[i]!, overHair[i]!, tuning.opacity);
      const view = opacityByView(this.#facing[i]!, views[i]!, folds[i]!, tuning.opacity);
      vertices[at + 4] = looks.strength * opacity[i]! * hair * view;
      const light = 1 + looks.colour * (lit[i]! - 1);
      vertices[at + 5] = BLACK - light * (gain * BLACK - (1 - gain) * (plain[i]! - BLACK));
      const tint = looks.colour * this.#tint[i]!;
      vertices[at + 6] = tint * offset[3 * i + 1]! + (1 - saturation * light) * GREY;
      vertices[at + 7] = tint * offset[3 * i + 2]! + (1 - saturation * light) * GREY;
      vertices[at + 8] = light;
    }
    return [x0, y0, x1, y1];
  }

  /** Factors on the source's luma, about its plain skin, and on its chroma, about grey. */
  #gains({ colour }: Looks): Gains {
    const { contrast, saturation } = this.#light;
    return { gain: 1 + colour * (contrast - 1), saturation: 1 + colour * (saturation - 1) };
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
      this.#iris.draw(region.planes, points, this.#drawn, { left, top, strength: looks.strength });
    }
    if (!this.#occlusion.any) return;
    mask.set(this.#occlusion.mask);
    region.restore(vertices, restored, { opacity: mask, size: MAP_SIDE, area: this.#occlusion.area }, ATLAS);
  }
}
