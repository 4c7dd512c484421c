/**
 * TFLite operators as ONNX nodes. A picture here is any tensor of four dimensions. TFLite's pictures are [1, height,
 * width, channels], ONNX's [1, channels, height, width]: inside the graph every picture is in ONNX's order, and only
 * reshapes and outputs use TFLite's. MediaPipe's own operators follow the maths of its util/tflite/operations.
 */
const SAME = 0;
const ACTIVATIONS = { 1: 'Relu', 3: 'Relu6' };
/** Operators whose weights can absorb the sign of negated channels. */
const LINEAR = ['ADD', 'CONV_2D', 'DEPTHWISE_CONV_2D'];

/** Converts a graph read by readTflite. `value(index)` is the ONNX value of a tensor, in TFLite's order. */
export class Converter {
  #model;
  #graph;
  /** ONNX names of tensors, pictures in ONNX's order. */
  #values = new Map();
  #constants = new Map();
  /** Inputs of the model, in TFLite's order. */
  #images = new Map();
  /** Outputs of convolutions to which a picture of fewer channels is added, each with that picture. */
  #widened = new Map();
  /** Pictures with negated channels: 1 or -1 for each channel. All other pictures have their true signs. */
  #signs = new Map();

  constructor(model, graph) {
    this.#model = model;
    this.#graph = graph;
    for (const { op, inputs, outputs } of model.operators)
      if (op === 'DEQUANTIZE') this.#constants.set(outputs[0], inputs[0]);
  }

  /** Converts the operators that follow from the picture `image`, which is in TFLite's order. */
  run(image, operators = this.#model.operators) {
    const [input] = this.#model.inputs;
    const first = operators.filter(({ inputs }) => inputs.includes(input));
    if (first.every(({ op }) => op === 'CONV_2D')) this.#images.set(input, image);
    else this.#values.set(input, this.#graph.node('Transpose', [image], { perm: [0, 3, 1, 2] }));
    this.go(operators);
  }

  /** Converts operators whose inputs were converted before. */
  go(operators) {
    this.#findWidenings(operators);
    this.#findSigns(operators);
    for (const operator of operators) this.#convert(operator);
  }

  /** Sets the ONNX value of a tensor that was made elsewhere; a picture in ONNX's order. */
  set(index, value) {
    this.#values.set(index, value);
  }

  /** The ONNX value of a tensor; a picture in ONNX's order. */
  get(index) {
    return this.#values.get(index);
  }

  /** The ONNX value of a tensor in TFLite's order. */
  value(index) {
    const { shape } = this.#model.tensors[index];
    const value = this.#values.get(index);
    if (shape.length !== 4) return value;
    if (shape[1] === 1 && shape[2] === 1) return this.#reshape(value, shape);
    return this.#graph.node('Transpose', [value], { perm: [0, 2, 3, 1] });
  }

  #shape = (index) => this.#model.tensors[index].shape;
  #size = (index) => this.#shape(index).reduce((a, b) => a * b, 1);
  #reshape = (value, shape) => this.#graph.node('Reshape', [value, this.#graph.ints(shape)]);

  #convert(operator) {
    const { op, inputs, outputs } = operator;
    const convert = this[op];
    if (convert === undefined) throw new Error(`the converter does not know the operator ${op}`);
    if (inputs.some((input) => this.#signs.has(input)) && ![...LINEAR, 'PRELU'].includes(op))
      throw new Error(`the converter cannot give ${op} negative channels`);
    const value = convert.call(this, { ...operator, output: outputs[0] });
    if (value !== undefined) this.#values.set(outputs[0], value);
  }

  /** A tensor's constant data, also where it is widened from half floats; null where the tensor is computed. */
  #constant(index) {
    const source = this.#constants.get(index) ?? index;
    const { data, type } = this.#model.tensors[source];
    return data === null ? null : { data, type };
  }

