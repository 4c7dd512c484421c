/**
 * Tensors at fixed addresses in the memory of an NVIDIA GPU, which CUDA graphs need, as a graph records addresses.
 * Inputs are copied to the GPU before a run, outputs back after it.
 */

import { addressOf, type ForeignFunction, openLibrary, type Pointer } from './ffi.ts';
import type { OrtApi } from './ort-api.ts';
import { ELEMENT } from './ort-api-table.ts';
import { OrtFailure } from './ort-faults.ts';
import { dimensionsOf, lengthOf, OrtTensors, type TensorData, type TensorSpec, typeOf } from './ort-tensors.ts';

/** cudaMemcpyKind. */
const TO_DEVICE = 1;
const TO_HOST = 2;

/** Memory of one GPU, allocated from the session's own arena. */
export class DeviceMemory {
  readonly allocator: Pointer;
  readonly copy: ForeignFunction;
  readonly #api: OrtApi;
  readonly #info: Pointer;

  /** @throws OrtFailure, or Error when CUDA's runtime library is missing. */
  constructor(api: OrtApi, session: Pointer, deviceId: number) {
    this.copy = openLibrary('libcudart.so.13').func('cudaMemcpy', 'int', ['void *', 'void *', 'size_t', 'int']);
    this.#api = api;
    // OrtDeviceAllocator, OrtMemTypeDefault.
    this.#info = api.make('CreateMemoryInfo', 'Cuda', 0, deviceId, 0);
    try {
      this.allocator = api.make('CreateAllocator', session, this.#info);
    } catch (error) {
      api.release('ReleaseMemoryInfo', this.#info);
      throw error;
    }
  }

  /** To be called after all tensors are released and before the session is. */
  release(): void {
    this.#api.release('ReleaseAllocator', this.allocator);
    this.#api.release('ReleaseMemoryInfo', this.#info);
  }
}

/** All inputs, or all outputs, of a session, in GPU memory with a copy in host memory. */
export class DeviceTensors extends OrtTensors {
  readonly #memory: DeviceMemory;

  constructor(api: OrtApi, tensors: readonly (readonly [TensorSpec, TensorData])[], memory: DeviceMemory) {
    super(api, tensors);
    this.#memory = memory;
  }

  override async upload(batch: number): Promise<void> {
    await this.#copyAll(batch, TO_DEVICE);
  }

  override async download(batch: number): Promise<void> {
    await this.#copyAll(batch, TO_HOST);
  }

  protected override tensor(spec: TensorSpec, numbers: TensorData, batch: number): Pointer {
    const shape = dimensionsOf(spec, batch);
    const type = ELEMENT[typeOf(numbers)];
    return this.api.make('CreateTensorAsOrtValue', this.#memory.allocator, shape, shape.length, type);
  }

  async #copyAll(batch: number, kind: number): Promise<void> {
    for (const [i, value] of this.valuesFor(batch).entries()) {
      const { spec, numbers } = this.held[i]!;
      const [there, here] = [this.api.make('GetTensorMutableData', value), addressOf(numbers)];
      const bytes = lengthOf(spec, batch) * numbers.BYTES_PER_ELEMENT;
      const [to, from] = kind === TO_DEVICE ? [there, here] : [here, there];
      await this.#copy(to, from, bytes, kind);
    }
  }

  #copy(to: Pointer, from: Pointer, bytes: number, kind: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#memory.copy.async(to, from, bytes, kind, (error, status) => {
        if (error) reject(error);
        else if (status === 0) resolve();
        else reject(new OrtFailure('cudaMemcpy', `CUDA failure ${String(status)}: while copying ${bytes} bytes`, 0));
      });
    });
  }
}
