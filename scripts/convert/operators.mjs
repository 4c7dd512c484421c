/**
 * TFLite operators as ONNX nodes. TFLite keeps pictures as [1, height, width, channels], ONNX as
 * [1, channels, height, width]: inside the graph every picture is in ONNX's order, and only reshapes and outputs see
 * TFLite's. MediaPipe's own operators follow the maths of its util/tflite/operations.
 */
import { readFlex } from './tflite.mjs';

const SAME = 0;
const ACTIVATIONS = { 1: 'Relu', 3: 'Relu6' };

/** Converts a graph read by readTflite; returns the ONNX value of any tensor by `value(index)`, in TFLite's order. */
export class Converter {
  #model;
  #graph;
  /** ONNX names of tensors; pictures (four dimensions) in ONNX's order. */
  #values = new Map();
  #constants = new Map();

  constructor(model, graph) {
    this.#model = model;
    this.#graph = graph;
  }

  run(inputName) {
    const [input] = this.#model.inputs;
    this.#values.set(input, this.#graph.node('Transpose', [inputName], { perm: [0, 3, 1, 2] }));
    for (const operator of this.#model.operators) this.#convert(operator);
  }

  /** Tensor `index` in TFLite's order. */
  value(index) {
    const { shape } = this.#model.tensors[index];
    const value = this.#values.get(index);
    if (shape.length !== 4) return value;
    if (shape[1] === 1 && shape[2] === 1) return this.#reshape(value, shape);
    return this.#graph.node('Transpose', [value], { perm: [0, 2, 3, 1] });
  }

  #shape = (index) => this.#model.tensors[index].shape;
  #reshape = (value, shape) => this.#graph.node('Reshape', [value, this.#graph.ints(shape)]);

  #convert({ op, inputs, outputs, options, custom }) {
    const convert = this[op];
    if (convert === undefined) throw new Error(`the converter does not know the operator ${op}`);
    const value = convert.call(this, { inputs, output: outputs[0], options, custom });
    if (value !== undefined) this.#values.set(outputs[0], value);
  }

