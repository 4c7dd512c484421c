/** nsfwjs's MobileNetV2 (Keras, as TensorFlow.js saves it, 8-bit weights) to ONNX: which of five kinds a picture is of. */
import { createRequire } from 'node:module';
import path from 'node:path';
import { GraphBuilder } from './graph.mjs';
import { permute } from './operators.mjs';

const SIDE = 224;
const KINDS = 5;

/** @param folder the unpacked package nsfwjs. */
export function contentCheck(folder) {
  const require = createRequire(path.join(folder, 'package.json'));
  const load = (name) => require(path.join(folder, 'dist/models/mobilenet_v2', `${name}.min.js`));
  const { modelTopology, weightsManifest } = load('model');
  const { layers } = modelTopology.model_config.config;
  const entries = entriesOf(weightsManifest[0].weights, Buffer.from(load('group1-shard1of1'), 'base64'));

  const graph = new GraphBuilder();
  const weight = (name, order) => {
    const { shape: from, quantization, bytes } = entries.get(name);
    const moved = order ? permute(bytes, from, order, 1) : Uint8Array.from(bytes);
    const to = order ? order.map((axis) => from[axis]) : from;
    return graph.quantized(moved, to, quantization.scale, quantization.min);
  };
  const vector = (name) => {
    const { quantization, bytes } = entries.get(name);
    return Float32Array.from(bytes, (q) => q * quantization.scale + quantization.min);
  };
  // A batch normalisation is a factor and an offset for each channel.
  const normalise = (x, { name, epsilon }) => {
    const [gamma, beta, mean, variance] = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((part) =>
      vector(`${name}/${part}`),
    );
    const constants = [gamma, beta, mean, variance].map((values) => graph.floats(values));
    return graph.node('BatchNormalization', [x, ...constants], { epsilon });
  };
  const spatial = ({ kernel_size, strides, padding }, group) => ({
    kernel_shape: kernel_size,
    strides,
    // Layers with a stride have their padding from a layer before; `same` means half a kernel for the others.
    pads: new Array(4).fill(padding === 'same' ? (kernel_size[0] - 1) / 2 : 0),
    ...(group > 1 && { group }),
  });

  const values = new Map();
  const image = graph.input('image', [1, SIDE, SIDE, 3]);
  for (const layer of layers) {
    const inputs = (layer.inbound_nodes[0] ?? []).map(([from]) => values.get(from));
    values.set(layer.name, convert(layer, inputs));
  }
  graph.output(values.get(layers.at(-1).name), 'kinds', [1, KINDS]);
  return graph.bytes('content-check');

  function convert({ class_name: kind, name, config }, [x, y]) {
    switch (kind) {
      case 'InputLayer':
        return graph.node('Transpose', [image], { perm: [0, 3, 1, 2] });
      case 'ZeroPadding2D': {
        const [[top, bottom], [left, right]] = config.padding;
        return graph.node('Pad', [x, graph.ints([0, 0, top, left, 0, 0, bottom, right])]);
      }
      case 'Conv2D':
        return graph.node('Conv', [x, weight(`${name}/kernel`, [3, 2, 0, 1])], spatial(config, 1));
      case 'DepthwiseConv2D': {
        // Height, width, channel, 1 becomes channel, 1, height, width.
        const kernel = `${name}/depthwise_kernel`;
        return graph.node('Conv', [x, weight(kernel, [2, 3, 0, 1])], spatial(config, entries.get(kernel).shape[2]));
      }
      case 'BatchNormalization':
        return normalise(x, { name, epsilon: config.epsilon });
      case 'ReLU':
        return graph.node('Clip', [x, graph.floats([0], []), graph.floats([config.max_value], [])]);
      case 'Add':
        return graph.node('Add', [x, y]);
      case 'AveragePooling2D':
        return graph.node('GlobalAveragePool', [x]);
      case 'Flatten':
        return graph.node('Flatten', [x], { axis: 1 });
      case 'Dropout':
        return x;
      case 'Dense': {
        const sum = graph.node('Add', [
          graph.node('MatMul', [x, weight(`${name}/kernel`)]),
          graph.floats(vector(`${name}/bias`)),
        ]);
        return config.activation === 'softmax' ? graph.node('Softmax', [sum], { axis: 1 }) : graph.node('Relu', [sum]);
      }
      default:
        throw new Error(`no conversion of a layer ${kind}`);
    }
  }
}

/** The weights by name, each with its own bytes: one a number, as all are quantised to 8 bits. */
function entriesOf(weights, data) {
  const entries = new Map();
  let at = 0;
  for (const { name, shape, quantization } of weights) {
    if (quantization?.dtype !== 'uint8') throw new Error(`${name} is not of 8 bits`);
    const count = shape.reduce((a, b) => a * b, 1);
    entries.set(name, { shape, quantization, bytes: data.subarray(at, at + count) });
    at += count;
  }
  if (at !== data.length) throw new Error(`${data.length - at} bytes of weights are left over`);
  return entries;
}
