/**
 * Reads inputs, outputs and the last initializer of an ONNX file. The protobuf is walked field by field (field numbers
 * are those of onnx.proto, Apache-2.0), so that the weights of a large file are skipped.
 */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { FaceOffError, messageOf } from '../../shared/errors.ts';

/** An input or output; an open dimension is null, and so is a shape that the file does not contain. */
export interface GraphValue {
  name: string;
  type: 'float32' | 'float64' | 'other';
  shape: (number | null)[] | null;
}

/** Inputs and outputs of a model file. */
export interface Graph {
  inputs: GraphValue[];
  outputs: GraphValue[];
}

/** A constant of the graph, converted to float32. */
export interface Matrix {
  shape: number[];
  values: Float32Array;
}

/** Field numbers of onnx.proto. */
const MODEL_GRAPH = 7;
const GRAPH = { initializer: 5, input: 11, output: 12 };
const VALUE = { name: 1, type: 2 };
const TENSOR = { dims: 1, type: 2, floats: 4, name: 8, raw: 9 };
const FLOAT = 1;
const HALF = 10;
const DOUBLE = 11;

/** A field of a protobuf message: a number, or a range of bytes in the file. */
interface Field {
  number: number;
  value: number;
  from: number;
  to: number;
}

/**
 * Inputs and outputs of a file, without its weights. @throws FaceOffError `model_unusable` for a file that is no ONNX
 * model.
 */
export function readGraph(file: string): Graph {
  return withFile(file, (reader) => {
    const fields = [...reader.graph()];
    // Older files list their weights as inputs, too.
    const weights = new Set(fields.filter((f) => f.number === GRAPH.initializer).map((f) => reader.tensorName(f)));
    const values = (number: number) => fields.filter((f) => f.number === number).map((f) => reader.valueOf(f));
    return {
      inputs: values(GRAPH.input).filter(({ name }) => !weights.has(name)),
      outputs: values(GRAPH.output),
    };
  });
}

/**
 * The last initializer of the graph. In inswapper files it is the matrix from ArcFace's embedding to the generator's.
 * @throws FaceOffError `model_unusable` when there is none, or none of floats.
 */
export function readLastInitializer(file: string): Matrix {
  return withFile(file, (reader) => {
    const last = [...reader.graph()].findLast((f) => f.number === GRAPH.initializer);
    if (last === undefined) throw new Error('it has no initializer');
    return reader.matrix(last);
  });
}

function withFile<T>(file: string, work: (reader: Reader) => T): T {
  let fd: number | null = null;
  try {
    fd = openSync(file, 'r');
    return work(new Reader(fd));
  } catch (cause) {
    const why = messageOf(cause);
    throw new FaceOffError('model_unusable', `${file} cannot be read as an ONNX model: ${why}.`, { cause });
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

/** Protobuf reader over an open file. */
class Reader {
  readonly #fd: number;
  readonly #size: number;
  readonly #head = Buffer.alloc(24);

  constructor(fd: number) {
    this.#fd = fd;
    this.#size = fstatSync(fd).size;
  }

  graph(): Iterable<Field> {
    const graph = this.#find({ from: 0, to: this.#size }, MODEL_GRAPH);
    if (graph === undefined) throw new Error('it holds no graph');
    return this.#fields(graph);
  }

  tensorName(tensor: Field): string {
    return this.#text(this.#find(tensor, TENSOR.name));
  }

  /**
   * Reads a ValueInfoProto: name, and type with tensor type with element type and shape; a dimension is a number or a
   * name.
   */
  valueOf(info: Field): GraphValue {
    const name = this.#text(this.#find(info, VALUE.name));
    const type = this.#find(info, VALUE.type);
    const tensor = type && this.#find(type, 1);
    const element = tensor && this.#find(tensor, 1)?.value;
    const shape = tensor && this.#find(tensor, 2);
    const size = (dim: Field): number | null => this.#find(dim, 1)?.value ?? null;
    return {
      name,
      type: element === FLOAT ? 'float32' : element === DOUBLE ? 'float64' : 'other',
      shape: shape === undefined ? null : [...this.#fields(shape)].map((dim) => size(dim) || null),
    };
  }

  matrix(tensor: Field): Matrix {
    const fields = [...this.#fields(tensor)];
    const shape = fields.filter((f) => f.number === TENSOR.dims).flatMap((f) => this.#numbers(f));
    const type = fields.find((f) => f.number === TENSOR.type)?.value;
    const data = fields.find((f) => f.number === TENSOR.raw || f.number === TENSOR.floats);
    if (data === undefined || (type !== FLOAT && type !== HALF))
      throw new Error('its last initializer is not of floats');
    const bytes = this.#bytes(data.from, data.to);
    const values =
      type === FLOAT
        ? Float32Array.from({ length: bytes.length >> 2 }, (_, i) => bytes.readFloatLE(4 * i))
        : Float32Array.from({ length: bytes.length >> 1 }, (_, i) => half(bytes.readUInt16LE(2 * i)));
    return { shape, values };
  }

  *#fields({ from, to }: { from: number; to: number }): Generator<Field> {
    let at = from;
    while (at < to) {
      const key = this.#varint(at);
      const number = Math.floor(key.value / 8);
      const wire = key.value % 8;
      if (wire === 0) {
        const { value, next } = this.#varint(key.next);
        yield { number, value, from: key.next, to: next };
        at = next;
        continue;
      }
      const length = wire === 2 ? this.#varint(key.next) : { value: wire === 5 ? 4 : 8, next: key.next };
      if (wire === 3 || wire === 4 || wire > 5 || length.next + length.value > to) throw new Error('it is damaged');
      at = length.next + length.value;
      yield { number, value: 0, from: length.next, to: at };
    }
  }

  #find(within: { from: number; to: number }, number: number): Field | undefined {
    for (const field of this.#fields(within)) if (field.number === number) return field;
    return undefined;
  }

  /** A repeated number field, packed or not. */
  #numbers(field: Field): number[] {
    if (field.value !== 0) return [field.value];
    const numbers: number[] = [];
    for (let at = field.from; at < field.to; ) {
      const { value, next } = this.#varint(at);
      numbers.push(value);
      at = next;
    }
    return numbers;
  }

  #varint(at: number): { value: number; next: number } {
    const got = readSync(this.#fd, this.#head, 0, 10, at);
    let value = 0;
    for (let i = 0; i < got; i++) {
      const byte = this.#head[i]!;
      value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128) return { value, next: at + i + 1 };
    }
    throw new Error('it is damaged');
  }

  #text(field: Field | undefined): string {
    return field === undefined ? '' : this.#bytes(field.from, field.to).toString('utf8');
  }

  #bytes(from: number, to: number): Buffer {
    const bytes = Buffer.alloc(to - from);
    if (readSync(this.#fd, bytes, 0, bytes.length, from) !== bytes.length) throw new Error('it is cut short');
    return bytes;
  }
}

/** An IEEE half float from its bits. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
