/** Small ONNX graphs for tests of sessions. */

import { GraphBuilder } from '../../scripts/convert/graph.mjs';
import type { TensorSpec } from '../../src/pipeline/inference/native/ort-tensors.ts';

export interface TestModel {
  bytes: Uint8Array;
  inputs: TensorSpec[];
  outputs: TensorSpec[];
}

/** y = 2x + bias, any batch. */
export function doubling(bias = 1, width = 4): TestModel {
  const graph = new GraphBuilder();
  const x = graph.input('x', ['batch', width]);
  graph.output(graph.node('Add', [graph.node('Mul', [x, graph.floats([2])]), graph.floats([bias])]), 'y', [
    'batch',
    width,
  ]);
  return {
    bytes: graph.bytes('doubling'),
    inputs: [{ name: 'x', shape: [1, width] }],
    outputs: [{ name: 'y', shape: [1, width] }],
  };
}

/** y = x, by copying. */
export function copies(width: number): TestModel {
  const graph = new GraphBuilder();
  const x = graph.input('x', ['batch', width]);
  graph.output(graph.node('Identity', [graph.node('Identity', [x])]), 'y', ['batch', width]);
  return {
    bytes: graph.bytes('copies'),
    inputs: [{ name: 'x', shape: [1, width] }],
    outputs: [{ name: 'y', shape: [1, width] }],
  };
}

/** y = the determinant of x: CUDA has no kernel for it. */
export function determinants(): TestModel {
  const graph = new GraphBuilder();
  graph.output(graph.node('Det', [graph.node('Identity', [graph.input('x', ['batch', 2, 2])])]), 'y', ['batch']);
  return {
    bytes: graph.bytes('determinants'),
    inputs: [{ name: 'x', shape: [1, 2, 2] }],
    outputs: [{ name: 'y', shape: [1], batched: true }],
  };
}

/** A picture through convolutions: work that takes a while. */
export function convolutions(side = 64, channels = 16, layers = 4): TestModel {
  const graph = new GraphBuilder();
  let x = graph.input('x', ['batch', channels, side, side]);
  for (let layer = 0; layer < layers; layer++) {
    const weights = Float32Array.from(
      { length: channels * channels * 9 },
      (_, i) => Math.sin(i + layer) / (4 * channels),
    );
    x = graph.node('Relu', [
      graph.node('Conv', [x, graph.floats(weights, [channels, channels, 3, 3])], {
        kernel_shape: [3, 3],
        pads: [1, 1, 1, 1],
      }),
    ]);
  }
  graph.output(x, 'y', ['batch', channels, side, side]);
  const shape = [1, channels, side, side];
  return { bytes: graph.bytes('convolutions'), inputs: [{ name: 'x', shape }], outputs: [{ name: 'y', shape }] };
}
