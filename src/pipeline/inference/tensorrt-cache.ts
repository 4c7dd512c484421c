/**
 * TensorRT engines and optimised models: found in the cache, or built in a child process. TensorRT's own engine names
 * ignore weights, driver and builder options; here all of them are part of the key, so that any change leads to a new
 * build.
 */

import path from 'node:path';
import { Artefacts, type Parts } from './artefacts.ts';
import { type BuildJob, type BuildProgress, buildInChild, type EngineRequest } from './build-child.ts';
import { cpuVersions, type GpuVersions, gpuVersions } from './native/gpu-versions.ts';
import { entriesOf } from './native/providers.ts';
import { type EnginePlan, type InferenceSettings, providerFor } from './provider-ladder.ts';

/** Runs a build job to its end; replaced in tests. */
export type Build = (job: BuildJob, onProgress?: (progress: BuildProgress) => void) => Promise<void>;

/** What a TensorRTCache is opened with. */
export interface EngineCacheOptions {
  cacheDir: string;
  settings: InferenceSettings & { engineTimeoutMs: number };
  /** Folder of the ONNX Runtime library (AvailableProviders.folder). */
  folder: string;
  build?: Build;
  versions?: () => GpuVersions;
}

const OPTIMISED_FILE = 'model.onnx';

/** The engines and optimised models of the cache folder. Runs in the device process. */
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

  /** Removes what earlier processes left half built; called once at start. @returns how many folders. */
  async sweep(): Promise<number> {
    return (await this.#engines.sweep()) + (await this.#optimised.sweep());
  }

  /** The engine of a model if it is built and intact; else null. @throws Error where there is no NVIDIA GPU. */
  async findEngine(request: EngineRequest): Promise<EnginePlan | null> {
    const folder = await this.#engines.find(this.#engineParts(request));
    return folder === null ? null : { folder };
  }

  /**
   * The engine of a model, built if it is missing, which takes minutes. Concurrent calls share one build.
   * @throws FaceOffError `build_failed` with the cause; nothing is left behind.
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

  /** File of the model as optimised for this processor, to be opened with `optimised`; null where there is none. */
  async findOptimised(request: EngineRequest): Promise<string | null> {
    const folder = await this.#optimised.find(this.#cpuParts(request));
    return folder === null ? null : path.join(folder, OPTIMISED_FILE);
  }

  /** The same file, made if it is missing. @throws FaceOffError `build_failed`. */
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
    // CUDA graphs are captured from an engine and are no part of it.
    const provider = providerFor('tensorrt', { ...settings, cudaGraphs: false }, request, { folder: '' });
    if (provider.kind !== 'tensorrt') throw new TypeError(provider.kind);
    return { ...this.#versions, weights: request.sha256, shapes: shapesOf(request), ...entriesOf(provider.tensorrt) };
  }

  #cpuParts(request: EngineRequest): Parts {
    return { ...cpuVersions(this.#options.folder), weights: request.sha256 };
  }
}

/** All inputs and outputs with their shapes, and the largest batch, as text. */
function shapesOf({ inputs, outputs, maxBatch = 1 }: EngineRequest): string {
  const text = [...inputs, ...outputs].map(({ name, shape }) => `${name}:${shape.join('x')}`);
  return `${text.join(',')} up to ${maxBatch}`;
}
