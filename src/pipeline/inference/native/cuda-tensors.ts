/**
 * Tensors that stay at one place in the memory of an NVIDIA card: what a CUDA graph needs, which remembers addresses. Before a
 * run the inputs are copied there, after it the outputs come back.
 */

import { addressOf, type ForeignFunction, openLibrary, type Pointer } from './ffi.ts';
import type { OrtApi } from './ort-api.ts';
import { ELEMENT } from './ort-api-table.ts';
import { OrtFailure } from './ort-faults.ts';
import { dimensionsOf, lengthOf, OrtTensors, type TensorData, type TensorSpec, typeOf } from './ort-tensors.ts';

/** cudaMemcpyKind. */
const TO_DEVICE = 1;
const TO_HOST = 2;

/** Memory of one card, by the session's own arena. */
export class DeviceMemory {
  readonly allocator: Pointer;
  readonly copy: ForeignFunction;
  readonly #api: OrtApi;
  readonly #info: Pointer;

  /** @throws OrtFailure, or Error when CUDA's runtime is not there. */
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

  /** After all tensors, before the session. */
  release(): void {
    this.#api.release('ReleaseAllocator', this.allocator);
    this.#api.release('ReleaseMemoryInfo', this.#info);
  }
}

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
