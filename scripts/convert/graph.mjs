/** Builds an ONNX graph step by step and serialises it, always to the same bytes. */
import onnxProto from 'onnx-proto';

const { onnx } = onnxProto;
const { DataType } = onnx.TensorProto;
const OPSET = 17;
const IR_VERSION = 8;

/** Values are names of nodes' outputs, inputs or constants. */
export class GraphBuilder {
  #nodes = [];
  #initializers = [];
  #inputs = [];
  #outputs = [];
  #count = 0;

  /** Adds an input of the model. @param shape numbers, or a name for a dimension that stays open. */
  input(name, shape, type = 'FLOAT') {
    this.#inputs.push(valueInfo(name, shape, type));
    return name;
  }

  /** Names a value as an output of the model. */
  output(value, name, shape) {
    this.node('Identity', [value], {}, name);
    this.#outputs.push(valueInfo(name, shape, 'FLOAT'));
  }

  /** Adds a node with one output and returns that output's name. */
  node(op, inputs, attributes = {}, output = `v${this.#count++}`) {
    this.#nodes.push(
      onnx.NodeProto.create({
        opType: op,
        input: inputs,
        output: [output],
        attribute: Object.entries(attributes).map(attribute),
      }),
    );
    return output;
  }

  /** A constant of floats. */
  floats(values, shape = [values.length]) {
    return this.#initializer(DataType.FLOAT, shape, new Uint8Array(Float32Array.from(values).buffer));
  }

  /** A constant of 64-bit integers. */
  ints(values, shape = [values.length]) {
    return this.#initializer(DataType.INT64, shape, new Uint8Array(BigInt64Array.from(values, BigInt).buffer));
  }

  /** A constant of half floats: small in the file, widened to floats when the model is loaded. */
  halves(bytes, shape) {
    return this.node('Cast', [this.#initializer(DataType.FLOAT16, shape, bytes)], { to: DataType.FLOAT });
  }

  /** A constant of bytes q for the values q · scale + min: small in the file, widened when the model is loaded. */
  quantized(bytes, shape, scale, min) {
    const wide = this.node('Cast', [this.#initializer(DataType.UINT8, shape, bytes)], { to: DataType.FLOAT });
    return this.node('Add', [this.node('Mul', [wide, this.floats([scale])]), this.floats([min])]);
  }

  #initializer(dataType, dims, rawData) {
    const name = `c${this.#count++}`;
    this.#initializers.push(onnx.TensorProto.create({ name, dataType, dims, rawData }));
    return name;
  }

  /** The model as a file. */
  bytes(name) {
    const graph = onnx.GraphProto.create({
      name,
      node: this.#nodes,
      initializer: this.#initializers,
      input: this.#inputs,
      output: this.#outputs,
    });
    const model = onnx.ModelProto.create({
      irVersion: IR_VERSION,
      producerName: 'faceoff',
      graph,
      opsetImport: [{ domain: '', version: OPSET }],
    });
    return Buffer.from(onnx.ModelProto.encode(model).finish());
  }
}

function valueInfo(name, shape, type) {
  const dim = shape.map((d) => (typeof d === 'string' ? { dimParam: d } : { dimValue: d }));
  return onnx.ValueInfoProto.create({
    name,
    type: { tensorType: { elemType: DataType[type], shape: { dim } } },
  });
}

function attribute([name, value]) {
  const { AttributeType } = onnx.AttributeProto;
  if (typeof value === 'string') return { name, type: AttributeType.STRING, s: Buffer.from(value) };
  if (Array.isArray(value)) return { name, type: AttributeType.INTS, ints: value };
  if (Number.isInteger(value)) return { name, type: AttributeType.INT, i: value };
  return { name, type: AttributeType.FLOAT, f: value };
}
