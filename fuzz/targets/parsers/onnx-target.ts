import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { GraphBuilder } from '../../../scripts/convert/graph.mjs';
import { readGraph, readLastInitializer } from '../../../src/pipeline/models/onnx-graph.ts';
import { mutatedBytes } from '../../mutate/mutate-bytes.ts';
import { holds, type Target } from '../../run/target.ts';

function samples(): Buffer[] {
  const sum = new GraphBuilder();
  const x = sum.input('x', ['batch', 3, 8, 8]);
  sum.output(sum.node('Add', [x, sum.floats([2, 3, 4, 5], [4])]), 'y', ['batch', 3, 8, 8]);
  const matrix = new GraphBuilder();
  const from = matrix.input('source', [1, 16]);
  matrix.output(
    matrix.node('MatMul', [from, matrix.floats(Float32Array.from({ length: 256 }, Math.sin), [16, 16])]),
    'target',
    [1, 16],
  );
  return [Buffer.from(sum.bytes('sum')), Buffer.from(matrix.bytes('matrix'))];
}

/** Headers of ONNX files, which are protobuf. */
export const onnxTarget: Target = {
  name: 'onnx',
  reads: 'readGraph, readLastInitializer',
  share: 1,
  growthBytes: 16 * 2 ** 20,
  async open(folder) {
    const models = samples();
    const file = path.join(folder, 'model.onnx');
    return {
      make: (random) => mutatedBytes(models, random),
      feed(input) {
        writeFileSync(file, input);
        const { inputs, outputs } = readGraph(file);
        for (const { shape } of [...inputs, ...outputs])
          holds(shape === null || shape.every((size) => size === null || size > 0), `a shape of ${shape}`);
        holds(readLastInitializer(file).values.byteLength <= 4 * input.length, 'a matrix larger than its file');
        return true;
      },
      close: async () => undefined,
    };
  },
};
