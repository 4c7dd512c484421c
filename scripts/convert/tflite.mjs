/**
 * Reads a TFLite model into plain objects. Field numbers are those of TensorFlow's schema.fbs (Apache-2.0).
 */
import { ByteBuffer } from 'flatbuffers';
import { toReference } from 'flatbuffers/js/flexbuffers.js';

const OPERATORS = {
  ...{ 0: 'ADD', 1: 'AVERAGE_POOL_2D', 2: 'CONCATENATION', 3: 'CONV_2D', 4: 'DEPTHWISE_CONV_2D', 6: 'DEQUANTIZE' },
  ...{ 9: 'FULLY_CONNECTED', 14: 'LOGISTIC', 17: 'MAX_POOL_2D', 18: 'MUL', 19: 'RELU', 21: 'RELU6', 22: 'RESHAPE' },
  ...{
    23: 'RESIZE_BILINEAR',
    32: 'CUSTOM',
    34: 'PAD',
    40: 'MEAN',
    41: 'SUB',
    54: 'PRELU',
    101: 'ABS',
    117: 'HARD_SWISH',
  },
};
const TYPES = { 0: 'float32', 1: 'float16', 2: 'int32' };

/** One table of a FlatBuffer, with its fields by number. */
class Table {
  constructor(buffer, at) {
    this.buffer = buffer;
    this.at = at;
  }
  #field(number) {
    const table = this.at - this.buffer.readInt32(this.at);
    const offset = 4 + 2 * number;
    const to = offset < this.buffer.readInt16(table) ? this.buffer.readInt16(table + offset) : 0;
    return to === 0 ? null : this.at + to;
  }
  int8(number, fallback = 0) {
    const at = this.#field(number);
    return at === null ? fallback : this.buffer.readInt8(at);
  }
  int32(number, fallback = 0) {
    const at = this.#field(number);
    return at === null ? fallback : this.buffer.readInt32(at);
  }
  table(number) {
    const at = this.#field(number);
    return at === null ? null : new Table(this.buffer, at + this.buffer.readInt32(at));
  }
  #vector(number) {
    const at = this.#field(number);
    if (at === null) return { length: 0, start: 0 };
    const start = at + this.buffer.readInt32(at);
    return { length: this.buffer.readInt32(start), start: start + 4 };
  }
  tables(number) {
    const { length, start } = this.#vector(number);
    return Array.from(
      { length },
      (_, i) => new Table(this.buffer, start + 4 * i + this.buffer.readInt32(start + 4 * i)),
    );
  }
  ints(number) {
    const { length, start } = this.#vector(number);
    return Array.from({ length }, (_, i) => this.buffer.readInt32(start + 4 * i));
  }
  bytes(number) {
    const { length, start } = this.#vector(number);
    return this.buffer.bytes().slice(start, start + length);
  }
  text(number) {
    return new TextDecoder().decode(this.bytes(number));
  }
}

/**
 * @returns {{ tensors, inputs: number[], outputs: number[], operators }} tensors have name, shape, type and, where
 *   constant, data (bytes); operators have op, inputs, outputs, options (a Table or null) and custom (bytes).
 */
export function readTflite(file) {
  const buffer = new ByteBuffer(new Uint8Array(file));
  const model = new Table(buffer, buffer.readInt32(0));
  const buffers = model.tables(4);
  const codes = model.tables(1).map((code) => {
    const number = Math.max(code.int8(0), code.int32(3));
    return { op: OPERATORS[number] ?? `builtin ${number}`, custom: code.text(1) };
  });
  const graph = model.tables(2)[0];
  const tensors = graph.tables(0).map((tensor) => {
    const data = buffers[tensor.int32(2)].bytes(0);
    return {
      name: tensor.text(3),
      shape: tensor.ints(0),
      type: TYPES[tensor.int8(1)],
      data: data.length > 0 ? data : null,
    };
  });
  const operators = graph.tables(3).map((operator) => {
    const { op, custom } = codes[operator.int32(0)];
    return {
      op: op === 'CUSTOM' ? custom : op,
      inputs: operator.ints(1),
      outputs: operator.ints(2),
      options: operator.table(4),
      custom: operator.bytes(5),
    };
  });
  return { tensors, inputs: graph.ints(1), outputs: graph.ints(2), operators };
}

/** The options of one of MediaPipe's custom operators: a FlexBuffers map. */
export function readFlex(bytes) {
  return toReference(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)).toObject();
}
