/** Writes the networks of the GPU bench as ONNX files. Needs onnx-proto. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { GraphBuilder } from '../../scripts/convert/graph.mjs';
import { random, realSize } from '../../scripts/stand-ins.mjs';
import { NETWORKS, networkFile } from './networks.ts';

/** Writes the files of all networks. @param isTiny networks of the same inputs and outputs that cost nothing, to try the bench. */
export function writeNetworks(folder: string, isTiny: boolean): void {
  mkdirSync(folder, { recursive: true });
  const [inswapper, swapper, restorer] = NETWORKS.map(({ name }) => name) as [string, string, string];
  const at = (name: string, half = false): string => networkFile(folder, name, half);
  const files: [string, () => Uint8Array][] = [
    [at(inswapper), () => (isTiny ? styled({ ...TINY, side: 128, half: false }) : realSize('batch'))],
    [at(swapper), () => styled({ ...SWAPPER, ...(isTiny && TINY), half: false })],
    [at(swapper, true), () => styled({ ...SWAPPER, ...(isTiny && TINY), half: true })],
    [at(restorer), () => styled({ ...RESTORER, ...(isTiny && TINY), half: false })],
    [at(restorer, true), () => styled({ ...RESTORER, ...(isTiny && TINY), half: true })],
  ];
  for (const [file, make] of files) writeFileSync(file, make());
}

const SWAPPER = { side: 256, widths: [64, 128, 256, 512], blocks: 9 };
const RESTORER = { side: 512, widths: [32, 64, 128, 256, 512], blocks: 8 };
/** What a network is made of to cost nothing. */
const TINY = { widths: [8, 8], blocks: 1 };
const EMBEDDING = 512;
/** FLOAT16 of ONNX's types, and FLOAT. */
const [HALF, FULL] = [10, 1];

interface Shape {
  side: number;
  /** Channels of each level; each but the first has half the side of the one before. */
  widths: readonly number[];
  blocks: number;
  half: boolean;
}

/** Weights are random blocks of at most 32 channels, repeated, which changes neither the work nor the time. */
function styled({ side, widths, blocks, half }: Shape): Uint8Array {
  const graph = new GraphBuilder();
  const next = random(7);
  const own = (value: string): string => (half ? graph.node('Cast', [value], { to: HALF }) : value);
  const weights = (shape: number[], scale: number): string => {
    const small = shape.map((d) => Math.min(d, 32));
    const values = Array.from({ length: small.reduce((a, b) => a * b, 1) }, () => scale * (2 * next() - 1));
    const repeats = graph.ints(shape.map((d, i) => d / small[i]!));
    return own(graph.node('Tile', [graph.floats(values, small), repeats]));
  };
  const conv = (x: string, from: number, to: number, stride = 1): string => {
    const inputs = [x, weights([to, from, 3, 3], Math.sqrt(3 / (from * 9))), weights([to], 0.01)];
    return graph.node('Conv', inputs, { kernel_shape: [3, 3], strides: [stride, stride], pads: [1, 1, 1, 1] });
  };
  const relu = (x: string): string => graph.node('Relu', [x]);
  const target = graph.input('target', ['batch', 3, side, side]);
  const hasSource = side < 512;
  const embedding = hasSource ? own(graph.input('source', ['batch', EMBEDDING])) : null;
  const top = widths.at(-1)!;
  const style = (x: string): string => {
    if (embedding === null) return x;
    const gain = graph.node('Gemm', [embedding, weights([EMBEDDING, top], 0.05), weights([top], 0.5)]);
    return graph.node('Mul', [x, graph.node('Reshape', [gain, graph.ints([-1, top, 1, 1])])]);
  };
  let x = relu(conv(own(target), 3, widths[0]!));
  for (const [i, width] of widths.entries()) if (i > 0) x = relu(conv(x, widths[i - 1]!, width, 2));
  for (let block = 0; block < blocks; block++)
    x = graph.node('Add', [x, style(conv(relu(style(conv(x, top, top))), top, top))]);
  for (let i = widths.length - 1; i > 0; i--) {
    const wide = graph.node('Resize', [x, '', graph.floats([1, 1, 2, 2])], { mode: 'nearest' });
    x = relu(conv(wide, widths[i]!, widths[i - 1]!));
  }
  const painted = graph.node('Tanh', [conv(x, widths[0]!, 3)]);
  graph.output(half ? graph.node('Cast', [painted], { to: FULL }) : painted, 'output', ['batch', 3, side, side]);
  return graph.bytes(`styled-${side}`);
}
