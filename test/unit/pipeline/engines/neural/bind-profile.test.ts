import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../../../../scripts/convert/graph.mjs';
import { standIn } from '../../../../../scripts/stand-ins.mjs';
import { bindGenerator, bindPlain } from '../../../../../src/pipeline/engines/neural/bind-profile.ts';
import { type EntryOf, type OptionalEntry, readCatalogue } from '../../../../../src/pipeline/models/catalogue.ts';
import { readGraph, readLastInitializer } from '../../../../../src/pipeline/models/onnx-graph.ts';
import { modelsDir } from '../../../../support/lane.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-fit-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { optional } = readCatalogue(modelsDir);
const known = (name: string): OptionalEntry => optional.find((entry) => entry.name === name)!;
let files = 0;
function written(bytes: Uint8Array): string {
  const file = path.join(folder, `${files++}.onnx`);
  writeFileSync(file, bytes);
  return file;
}
type Shape = (number | string)[];
function graphOf(inputs: [string, Shape, string?][], outputs: [string, Shape][]): string {
  const graph = new GraphBuilder();
  for (const [name, shape, type] of inputs) graph.input(name, shape, type);
  for (const [name, shape] of outputs) graph.output(inputs[0]![0], name, shape);
  return written(graph.bytes('made up'));
}
const painter = (name: string, file: string, batch = 1) => {
  const entry = known(name) as EntryOf<'generator'>;
  return bindGenerator(entry, entry.profile, readGraph(file), batch);
};

describe('an ONNX file', () => {
  test('lists its inputs and outputs, open dimensions and last initializer', () => {
    const file = written(standIn(known('inswapper_128')));
    expect(readGraph(file)).toEqual({
      inputs: [
        { name: 'target', type: 'float32', shape: [null, 3, 128, 128] },
        { name: 'source', type: 'float32', shape: [null, 512] },
      ],
      outputs: [{ name: 'painted', type: 'float32', shape: [null, 3, 128, 128] }],
    });
    const { shape, values } = readLastInitializer(file);
    expect(shape).toEqual([512, 512]);
    expect([values[1], values[512 + 2], values[0], values[511 * 512]]).toEqual([1, 1, 0, 1]);
  });

  test('that is none, or cut short, is refused', () => {
    expect(() => readGraph(written(Buffer.from('hello there, this is no model')))).toThrow(/cannot be read as an ONNX/);
    const file = written(standIn(known('inswapper_128')));
    truncateSync(file, 500_000);
    expect(() => readGraph(file)).toThrow(/cannot be read as an ONNX model: it is damaged/);
    expect(() => readGraph(path.join(folder, 'nothing'))).toThrow(/cannot be read/);
  });

  test('of half floats gives its matrix as floats', () => {
    const graph = new GraphBuilder();
    graph.input('x', [1]);
    // 1, -2, 0.5, the least subnormal
    graph.halves(Buffer.from([0x00, 0x3c, 0x00, 0xc0, 0x00, 0x38, 0x01, 0x00]), [2, 2]);
    expect([...readLastInitializer(written(graph.bytes('halves'))).values]).toEqual([1, -2, 0.5, 2 ** -24]);
  });
});

