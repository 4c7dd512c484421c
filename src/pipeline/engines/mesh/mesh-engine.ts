import type { PhotoFlaw } from '../../../shared/messages.ts';
import type { Topology } from '../../face/topology.ts';
import type { ModelSession } from '../../inference/model-session.ts';
import type { Kernels } from '../../kernels/kernels.ts';
import type { Engine, Portrait } from '../engine.ts';
import { createMeshResources, type MeshResources } from './mesh-resources.ts';
import { MeshSwapper } from './mesh-swapper.ts';
import { MESH_TUNING, type MeshTuning } from './mesh-tuning.ts';
import { createMeshFace, type MeshFace } from './source/mesh-face.ts';
import type { PhotoLight } from './source/photo-light.ts';
import { flawsOf, measurePhoto } from './source/photo-quality.ts';

export type { MeshFace } from './source/mesh-face.ts';

/** What a mesh engine may be given beside its kernels. */
export interface MeshEngineParts {
  /** Takes the photos' light off at enrolment; null leaves it on. */
  photoLight?: PhotoLight | null;
  /** Tells what is worn in front of a live face; null leaves it to what moves. */
  occluders?: ModelSession | null;
  /** For experiments. */
  tuning?: MeshTuning;
}

/**
 * The mesh engine: draws the source's skin triangle by triangle over the live face's landmarks. Needs no network of
 * its own, no GPU and a few milliseconds a face. Eyes and the mouth's inside stay the live person's, and so does what
 * comes between the face and the camera. One instance a lane; runs in the lane worker.
 */
export class MeshEngine implements Engine<MeshFace> {
  readonly #resources: MeshResources;
  readonly #photoLight: PhotoLight | null;

  /** @throws FaceOffError `kernel_memory` when the kernels have no memory left. */
  constructor(
    kernels: Kernels,
    topology: Topology,
    { photoLight = null, occluders = null, tuning = MESH_TUNING }: MeshEngineParts = {},
  ) {
    this.#photoLight = photoLight;
    this.#resources = createMeshResources(kernels, topology, tuning, occluders);
  }

  /** Makes a source face from photos, the best one first. */
  enrol(portraits: Portrait[]): Promise<MeshFace> {
    const { topology, tuning } = this.#resources;
    return createMeshFace(portraits, { topology, tuning, photoLight: this.#photoLight });
  }

  /** What is wrong with a photo, the gravest first; empty for a good one. */
  async flaws(portrait: Portrait): Promise<PhotoFlaw[]> {
    const tuning = this.#resources.tuning.photoQuality;
    return flawsOf(await measurePhoto(portrait, { ...this.#resources, tuning }), tuning);
  }

  /** A swapper of one source face for one live face. */
  swapper(face: MeshFace): MeshSwapper {
    return new MeshSwapper(this.#resources, face);
  }
}
