/** Tensors over memory of ours: ONNX Runtime reads inputs where kernels wrote them and writes outputs where they are read. */

import { FaceOffError } from '../../../shared/errors.ts';
import { CStrings } from './c-strings.ts';
import { addressOf, type Pointer } from './ffi.ts';
import type { OrtApi } from './ort-api.ts';
import { ELEMENT, type ElementType } from './ort-api-table.ts';

export interface TensorSpec {
  name: string;
  /** Of one run at batch 1. */
  shape: readonly number[];
  /** Whether the first dimension grows with the batch; a list of numbers (one dimension) does not unless told. */
  batched?: boolean;
}

export type TensorData = Float32Array | Float64Array | BigInt64Array;

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
export const isBatched = ({ shape, batched }: TensorSpec): boolean => batched ?? shape.length > 1;

/** Floats a tensor needs for that batch. */
export const lengthOf = (spec: TensorSpec, batch: number): number => sizeOf(spec.shape) * (isBatched(spec) ? batch : 1);

/** A NaN that no computation gives. */
const MARK = 0x7fdeface;

const lastOf = (spec: TensorSpec, batch: number): number => lengthOf(spec, batch) - 1;

export interface HeldTensor {
  spec: TensorSpec;
  numbers: TensorData;
  /** The same memory. */
  bits: Uint32Array;
  length: number;
}

/** All inputs, or all outputs, of a session. */
export class OrtTensors {
  readonly names: CStrings;
  readonly count: number;
  protected readonly api: OrtApi;
  protected readonly held: readonly HeldTensor[];
  /** For each batch that was asked for: one OrtValue a tensor. */
  readonly #values = new Map<number, BigUint64Array>();

  constructor(api: OrtApi, tensors: readonly (readonly [TensorSpec, TensorData])[]) {
    this.api = api;
    this.held = tensors.map(([spec, numbers]) => {
      const { buffer, byteOffset, byteLength, length } = numbers;
      return { spec, numbers, length, bits: new Uint32Array(buffer, byteOffset, byteLength / 4) };
    });
    this.names = new CStrings(tensors.map(([{ name }]) => name));
    this.count = tensors.length;
  }

  /**
   * The tensors of that batch, `OrtValue *const *`.
   * @throws FaceOffError `tensor_gone` when memory was transferred away: nothing is read where nothing is.
   */
  forBatch(batch: number): Pointer {
    for (const { spec, numbers, length } of this.held)
      if (numbers.length !== length)
        throw new FaceOffError('tensor_gone', `The memory of the tensor ${spec.name} was given to another thread.`);
    return addressOf(this.valuesFor(batch));
  }

  /** Puts a mark at the end of each, which whatever is written there replaces. */
  mark(batch: number): void {
    for (const { spec, bits } of this.held) bits[lastOf(spec, batch)] = MARK;
  }

  /** Whether a mark is still there: then not everything was written. */
  isMarked(batch: number): boolean {
    return this.held.some(({ spec, bits }) => bits[lastOf(spec, batch)] === MARK);
  }

  /** What stands in the inputs comes to where the model reads it: it does already. */
  async upload(_batch: number): Promise<void> {}

  /** What the model wrote comes into the outputs: it is there already. */
  async download(_batch: number): Promise<void> {}

  release(): void {
    for (const values of this.#values.values()) for (const value of values) this.api.release('ReleaseValue', value);
    this.#values.clear();
  }

  /** The OrtValues of that batch. */
  protected valuesFor(batch: number): BigUint64Array {
    let values = this.#values.get(batch);
    if (values === undefined) {
      values = this.#make(batch);
      this.#values.set(batch, values);
    }
    return values;
  }

  #make(batch: number): BigUint64Array {
    const values = new BigUint64Array(this.count);
    try {
      for (const [i, { spec, numbers }] of this.held.entries()) values[i] = this.tensor(spec, numbers, batch);
      return values;
    } catch (error) {
      for (const value of values) if (value !== 0n) this.api.release('ReleaseValue', value);
      throw error;
    }
  }

  protected tensor(spec: TensorSpec, numbers: TensorData, batch: number): Pointer {
    const shape = dimensionsOf(spec, batch);
    return this.api.make(
      'CreateTensorWithDataAsOrtValue',
      this.api.cpuMemory,
      addressOf(numbers),
      lengthOf(spec, batch) * numbers.BYTES_PER_ELEMENT,
      shape,
      shape.length,
      ELEMENT[typeOf(numbers)],
    );
  }
}

/** As ONNX Runtime reads them. */
export function dimensionsOf(spec: TensorSpec, batch: number): BigInt64Array {
  const [first = 1, ...rest] = spec.shape;
  return BigInt64Array.from(isBatched(spec) ? [first * batch, ...rest] : spec.shape, BigInt);
}

export function typeOf(numbers: TensorData): ElementType {
  if (numbers instanceof Float32Array) return 'float32';
  return numbers instanceof Float64Array ? 'float64' : 'int64';
}
