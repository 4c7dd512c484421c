import type { Gains } from '../../kernels/frame-region.ts';
import type { LiveFace, Looks } from '../engine.ts';
import { IrisTint } from './iris.ts';
import { Relight } from './light/relight.ts';
import { tintShares } from './light/skin-weights.ts';
import type { MeshResources } from './mesh-resources.ts';
import { ShapeDifference } from './shape-difference.ts';
import type { MeshFace } from './source/mesh-face.ts';

/** One source face fitted to one live face: its shape, its light and its irises. Runs in the lane worker. */
export class FittedSource {
  readonly face: MeshFace;
  readonly shape: ShapeDifference;
  readonly light: Relight;
  readonly iris: IrisTint;
  /** How much of the light's colour each of 468 points takes. */
  readonly tint: Float32Array;

  /** @param before the source face that was on this live face until now: what it learned of that face is taken over. */
  constructor(resources: MeshResources, face: MeshFace, before?: FittedSource) {
    const { topology, quadratic, skinWeights: skin, lips, tuning } = resources;
    this.face = face;
    this.shape = new ShapeDifference(face.shape, lips, tuning.shapeDifference);
    this.iris = new IrisTint(face.iris, tuning.iris);
    this.light = new Relight(face.colours, { topology, quadratic, skin, tuning: tuning.relight });
    this.tint = tintShares(face.colours, skin);
    if (before !== undefined) this.shape.learnFrom(before.shape);
  }

  /**
   * Follows the light on the live face, and its irises.
   * @param colours mean Y, U, V at each of 468 live points. @param visible weight of each of them, 0..1.
   */
  follow({ region, points }: LiveFace, colours: Float32Array, visible: Float32Array): void {
    const { x, y } = region.rect;
    this.light.follow(colours, visible);
    this.iris.follow(region.planes, points, x, y);
  }

  /** Factors on the source's luma, about its plain skin, and on its chroma, about grey. */
  gains({ colour }: Looks): Gains {
    const { contrast, saturation } = this.light;
    return { gain: 1 + colour * (contrast - 1), saturation: 1 + colour * (saturation - 1) };
  }
}
