/** OrtValues over typed arrays: ONNX Runtime reads inputs and writes outputs in the caller's memory, without copies. */

import { FaceOffError } from '../../../shared/errors.ts';
import { shapeSize } from '../../../shared/shape-size.ts';
import { CStrings } from './c-strings.ts';
import { addressOf, type Pointer } from './ffi.ts';
import type { OrtApi } from './ort-api.ts';
import { ELEMENT, type ElementType } from './ort-api-table.ts';

/** Name and shape of an input or output. */
export interface TensorSpec {
  name: string;
  /** Shape at batch 1. */
  shape: readonly number[];
  /** Whether the first dimension scales with the batch; by default that of a tensor of one dimension does not. */
  batched?: boolean;
}

/** Memory of a tensor, by its element type. */
export type TensorData = Float32Array | Float64Array;

/** Whether the first dimension scales with the batch. */
export const isBatched = ({ shape, batched }: TensorSpec): boolean => batched ?? shape.length > 1;

/** Number of elements of a tensor for a batch. */
export const lengthOf = (spec: TensorSpec, batch: number): number =>
  shapeSize(spec.shape) * (isBatched(spec) ? batch : 1);

/** Bits of a NaN that no computation produces. */
const MARK = 0x7fdeface;

const lastOf = (spec: TensorSpec, batch: number): number => lengthOf(spec, batch) - 1;

/** A tensor with the memory that it refers to. */
export interface HeldTensor {
  spec: TensorSpec;
  numbers: TensorData;
  /** A view of the same memory. */
  bits: Uint32Array;
  /** Elements when the session was opened; a transferred buffer has 0. */
  length: number;
}

/** All inputs, or all outputs, of a session, in host memory. */
export class OrtTensors {
  readonly names: CStrings;
  readonly count: number;
  protected readonly api: OrtApi;
  protected readonly held: readonly HeldTensor[];
  /** By batch: one OrtValue per tensor, made at first use. */
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
   * The tensors of a batch, `OrtValue *const *`.
   * @throws FaceOffError `tensor_gone` when the memory of one was transferred to another thread.
   */
  forBatch(batch: number): Pointer {
    for (const { spec, numbers, length } of this.held)
      if (numbers.length !== length)
        throw new FaceOffError('tensor_gone', `The memory of the tensor ${spec.name} was given to another thread.`);
    return addressOf(this.valuesFor(batch));
  }

  /** Writes a mark into the last element of each tensor, which a complete run overwrites. */
  mark(batch: number): void {
    for (const { spec, bits } of this.held) bits[lastOf(spec, batch)] = MARK;
  }

  /** Whether a mark is left, so that not everything was written. */
  isMarked(batch: number): boolean {
    return this.held.some(({ spec, bits }) => bits[lastOf(spec, batch)] === MARK);
  }

  /** Brings the inputs to the memory the model reads: in host memory they are there. */
  async upload(_batch: number): Promise<void> {}

  /** Brings the model's results to the outputs: in host memory they are there. */
  async download(_batch: number): Promise<void> {}

  /** Releases all OrtValues; the arrays stay. */
  release(): void {
    for (const values of this.#values.values()) for (const value of values) this.api.release('ReleaseValue', value);
    this.#values.clear();
  }

  /** The OrtValues of a batch. */
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

/** The dimensions of a tensor for a batch, as int64. */
export function dimensionsOf(spec: TensorSpec, batch: number): BigInt64Array {
  const [first = 1, ...rest] = spec.shape;
  return BigInt64Array.from(isBatched(spec) ? [first * batch, ...rest] : spec.shape, BigInt);
}

/** The element type of an array. */
export function typeOf(numbers: TensorData): ElementType {
  return numbers instanceof Float32Array ? 'float32' : 'float64';
}
