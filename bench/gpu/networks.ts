/** The networks of the GPU bench: random weights, for timing; their runs may take any batch. */

import path from 'node:path';
import type { TensorSpec } from '../../src/pipeline/inference/native/ort-tensors.ts';

/** A network of the bench. */
export interface BenchNetwork {
  name: string;
  /** What it stands for. */
  meaning: string;
  inputs: TensorSpec[];
  outputs: TensorSpec[];
}

const EMBEDDING = 512;
const picture = (name: string, side: number): TensorSpec => ({ name, shape: [1, 3, side, side] });
const source: TensorSpec = { name: 'source', shape: [1, EMBEDDING] };

/** All networks. The architecture of the first is published; the others have its parts in the size of theirs. */
export const NETWORKS: readonly BenchNetwork[] = [
  {
    name: 'inswapper-128',
    meaning: 'inswapper_128: its published architecture',
    inputs: [picture('target', 128), source],
    outputs: [picture('output', 128)],
  },
  {
    name: 'swapper-256',
    meaning: 'a generator of 256x256 as hyperswap: an encoder, styled blocks and a decoder; not its architecture',
    inputs: [picture('target', 256), source],
    outputs: [picture('output', 256)],
  },
  {
    name: 'restorer-512',
    meaning: 'a restorer of 512x512 as GFPGAN: the same without a source; not its architecture',
    inputs: [picture('target', 512)],
    outputs: [picture('output', 512)],
  },
];

/** The file of a network that `writeNetworks` wrote. @param half whether its arithmetic is in half floats. */
export const networkFile = (folder: string, name: string, half = false): string =>
  path.join(folder, `${name}${half ? '-fp16' : ''}.onnx`);
