import type { Topology } from '../../face/topology.ts';
import type { Kernels } from '../../kernels/kernels.ts';
import type { Engine, Portrait } from '../engine.ts';
import { createMeshResources, type MeshResources } from './mesh-resources.ts';
import { MeshSwapper } from './mesh-swapper.ts';
import { MESH_TUNING, type MeshTuning } from './mesh-tuning.ts';
import { createMeshFace, type MeshFace } from './source/mesh-face.ts';

export type { MeshFace } from './source/mesh-face.ts';

/**
 * The mesh engine: draws the source's skin triangle by triangle over the live face's landmarks. Needs no network of
 * its own, no GPU and a few milliseconds a face. Eyes and the mouth's inside stay the live person's, and so does what
 * comes between the face and the camera. One instance a lane; runs in the lane worker.
 */
export class MeshEngine implements Engine<MeshFace> {
  readonly #resources: MeshResources;

  /** @param tuning is for experiments. @throws FaceOffError `kernel_memory` when the kernels have no memory left. */
  constructor(kernels: Kernels, topology: Topology, tuning: MeshTuning = MESH_TUNING) {
    this.#resources = createMeshResources(kernels, topology, tuning);
  }

  /** Makes a source face from photos, the best one first. */
  enrol(portraits: Portrait[]): MeshFace {
    const { topology, tuning } = this.#resources;
    return createMeshFace(portraits, topology, tuning);
  }

  /** A swapper of one source face for one live face. */
  swapper(face: MeshFace): MeshSwapper {
    return new MeshSwapper(this.#resources, face);
  }
}