  /** A constant with its axes reordered, as an ONNX value. @param sign 1 or -1 of each number, by its index. */
  #weights(index, shape, permutation, sign = null) {
    const { data, type } = this.#constant(index);
    const from = this.#shape(index);
    const size = type === 'float16' ? 2 : 4;
    const bytes = permute(sign === null ? data : flip(data, size, sign), from, permutation, size);
    return type === 'float16'
      ? this.#graph.halves(bytes, shape)
      : this.#graph.floats(new Float32Array(bytes.buffer), shape);
  }

  /** An operand of a sum or product. The last axis of a constant becomes ONNX's channel axis. */
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

  /** Finds convolutions to whose output a picture of fewer channels, widened by PAD, is added: #widen converts both. */
  #findWidenings(operators) {
    for (const pad of operators.filter(({ op }) => op === 'PAD')) {
      const sum = operators.find(({ op, inputs }) => op === 'ADD' && inputs.includes(pad.outputs[0]));
      const other = sum?.inputs.find((input) => input !== pad.outputs[0]);
      if (operators.some(({ op, outputs }) => op === 'CONV_2D' && outputs[0] === other))
        this.#widened.set(other, pad.inputs[0]).set(pad.outputs[0], null);
    }
  }

  /** Finds the pictures that get negated channels (PRELU says why). What is added to one must have the same signs. */
  #findSigns(operators) {
    const all = [...this.#model.operators, ...operators];
    for (const { op, inputs, outputs } of operators) {
      const signed = inputs.find((input) => this.#signs.has(input));
      if (op === 'ADD' && signed !== undefined)
        for (const tensor of [...inputs, ...outputs]) this.#signs.set(tensor, this.#signs.get(signed));
      if (op !== 'PRELU') continue;
      const signs = this.#numbers(inputs[1]).map((slope) => (slope > 1 ? -1 : 1));
      const users = all.filter((user) => user.inputs.includes(outputs[0]));
      if (signs.includes(-1) && users.every((user) => LINEAR.includes(user.op))) this.#signs.set(outputs[0], signs);
    }
  }

  /** @param shape of the weights in ONNX's order. @param order of TFLite's axes in it. @param fused activation. */
  #convolution({ inputs: [data, weights, bias], options, output }, { group, shape, order, fused }) {
    const strides = [options.int32(2, 1), options.int32(1, 1)];
    const kernel = this.#shape(weights).slice(1, 3);
    const pads = this.#pads(options.int8(0), this.#shape(data), kernel, strides);
    const [given, made] = [this.#signs.get(data), this.#signs.get(output)];
    const [out, , , into] = this.#shape(weights);
    // The sign of a weight by its index in TFLite's order: [out, kh, kw, in] for groups of more than one channel.
    const isDepthwise = group > 1 && out === 1;
    const sign = (i) => {
      const to = isDepthwise ? i % into : Math.floor((i * out) / this.#size(weights));
      const from = isDepthwise ? to : Math.floor((to * group) / out) * into + (i % into);
      return (given?.[from] ?? 1) * (made?.[to] ?? 1);
    };
    const values = [this.#values.get(data), this.#weights(weights, shape, order, sign)];
    if (bias !== undefined && bias >= 0)
      values.push(this.#weights(bias, this.#shape(bias), [0], (i) => made?.[i] ?? 1));
    const conv = this.#graph.node('Conv', values, { kernel_shape: kernel, strides, pads, group });
    return this.#activate(conv, fused);
  }

  CONV_2D(operator) {
    const { inputs, options, groups = 1, output } = operator;
    const [out, kh, kw, into] = this.#shape(inputs[1]);
    const fused = options.int8(3);
    if (this.#images.has(inputs[0])) return this.#firstConvolution(operator, [out, kh, kw, into], fused);
    if (this.#widened.has(output)) return this.#widen(operator, [out, into], this.#widened.get(output));
    return this.#convolution(operator, { group: groups, shape: [out, into, kh, kw], order: [0, 3, 1, 2], fused });
  }

  /** Reads the picture's rows with interleaved channels as one channel, so that nothing has to be reordered. */
  #firstConvolution({ inputs: [image, weights, bias], options }, [out, kh, kw, channels], fused) {
    const g = this.#graph;
    const [, height, width] = this.#shape(image);
    const strides = [options.int32(2, 1), options.int32(1, 1)];
    const [top, left, bottom, right] = this.#pads(options.int8(0), [1, height, width], [kh, kw], strides);
    const rows = this.#reshape(this.#images.get(image), [1, 1, height, width * channels]);
    const values = [rows, this.#weights(weights, [out, 1, kh, kw * channels], [0, 1, 2, 3])];
    values.push(this.#weights(bias, this.#shape(bias), [0]));
    const conv = g.node('Conv', values, {
      kernel_shape: [kh, kw * channels],
      strides: [strides[0], strides[1] * channels],
      pads: [top, left * channels, bottom, right * channels],
    });
    return this.#activate(conv, fused);
  }

  /**
   * A 1x1 convolution with a picture of fewer channels added to its first channels. ONNX Runtime pads channels in the
   * plain NCHW layout only. So the other channels are computed separately, or, where there are groups, a convolution
   * widens the smaller picture.
   */
  #widen({ inputs: [data, weights, bias], groups = 1 }, [out, into], lesser) {
    const g = this.#graph;
    const few = this.#shape(lesser).at(-1);
    const x = this.#values.get(data);
    const w = this.#weights(weights, [out, into, 1, 1], [0, 3, 1, 2]);
    const b = this.#weights(bias, [out], [0]);
    const small = this.#values.get(lesser);
    const conv = (...inputs) => g.node('Conv', inputs, { kernel_shape: [1, 1], group: groups });
    if (groups > 1) {
      const [from, to] = [few / groups, out / groups];
      const spread = Array.from({ length: out * from }, (_, i) => (Math.floor(i / from) % to === i % from ? 1 : 0));
      return g.node('Add', [conv(x, w, b), conv(small, g.floats(spread, [out, from, 1, 1]))]);
    }
    const part = (value, from, to) => g.node('Slice', [value, g.ints([from]), g.ints([to]), g.ints([0])]);
    const first = g.node('Add', [conv(x, part(w, 0, few), part(b, 0, few)), small]);
    return g.node('Concat', [first, conv(x, part(w, few, out), part(b, few, out))], { axis: 1 });
  }

  DEPTHWISE_CONV_2D(operator) {
    const [, kh, kw, channels] = this.#shape(operator.inputs[1]);
    const fused = operator.options.int8(4);
    return this.#convolution(operator, { group: channels, shape: [channels, 1, kh, kw], order: [3, 0, 1, 2], fused });
  }

  /** Concatenates the channels of branches, some of them more than once. */
  CHANNELS({ inputs: [data], output, picks }) {
    const each = this.#shape(output).at(-1) / picks.length;
    const places = picks.flatMap((pick) => Array.from({ length: each }, (_, i) => pick * each + i));
    return this.#graph.node('Gather', [this.#values.get(data), this.#graph.ints(places)], { axis: 1 });
  }

  MAX_POOL_2D({ inputs: [data], options }) {
    const strides = [options.int32(2, 1), options.int32(1, 1)];
    const kernel = [options.int32(4, 1), options.int32(3, 1)];
    const pads = this.#pads(options.int8(0), this.#shape(data), kernel, strides);
    return this.#graph.node('MaxPool', [this.#values.get(data)], { kernel_shape: kernel, strides, pads });
  }

  /** Every average pool of the models is over the whole picture. */
  AVERAGE_POOL_2D({ inputs: [data], output }) {
    const [, height, width] = this.#shape(output);
    if (height !== 1 || width !== 1) throw new Error('the converter knows average pools over the whole picture only');
    return this.#graph.node('GlobalAveragePool', [this.#values.get(data)]);
  }

  MEAN(operator) {
    return this.AVERAGE_POOL_2D(operator);
  }

  LOGISTIC({ inputs: [data] }) {
    return this.#graph.node('Sigmoid', [this.#values.get(data)]);
  }

  /**
   * x · clip(x/6 + 1/2, 0, 1), with the inner factor as a depthwise convolution of one weight per channel, for the reason
   * that PRELU names.
   */
  HARD_SWISH({ inputs: [data], output }) {
    const g = this.#graph;
    const channels = this.#shape(output).at(-1);
    const [x, all] = [this.#values.get(data), (value) => new Array(channels).fill(value)];
    const inner = g.node('Conv', [x, g.floats(all(1 / 6), [channels, 1, 1, 1]), g.floats(all(1 / 2))], {
      kernel_shape: [1, 1],
      group: channels,
    });
    return g.node('Mul', [x, g.node('Clip', [inner, g.floats([0], []), g.floats([1], [])])]);
  }

  /**
   * A transposed convolution whose windows do not overlap: each input pixel makes kh·kw pixels of one channel, which a
   * 1x1 convolution computes as channels and DepthToSpace puts in place.
   */
  Convolution2DTransposeBias({ inputs: [data, weights, bias], output }) {
    const [out, kh, kw, into] = this.#shape(weights);
    const [, height, width] = this.#shape(data);
    const [, outHeight, outWidth] = this.#shape(output);
    if (out !== 1 || kh !== kw || outHeight !== kh * height || outWidth !== kw * width)
      throw new Error('the converter knows transposed convolutions to one channel, without overlap, only');
    const values = [this.#values.get(data), this.#weights(weights, [kh * kw, into, 1, 1], [0, 1, 2, 3])];
    const conv = this.#graph.node('Conv', values, { kernel_shape: [1, 1] });
    const placed = this.#graph.node('DepthToSpace', [conv], { blocksize: kh });
    return this.#graph.node('Add', [placed, this.#weights(bias, [1], [0])]);
  }

  #binary(op, { inputs: [a, b], options }) {
    return this.#activate(this.#graph.node(op, [this.#operand(a), this.#operand(b)]), options?.int8(0) ?? 0);
  }

  ADD(operator) {
    // The convolution has added it.
    const { inputs } = operator;
    if (inputs.some((input) => this.#widened.get(input) === null))
      return this.#values.get(inputs.find((input) => this.#widened.get(input) !== null));
    return this.#binary('Add', operator);
  }

  /**
   * A factor for each channel is spread over the picture first: ONNX Runtime's product keeps blocks of channels only where
   * both shapes are equal.
   */
  MUL(operator) {
    const [a, b] = operator.inputs.map(this.#shape);
    if (a.length !== 4 || b.length !== 4 || b[1] * b[2] !== 1 || a[1] * a[2] === 1)
      return this.#binary('Mul', operator);
    const g = this.#graph;
    const [data, factors] = operator.inputs.map((input) => this.#values.get(input));
    const scales = g.floats([1, 1, a[1], a[2]]);
    const spread = g.node('Resize', [factors, '', scales], {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    });
    return g.node('Mul', [data, spread]);
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

  /**
   * slope · x + relu((1 − slope) · x), with the factors as depthwise convolutions of one weight per channel. ONNX
   * Runtime's own PRelu takes pictures in the plain NCHW layout only: it is slow, and every convolution next to it would
   * reorder its picture. For a slope above 1 the second term is −relu((slope − 1) · x): the channel is negated where
   * that is possible, and otherwise takes one more operator.
   */
  PRELU({ inputs: [data, slope], output }) {
    const g = this.#graph;
    const slopes = this.#numbers(slope);
    const scale = (value, factors) =>
      g.node('Conv', [value, g.floats(factors, [factors.length, 1, 1, 1])], {
        kernel_shape: [1, 1],
        group: factors.length,
      });
    const x = this.#values.get(data);
    const given = this.#signs.get(data) ?? slopes.map(() => 1);
    const made = this.#signs.get(output) ?? slopes.map(() => 1);
    const bend = slopes.map((a) => (a > 1 ? -1 : 1));
    const bent = g.node('Relu', [
      scale(
        x,
        slopes.map((a, i) => given[i] * Math.abs(1 - a)),
      ),
    ]);
    const straight = scale(
      x,
      slopes.map((a, i) => made[i] * given[i] * a),
    );
    return g.node('Add', [straight, bend.every((sign, i) => sign === made[i]) ? bent : scale(bent, bend)]);
  }

  #numbers(index) {
    const { data, type } = this.#constant(index);
    const { buffer } = Uint8Array.from(data);
    return type === 'float16' ? Array.from(new Uint16Array(buffer), half) : [...new Float32Array(buffer)];
  }

  PAD({ inputs: [data, amounts], output }) {
    if (this.#widened.has(output)) return undefined;
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
    // A picture of 1x1 is the same in both orders.
    return this.#reshape(flat, to.length === 4 ? [to[0], to[3], to[1], to[2]] : to);
  }

  /** Constants are widened where they are used. */
  DEQUANTIZE() {
    return undefined;
  }
}

/** Reorders the axes of packed data with `size` bytes per number. */
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

/** Negates the numbers for which `sign` returns -1. They are little-endian floats of `size` bytes. */
function flip(data, size, sign) {
  const bytes = Uint8Array.from(data);
  for (let i = 0; i < bytes.length / size; i++) if (sign(i) < 0) bytes[(i + 1) * size - 1] ^= 0x80;
  return bytes;
}

/** A half float from its bits; infinities are not supported. */
function half(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