  /** A constant widened from half floats counts as constant itself. */
  #constant(index) {
    const source = this.#constants.get(index) ?? index;
    const { data, type } = this.#model.tensors[source];
    return data === null ? null : { data, type };
  }

  /** A constant with its axes in another order, as an ONNX value. */
  #weights(index, shape, permutation) {
    const { data, type } = this.#constant(index);
    const from = this.#shape(index);
    const size = type === 'float16' ? 2 : 4;
    const bytes = permute(data, from, permutation, size);
    return type === 'float16'
      ? this.#graph.halves(bytes, shape)
      : this.#graph.floats(new Float32Array(bytes.buffer), shape);
  }

  /** An operand of a sum or product: constants along the last axis move to ONNX's channel axis. */
  #operand(index) {
    if (this.#values.has(index)) return this.#values.get(index);
    const shape = this.#shape(index);
    const picture = shape.length === 4 || (shape.length === 1 && shape[0] > 1);
    const channels = shape.at(-1);
    const onnxShape = picture ? [1, channels, ...(shape.length === 4 ? shape.slice(1, 3) : [1, 1])] : shape;
    const order = shape.length === 4 ? [0, 3, 1, 2] : shape.map((_, i) => i);
    return this.#weights(index, onnxShape, order);
  }

  #activate(value, kind) {
    if (kind === 0) return value;
    return ACTIVATIONS[kind] === 'Relu6' ? this.RELU6({ value }) : this.#graph.node('Relu', [value]);
  }

  /** Begin and end padding of both axes for TFLite's SAME. */
  #pads(padding, [, height, width], [kh, kw], [sh, sw]) {
    if (padding !== SAME) return [0, 0, 0, 0];
    const along = (size, kernel, stride) => Math.max((Math.ceil(size / stride) - 1) * stride + kernel - size, 0);
    const [v, h] = [along(height, kh, sh), along(width, kw, sw)];
    return [Math.floor(v / 2), Math.floor(h / 2), Math.ceil(v / 2), Math.ceil(h / 2)];
  }

  #convolution({ inputs: [data, weights, bias], options }, group, shape, order, fused) {
    const strides = [options.int32(2, 1), options.int32(1, 1)];
    const kernel = this.#shape(weights).slice(1, 3);
    const pads = this.#pads(options.int8(0), this.#shape(data), kernel, strides);
    const values = [this.#values.get(data), this.#weights(weights, shape, order)];
    if (bias !== undefined && bias >= 0) values.push(this.#weights(bias, this.#shape(bias), [0]));
    const out = this.#graph.node('Conv', values, { kernel_shape: kernel, strides, pads, group });
    return this.#activate(out, fused);
  }

  CONV_2D(operator) {
    const [out, kh, kw, into] = this.#shape(operator.inputs[1]);
    return this.#convolution(operator, 1, [out, into, kh, kw], [0, 3, 1, 2], operator.options.int8(3));
  }

  DEPTHWISE_CONV_2D(operator) {
    const [, kh, kw, channels] = this.#shape(operator.inputs[1]);
    return this.#convolution(operator, channels, [channels, 1, kh, kw], [3, 0, 1, 2], operator.options.int8(4));
  }

  Convolution2DTransposeBias({ inputs: [data, weights, bias], custom }) {
    // Options: padding, stride of width, stride of height. With stride = kernel, SAME and VALID agree.
    const [, strideWidth, strideHeight] = new Int32Array(custom.slice(0, 12).buffer);
    const [out, kh, kw, into] = this.#shape(weights);
    const values = [this.#values.get(data), this.#weights(weights, [into, out, kh, kw], [3, 0, 1, 2])];
    values.push(this.#weights(bias, this.#shape(bias), [0]));
    return this.#graph.node('ConvTranspose', values, { kernel_shape: [kh, kw], strides: [strideHeight, strideWidth] });
  }

  #pool({ inputs: [data], options }, op, extra) {
    const strides = [options.int32(2, 1), options.int32(1, 1)];
    const kernel = [options.int32(4, 1), options.int32(3, 1)];
    const pads = this.#pads(options.int8(0), this.#shape(data), kernel, strides);
    return this.#graph.node(op, [this.#values.get(data)], { kernel_shape: kernel, strides, pads, ...extra });
  }

  MAX_POOL_2D(operator) {
    return this.#pool(operator, 'MaxPool', {});
  }

  AVERAGE_POOL_2D(operator) {
    return this.#pool(operator, 'AveragePool', { count_include_pad: 0 });
  }

  #binary(op, { inputs: [a, b], options }) {
    return this.#activate(this.#graph.node(op, [this.#operand(a), this.#operand(b)]), options?.int8(0) ?? 0);
  }

  ADD(operator) {
    return this.#binary('Add', operator);
  }

  MUL(operator) {
    return this.#binary('Mul', operator);
  }

  RELU({ inputs: [data] }) {
    return this.#graph.node('Relu', [this.#values.get(data)]);
  }

  RELU6({ inputs, value }) {
    return this.#graph.node('Clip', [
      value ?? this.#values.get(inputs[0]),
      this.#graph.floats([0], []),
      this.#graph.floats([6], []),
    ]);
  }

  LOGISTIC({ inputs: [data] }) {
    return this.#graph.node('Sigmoid', [this.#values.get(data)]);
  }

  HARD_SWISH({ inputs: [data] }) {
    return this.#graph.node('HardSwish', [this.#values.get(data)]);
  }

  /**
   * slope · x + (1 − slope) · relu(x), the factors as convolutions of one weight a channel. ONNX Runtime's own PRelu knows
   * pictures in the plain order only: it is slow, and every convolution beside it would reorder its picture. Measured on
   * the face mesh: 1.2 ms instead of 4.3.
   */
  PRELU({ inputs: [data, slope] }) {
    const g = this.#graph;
    const channels = this.#shape(slope).at(-1);
    const order = this.#shape(slope).map((_, i) => i);
    const below = this.#weights(slope, [channels, 1, 1, 1], order);
    const rest = g.node('Sub', [g.floats([1]), below]);
    const scale = (value, by) => g.node('Conv', [value, by], { kernel_shape: [1, 1], group: channels });
    const x = this.#values.get(data);
    return g.node('Add', [scale(x, below), scale(g.node('Relu', [x]), rest)]);
  }

  PAD({ inputs: [data, amounts] }) {
    const pairs = new Int32Array(this.#constant(amounts).data.slice().buffer);
    const at = (axis, end) => pairs[2 * axis + end];
    const pads = [0, 1].flatMap((end) => [0, 3, 1, 2].map((axis) => at(axis, end)));
    return this.#graph.node('Pad', [this.#values.get(data), this.#graph.ints(pads)]);
  }

  RESIZE_BILINEAR({ inputs: [data], output, options }) {
    const [, height, width, channels] = this.#shape(output);
    const mode = options.int8(2) ? 'align_corners' : options.int8(3) ? 'half_pixel' : 'asymmetric';
    const sizes = this.#graph.ints([1, channels, height, width]);
    return this.#graph.node('Resize', [this.#values.get(data), '', '', sizes], {
      mode: 'linear',
      coordinate_transformation_mode: mode,
    });
  }

  RESHAPE({ inputs: [data], output }) {
    const to = this.#shape(output);
    const flat = this.value(data);
    // A reshape to 1x1 pictures stays as it is in either order.
    return this.#reshape(flat, to.length === 4 ? [to[0], to[3], to[1], to[2]] : to);
  }

  DEQUANTIZE({ inputs: [data], output }) {
    this.#constants.set(output, data);
    return undefined;
  }

  /** Used once, to copy the whole mesh. */
  'builtin 45'({ inputs: [data] }) {
    return this.#values.get(data);
  }

  /**
   * Landmarks [1, n, 3] → matrix [1, 4, 4] from a crop about some of them to the picture: the crop is turned so that two
   * points are level and holds the points' extent, scaled.
   */
  Landmarks2TransformMatrix({ inputs: [landmarks], custom }) {
    const g = this.#graph;
    const o = readFlex(custom);
    const points = this.#reshape(this.#values.get(landmarks), this.#shape(landmarks).slice(1));
    const pick = (indices) => g.node('Gather', [points, g.ints(indices)], { axis: 0 });
    const column = (value, k) => g.node('Slice', [value, g.ints([k]), g.ints([k + 1]), g.ints([1])]);
    const across = g.node('Sub', [pick([o.right_rotation_idx]), pick([o.left_rotation_idx])]);
    const [dx, dy] = [column(across, 0), column(across, 1)];
    const square = (v) => g.node('Mul', [v, v]);
    const length = g.node('Sqrt', [g.node('Add', [square(dx), square(dy)])]);
    // The points are turned back by the angle of dx, dy; the crop is turned forth by it.
    const [cos, sin] = [g.node('Div', [dx, length]), g.node('Div', [dy, length])];
    const chosen = pick([...o.subset_idxs]);
    const [x, y] = [column(chosen, 0), column(chosen, 1)];
    const mul = (a, b) => g.node('Mul', [a, b]);
    const level = g.node('Add', [mul(x, cos), mul(y, sin)]);
    const upright = g.node('Sub', [mul(y, cos), mul(x, sin)]);
    const bounds = (v) => ['ReduceMax', 'ReduceMin'].map((op) => g.node(op, [v], { axes: [0], keepdims: 1 }));
    const [xMax, xMin] = bounds(level);
    const [yMax, yMin] = bounds(upright);
    const middle = (a, b) => mul(g.node('Add', [a, b]), g.floats([0.5]));
    const [mx, my] = [middle(xMax, xMin), middle(yMax, yMin)];
    const cx = g.node('Sub', [mul(mx, cos), mul(my, sin)]);
    const cy = g.node('Add', [mul(mx, sin), mul(my, cos)]);
    const sx = mul(g.node('Sub', [xMax, xMin]), g.floats([o.scale_x / o.output_width]));
    const sy = mul(g.node('Sub', [yMax, yMin]), g.floats([o.scale_y / o.output_height]));
    const minus = (v) => g.node('Neg', [v]);
    const rows = [
      [mul(cos, sx), minus(mul(sin, sy)), cx],
      [mul(sin, sx), mul(cos, sy), cy],
    ].map(([a, b, c]) => {
      const centre = g.node('Add', [mul(a, g.floats([o.output_width / 2])), mul(b, g.floats([o.output_height / 2]))]);
      return [a, b, g.floats([0], [1, 1]), g.node('Sub', [c, centre])];
    });
    const rest = g.floats([0, 0, 1, 0, 0, 0, 0, 1], [1, 8]);
    return this.#reshape(g.node('Concat', [...rows.flat(), rest], { axis: 1 }), [1, 4, 4]);
  }

  /** Samples a turned crop of a picture, pixel centres at halves, nothing outside. */
  TransformTensorBilinear({ inputs: [data, matrix], output }) {
    const g = this.#graph;
    const [, height, width] = this.#shape(data);
    const [, outHeight, outWidth] = this.#shape(output);
    const centres = Array.from({ length: outHeight * outWidth }, (_, i) => [
      (i % outWidth) + 0.5,
      Math.floor(i / outWidth) + 0.5,
      0,
      1,
    ]);
    const columns = g.floats(centres.flat(), [outHeight * outWidth, 4]);
    const rows = g.node('Transpose', [this.#reshape(this.#values.get(matrix), [4, 4])], { perm: [1, 0] });
    const places = g.node('Slice', [g.node('MatMul', [columns, rows]), g.ints([0]), g.ints([2]), g.ints([1])]);
    // GridSample counts −1..1 from edge to edge of the picture.
    const scaled = g.node('Mul', [places, g.floats([2 / width, 2 / height])]);
    const grid = this.#reshape(g.node('Sub', [scaled, g.floats([1])]), [1, outHeight, outWidth, 2]);
    return g.node('GridSample', [this.#values.get(data), grid], {
      mode: 'bilinear',
      padding_mode: 'zeros',
      align_corners: 0,
    });
  }

  /** Landmarks of a crop, x and y, to the picture. */
  TransformLandmarks({ inputs: [landmarks, matrix], output }) {
    const g = this.#graph;
    const [, count] = this.#shape(output);
    const points = this.#reshape(this.#values.get(landmarks), [count, 2]);
    const full = g.node(
      'Concat',
      [
        points,
        g.floats(
          new Array(2 * count).fill(0).map((_, i) => i % 2),
          [count, 2],
        ),
      ],
      { axis: 1 },
    );
    const rows = g.node('Transpose', [this.#reshape(this.#values.get(matrix), [4, 4])], { perm: [1, 0] });
    const moved = g.node('Slice', [g.node('MatMul', [full, rows]), g.ints([0]), g.ints([2]), g.ints([1])]);
    return this.#reshape(moved, [1, count, 2]);
  }
}

/** Reorders the axes of packed data, `size` bytes a number. */
export function permute(data, shape, order, size) {
  const bytes = new Uint8Array(data.length);
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const to = order.map((axis) => shape[axis]);
  const count = data.length / size;
  for (let i = 0; i < count; i++) {
    let rest = i;
    let from = 0;
    for (let axis = to.length - 1; axis >= 0; axis--) {
      from += (rest % to[axis]) * strides[order[axis]];
      rest = Math.floor(rest / to[axis]);
    }
    for (let b = 0; b < size; b++) bytes[i * size + b] = data[from * size + b];
  }
  return bytes;
}