describe('a file fits by shape', () => {
  const picture: Shape = [1, 3, 128, 128];

  test('whatever the names and order of its tensors', () => {
    const file = graphOf(
      [
        ['onnx::Gemm_1', [1, 512]],
        ['input', picture],
      ],
      [['1165', picture]],
    );
    // The first input is what the made-up outputs copy; only shapes are looked at here.
    expect(painter('inswapper_128', file)).toMatchObject({
      input: 'input',
      source: 'onnx::Gemm_1',
      output: '1165',
      size: 128,
    });
  });

  test('with two pictures of one size the word source decides, and without it nothing does', () => {
    const wide: Shape = ['n', 3, 256, 256];
    const told = graphOf(
      [
        ['source', wide],
        ['target', wide],
      ],
      [['out', wide]],
    );
    expect(painter('uniface_256', told)).toMatchObject({ input: 'target', source: 'source' });
    const untold = graphOf(
      [
        ['a', wide],
        ['b', wide],
      ],
      [['out', wide]],
    );
    expect(() => painter('uniface_256', untold)).toThrow(
      /should have one input for the source.*a \[\?, 3, 256, 256\], b/,
    );
  });

  test('with a batch only where that dimension is open', () => {
    const open = written(standIn(known('inswapper_128')));
    expect(painter('inswapper_128', open, 4)).toMatchObject({ batch: 4 });
    const fixed = graphOf(
      [
        ['target', picture],
        ['source', [1, 512]],
      ],
      [['out', picture]],
    );
    expect(painter('inswapper_128', fixed, 4)).toMatchObject({ batch: 1 });
  });

  test('with scalar inputs as the profile says', () => {
    const entry = known('codeformer') as EntryOf<'restorer'>;
    const fit = bindGenerator(entry, entry.profile, readGraph(written(standIn(entry))), 1);
    expect(fit.doubles).toEqual({ weight: 0.5 });
    expect(painter('dfm', written(standIn(known('dfm'))))).toMatchObject({
      scalars: { morph: 1 },
      size: 224,
      source: null,
      masks: ['face_mask', 'source_mask'],
      output: 'painted',
    });
  });

  test('without reading a mask that the profile does not use', () => {
    const wide: Shape = [1, 3, 256, 256];
    const file = graphOf(
      [
        ['target', wide],
        ['source', [1, 512]],
      ],
      [
        ['a', wide],
        ['b', [1, 1, 256, 256]],
      ],
    );
    expect(painter('hyperswap_1a_256', file)).toMatchObject({ output: 'a', masks: [] });
  });
});

test('an output that does not tell its channels is taken alone, and refused beside others', () => {
  const inputs: [string, Shape][] = [
    ['target', [1, 3, 128, 128]],
    ['source', [1, 512]],
  ];
  const open: Shape = ['a', 'b', 'c', 'd'];
  expect(painter('inswapper_128', graphOf(inputs, [['out', open]])).output).toBe('out');
  const several: [string, Shape][] = [
    ['x', open],
    ['y', open],
  ];
  expect(() => painter('inswapper_128', graphOf(inputs, several))).toThrow(/should have an output picture/);
  const told: [string, Shape][] = [
    ['x', open],
    ['y', [1, 3, 128, 128]],
  ];
  expect(painter('inswapper_128', graphOf(inputs, told)).output).toBe('y');
});

describe('a file that does not fit is refused with the reason', () => {
  test.each([
    [
      'another size',
      [
        ['target', [1, 3, 256, 256]],
        ['source', [1, 512]],
      ],
      [['out', [1, 3, 256, 256]]],
      /target picture, \[\?, 3, 128, 128\]; it has target \[1, 3, 256, 256\]/,
    ],
    [
      'another embedding',
      [
        ['target', [1, 3, 128, 128]],
        ['source', [1, 256]],
      ],
      [['out', [1, 3, 128, 128]]],
      /input for the source, \[\?, 512\]/,
    ],
    [
      'another output',
      [
        ['target', [1, 3, 128, 128]],
        ['source', [1, 512]],
      ],
      [['out', [1, 1, 128, 128]]],
      /output picture \[\?, 3, 128, 128\]; it has out \[1, 1, 128, 128\]/,
    ],
    [
      'a further input',
      [
        ['target', [1, 3, 128, 128]],
        ['source', [1, 512]],
        ['more', [7]],
      ],
      [['out', [1, 3, 128, 128]]],
      /no further inputs/,
    ],
    [
      'half floats',
      [
        ['target', [1, 3, 128, 128], 'FLOAT16'],
        ['source', [1, 512]],
      ],
      [['out', [1, 3, 128, 128]]],
      /\(not float\)/,
    ],
  ] as [string, [string, Shape, string?][], [string, Shape][], RegExp][])('%s', (_what, inputs, outputs, message) => {
    expect(() => painter('inswapper_128', graphOf(inputs, outputs))).toThrow(message);
  });

  test('a recogniser of another length', () => {
    const entry = known('arcface_w600k_r50') as EntryOf<'recogniser'>;
    const file = graphOf([['input', [1, 3, 112, 112]]], [['out', [1, 128]]]);
    expect(() => bindPlain(entry, entry.profile, readGraph(file))).toThrow(
      /an output \[\?, 512\]; it has out \[1, 128\]/,
    );
  });
});
