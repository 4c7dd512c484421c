/** The source faces of a lane, and the engines that put them on tracked faces. */

import type { PhotoFlaw } from '../../shared/messages.ts';
import { isGenerator, MESH } from '../../shared/settings.ts';
import type { SlowEngine } from '../../shared/types.ts';
import type { Portrait, Swapper } from '../engines/engine.ts';
import { FallbackSwapper, type Primary } from '../engines/fallback-swapper.ts';
import { MeshEngine, type MeshFace } from '../engines/mesh/mesh-engine.ts';
import { MeshSwapper } from '../engines/mesh/mesh-swapper.ts';
import { EngineRegistry } from '../engines/neural/engine-registry.ts';
import type { NeuralOptions } from '../engines/neural/neural-engine.ts';
import { NeuralEngine, type NeuralFace } from '../engines/neural/neural-engine.ts';
import type { ModelLoad } from '../pool/lane-protocol.ts';
import type { LaneModels, LaneSetup } from './lane-models.ts';

/** Which swapper a track asks for. */
export interface SwapperRequest {
  /** Id of the source face. */
  face: string;
  engine: string;
  /** Asked before each frame: whether the plan lets a generator swap it. */
  mayGenerate: () => boolean;
  /** The track's present swapper of the same engine; mesh changes it to the face, and what it knows of the track stays. */
  present?: Swapper | undefined;
}

/**
 * Mesh, which is always there, and the generators, opened when a stream first asks for one. A generator that is not
 * ready, too slow or failing is replaced by the reserve, frame by frame. Used in the lane's mutex only.
 */
export class LaneEngines {
  readonly #models: LaneModels;
  readonly #setup: LaneSetup;
  readonly #mesh: MeshEngine;
  readonly #generators: EngineRegistry;
  readonly #meshFaces = new Map<string, MeshFace>();
  /** Faces by the generator they are for, then by id. */
  readonly #neuralFaces = new Map<string, Map<string, NeuralFace>>();
  /** Engines that only enrol: their generators are never loaded. */
  readonly #enrolling = new Map<string, NeuralEngine>();

  constructor(models: LaneModels, setup: LaneSetup) {
    const { kernels, topology, catalogue, device, photoLight, occluders } = models;
    const { options, mutex, onFault, onModelNews } = setup;
    this.#models = models;
    this.#setup = setup;
    this.#mesh = new MeshEngine(kernels, topology, { photoLight, occluders });
    const neural: NeuralOptions = { ...options, onModelNews, device, yieldWhile: mutex.yieldWhile };
    const make = (name: string): NeuralEngine => new NeuralEngine(catalogue, name, neural);
    this.#generators = new EngineRegistry(make, onFault, { budgetMs: options.budgetMs, onModelNews });
  }

  /** Opens an engine. @returns how it was loaded; null for mesh, and for one that cannot be used. */
  async prepare(model: string): Promise<ModelLoad | null> {
    if (model === MESH) return null;
    const beganMs = performance.now();
    await this.#generators.open(model);
    const runsOn = this.#generators.runsOn(model);
    return runsOn === null ? null : { model, ...runsOn, loadMs: performance.now() - beganMs };
  }

  /** How many source faces the lane has. */
  get faceCount(): number {
    return this.#meshFaces.size;
  }

  /** Whether the lane has a source face. */
  hasFace(id: string): boolean {
    return this.#meshFaces.has(id);
  }

  /** Keeps a source face, in place of an earlier one of that id. */
  setFace(id: string, face: MeshFace): void {
    this.#meshFaces.set(id, face);
  }

  /** Keeps the form of a source face that a generator wants. */
  setNeuralFace(engine: string, id: string, face: NeuralFace): void {
    const faces = this.#neuralFaces.get(engine) ?? new Map<string, NeuralFace>();
    this.#neuralFaces.set(engine, faces.set(id, face));
  }

  /** Forgets a source face in all its forms. */
  dropFace(id: string): void {
    this.#meshFaces.delete(id);
    for (const faces of this.#neuralFaces.values()) faces.delete(id);
  }

  /** Makes a source face of portraits, for mesh. */
  enrol(portraits: Portrait[]): Promise<MeshFace> {
    return this.#mesh.enrol(portraits);
  }

  /** What is wrong with a photo, the gravest first; empty for a good one. */
  flaws(portrait: Portrait): Promise<PhotoFlaw[]> {
    return this.#mesh.flaws(portrait);
  }

  /** @throws FaceOffError when the engine is unknown, or a model that it needs cannot be used. */
  enrolFor(name: string, portraits: Portrait[]): Promise<NeuralFace> {
    const { options, onModelNews } = this.#setup;
    const engine =
      this.#enrolling.get(name) ?? new NeuralEngine(this.#models.catalogue, name, { ...options, onModelNews });
    this.#enrolling.set(name, engine);
    return engine.enrol(portraits);
  }

  /** A swapper for one track; null while the lane does not have the face. */
  swapper({ face: id, engine, mayGenerate, present }: SwapperRequest): Swapper | null {
    const face = this.#meshFaces.get(id);
    if (face === undefined) return null;
    if (engine === MESH) {
      if (!(present instanceof MeshSwapper)) return this.#mesh.swapper(face);
      present.wear(face, this.#setup.options.crossfadeMs);
      return present;
    }
    return new FallbackSwapper({
      primary: () => (mayGenerate() ? this.#generator(engine, id) : null),
      fallback: this.#setup.options.reserve === MESH ? this.#mesh.swapper(face) : null,
      reload: (frame, live) => ({ ...live, ...this.#models.tools.landmarker.reload(frame, live.square) }),
    });
  }

  /** A generator's swapper for a face; null while it is not ready, rests, or has no form of the face. */
  #generator(engine: string, id: string): Primary | null {
    const face = this.#neuralFaces.get(engine)?.get(id);
    const neural = face === undefined ? null : this.#generators.ready(engine);
    if (face === undefined || neural === null) return null;
    return { swapper: neural.swapper(face), onFailure: (error) => this.#generators.markFailed(engine, error, neural) };
  }

  /** Whether mesh stands in where this engine cannot serve. */
  hasReserve(engine: string): boolean {
    return isGenerator(engine) && this.#setup.options.reserve === MESH;
  }

  /** What a generator takes that is too slow for the budget; null for one that keeps time, and for mesh. */
  slowEngine(engine: string): SlowEngine | null {
    const takesMs = isGenerator(engine) ? this.#generators.tooSlowMs(engine) : null;
    return takesMs === null ? null : { model: engine, takesMs, budgetMs: this.#setup.options.budgetMs };
  }

  /** Closes the generators that no stream uses; the configured one stays open. */
  closeUnused(inUse: readonly string[]): Promise<void> {
    return this.#generators.closeExcept(new Set([this.#setup.options.engine, ...inUse]));
  }

  /** Closes every generator. Swappers are closed by their streams. */
  async close(): Promise<void> {
    await this.#generators.close();
    for (const engine of this.#enrolling.values()) await engine.close();
  }
}
