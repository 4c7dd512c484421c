/**
 * TensorRT engines and optimised models: found in the cache, or built in a process of their own. TensorRT names its engines
 * without looking at the weights, the driver or the builder's options; here all of them are part of the key, so that whatever
 * changed is noticed.
 */

import path from 'node:path';
import { Artefacts, type Parts } from './artefacts.ts';
import { type BuildJob, type BuildProgress, buildInChild, type EngineRequest } from './build-child.ts';
import { cpuVersions, type GpuVersions, gpuVersions } from './native/gpu-versions.ts';
import { entriesOf } from './native/providers.ts';
import { type EnginePlan, type InferenceSettings, providerFor } from './provider-ladder.ts';

export type Build = (job: BuildJob, onProgress?: (progress: BuildProgress) => void) => Promise<void>;

export interface EngineCacheOptions {
  cacheDir: string;
  settings: InferenceSettings & { engineTimeoutMs: number };
  /** Of the ONNX Runtime library (Machine.folder). */
  folder: string;
  build?: Build;
  versions?: () => GpuVersions;
}

const OPTIMISED_FILE = 'model.onnx';

export class TensorRTCache {
  readonly #options: EngineCacheOptions;
  readonly #engines: Artefacts;
  readonly #optimised: Artefacts;
  readonly #build: Build;
  #versions: GpuVersions | null = null;

  constructor(options: EngineCacheOptions) {
    this.#options = options;
    this.#engines = new Artefacts(path.join(options.cacheDir, 'tensorrt'));
    this.#optimised = new Artefacts(path.join(options.cacheDir, 'optimised'));
    this.#build = options.build ?? buildInChild;
  }

  /** Removes what an earlier process left half built; once at start. */
  async sweep(): Promise<number> {
    return (await this.#engines.sweep()) + (await this.#optimised.sweep());
  }

  /** The engine, when it is built and whole; else null. @throws Error where there is no NVIDIA card. */
  async findEngine(request: EngineRequest): Promise<EnginePlan | null> {
    const folder = await this.#engines.find(this.#engineParts(request));
    return folder === null ? null : { folder };
  }

  /**
   * The engine, built if need be: minutes. The same one is built once, however many ask.
   * @throws FaceOffError `engine_failed` with what went wrong; nothing is left behind.
   */
  async buildEngine(request: EngineRequest, onProgress?: (progress: BuildProgress) => void): Promise<EnginePlan> {
    const { settings, folder } = this.#options;
    return {
      folder: await this.#engines.obtain(this.#engineParts(request), (into) =>
        this.#build(
          { kind: 'tensorrt', request, settings, folder, into, timeoutMs: settings.engineTimeoutMs },
          onProgress,
        ),
      ),
    };
  }

  /** The model as it was optimised for this processor, or null: to be opened with `optimised`. */
  async findOptimised(request: EngineRequest): Promise<string | null> {
    const folder = await this.#optimised.find(this.#cpuParts(request));
    return folder === null ? null : path.join(folder, OPTIMISED_FILE);
  }

  /** @throws FaceOffError `engine_failed`. */
  async buildOptimised(request: EngineRequest, onProgress?: (progress: BuildProgress) => void): Promise<string> {
    const { settings, folder } = this.#options;
    const made = await this.#optimised.obtain(this.#cpuParts(request), (into) =>
      this.#build(
        {
          kind: 'optimised',
          request,
          settings,
          folder,
          into: path.join(into, OPTIMISED_FILE),
          timeoutMs: settings.engineTimeoutMs,
        },
        onProgress,
      ),
    );
    return path.join(made, OPTIMISED_FILE);
  }

  #engineParts(request: EngineRequest): Parts {
    const { settings, folder, versions = () => gpuVersions(folder, settings.deviceId) } = this.#options;
    this.#versions ??= versions();
    // Graphs are made of an engine, not put into it.
    const provider = providerFor('tensorrt', { ...settings, cudaGraphs: false }, request, { folder: '' });
    if (provider.kind !== 'tensorrt') throw new TypeError(provider.kind);
    return { ...this.#versions, weights: request.sha256, shapes: shapesOf(request), ...entriesOf(provider.tensorrt) };
  }

  #cpuParts(request: EngineRequest): Parts {
    return { ...cpuVersions(this.#options.folder), weights: request.sha256 };
  }
}

/** Every input and output with its shape. */
function shapesOf({ inputs, outputs, maxBatch = 1 }: EngineRequest): string {
  const text = [...inputs, ...outputs].map(({ name, shape }) => `${name}:${shape.join('x')}`);
  return `${text.join(',')} up to ${maxBatch}`;
}
