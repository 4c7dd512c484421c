/**
 * Stand-ins for the optional models: small ONNX files with the same inputs, outputs and roles, so that the neural
 * engine is tested without any of those models. A stand-in paints nothing: a generator returns the crop that it was
 * given. Stand-ins are never shipped and never substitute a model.
 *
 *   node scripts/stand-ins.mjs FOLDER [NAME ...]      into FOLDER/optional, with a models.yaml that describes them
 *   node scripts/stand-ins.mjs FOLDER inswapper_128 --real-size      true architecture, random weights, for timing
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { dump, load } from 'js-yaml';
import { GraphBuilder } from './convert/graph.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const EMBEDDING = 512;
/** Each DFM model has a side of its own; 224 is a common one. */
const OWN_SIDE = 224;

/** A pseudo-random generator of numbers from 0 to 1 (mulberry32). */
export function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** The optional models of models.yaml. */
export const entries = () => load(readFileSync(path.join(root, 'models/models.yaml'), 'utf8')).optional;

/** The stand-in of a model, as ONNX bytes. @param work convolutions that a generator runs to take time, see `busy`. */
export function standIn({ name, profile }, work = 0) {
  const graph = new GraphBuilder();
  BUILD[profile.role](graph, profile, work);
  return graph.bytes(`${name}-stand-in`);
}

const BUILD = {
  generator(graph, profile, work) {
    const target = graph.input('target', pictureShape(profile, 'batch'));
    sourceInput(graph, profile.source);
    if (profile.source.kind === 'none') graph.input('morph', [1]);
    const n = profile.size ?? OWN_SIDE;
    const channel = profile.layout === 'nhwc' ? 3 : 1;
    const maskShape = profile.layout === 'nhwc' ? ['batch', n, n, 1] : ['batch', 1, n, n];
    const ones = () => {
      const mean = graph.node('ReduceMean', [target], { axes: [channel], keepdims: 1 });
      return graph.node('Add', [graph.node('Mul', [mean, graph.floats([0])]), graph.floats([1])]);
    };
    if (profile.masks) graph.output(ones(), 'face_mask', maskShape);
    const painted = same(graph, target, profile);
    const nothing = work > 0 ? [busy(graph, target, work)] : [];
    graph.output(
      nothing.reduce((sum, none) => graph.node('Add', [sum, none]), painted),
      'painted',
      pictureShape(profile, 'batch'),
    );
    if (profile.masks) graph.output(ones(), 'source_mask', maskShape);
    // The last initializer is the matrix of the embedding: here it shifts each number by one place.
    if (profile.source.recipe === 'emap') graph.floats(shiftMatrix(), [EMBEDDING, EMBEDDING]);
  },

  restorer(graph, profile) {
    const input = graph.input('input', pictureShape(profile, 1));
    if (profile.scalar !== undefined) graph.input('weight', [1], 'DOUBLE');
    graph.output(same(graph, input, profile), 'output', pictureShape(profile, 1));
  },

  /** Multiplies coarse brightness by a random matrix, so that different pictures have different embeddings. */
  recogniser(graph, profile) {
    const input = graph.input('input', pictureShape(profile, 'batch'));
    const coarse = graph.node('AveragePool', [input], { kernel_shape: [7, 7], strides: [7, 7] });
    const count = 3 * Math.floor(profile.size / 7) ** 2;
    const flat = graph.node('Reshape', [coarse, graph.ints([-1, count])]);
    graph.output(throughRandom(graph, flat, [count, profile.length], 1), 'embedding', ['batch', profile.length]);
  },

  converter(graph, profile) {
    const input = graph.input('input', [1, profile.length]);
    graph.output(throughRandom(graph, input, [profile.length, profile.length], 2), 'output', [1, profile.length]);
  },

  /** Counts every pixel that is not very green as face. */
  masker(graph, profile) {
    const input = graph.input('input', pictureShape(profile, 'batch'));
    const nchw = profile.layout === 'nhwc' ? graph.node('Transpose', [input], { perm: [0, 3, 1, 2] }) : input;
    const bounds = [graph.ints([1]), graph.ints([2]), graph.ints([1])];
    const green = graph.node('Slice', [nchw, ...bounds]);
    const value = graph.node('Add', [
      graph.node('Mul', [green, graph.floats([profile.std[1]])]),
      graph.floats([profile.mean[1]]),
    ]);
    const n = profile.size;
    if (profile.classes === undefined) {
      const face = graph.node('Cast', [graph.node('Less', [value, graph.floats([0.8])])], { to: 1 });
      const mask = profile.layout === 'nhwc' ? graph.node('Transpose', [face], { perm: [0, 2, 3, 1] }) : face;
      graph.output(mask, 'mask', profile.layout === 'nhwc' ? ['batch', n, n, 1] : ['batch', 1, n, n]);
      return;
    }
    const level = (to) => graph.node('Add', [graph.node('Mul', [value, graph.floats([0])]), graph.floats([to])]);
    const others = Array.from({ length: 17 }, () => level(0));
    graph.output(graph.node('Concat', [value, level(0.8), ...others], { axis: 1 }), 'classes', ['batch', 19, n, n]);
  },
};

function pictureShape({ layout, size }, batch) {
  const n = size ?? OWN_SIDE;
  return layout === 'nhwc' ? [batch, n, n, 3] : [batch, 3, n, n];
}

function sourceInput(graph, source) {
  if (source.kind === 'embedding') graph.input('source', ['batch', EMBEDDING]);
  if (source.kind === 'picture') graph.input('source', pictureShape(source, 'batch'));
}

/** Channels of a convolution whose only purpose is to take time. */
const BUSY = 32;

/** Convolutions of the picture one after another, multiplied by zero: they take time and change nothing. NCHW only. */
function busy(graph, target, work) {
  const next = random(4);
  const conv = (x, from) => {
    const scale = Math.sqrt(3 / (from * 9));
    const count = BUSY * from * 9;
    const weights = graph.floats(
      Array.from({ length: count }, () => scale * (2 * next() - 1)),
      [BUSY, from, 3, 3],
    );
    return graph.node('Conv', [x, weights], { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] });
  };
  let x = conv(target, 3);
  for (let i = 1; i < work; i++) x = conv(x, BUSY);
  const mean = graph.node('ReduceMean', [x], { axes: [1, 2, 3], keepdims: 1 });
  return graph.node('Mul', [mean, graph.floats([0])]);
}

/** The input picture, converted to the range of output pictures. */
function same(graph, target, { layout, order, mean, std, output }) {
  const arranged = (values) => (order === 'bgr' ? [...values].reverse() : values);
  const shape = layout === 'nhwc' ? [1, 1, 1, 3] : [1, 3, 1, 1];
  const gain = std.map((s, c) => s / output.std[c]);
  const bias = mean.map((m, c) => (m - output.mean[c]) / output.std[c]);
  const scaled = graph.node('Mul', [target, graph.floats(arranged(gain), shape)]);
  return graph.node('Add', [scaled, graph.floats(arranged(bias), shape)]);
}

/** Multiplies a value by a random matrix of that shape. */
function throughRandom(graph, value, [from, to], seed) {
  const next = random(seed);
  return graph.node('MatMul', [
    value,
    graph.floats(
      Array.from({ length: from * to }, () => next() - 0.5),
      [from, to],
    ),
  ]);
}

function shiftMatrix() {
  const matrix = new Float32Array(EMBEDDING * EMBEDDING);
  for (let i = 0; i < EMBEDDING; i++) matrix[i * EMBEDDING + ((i + 1) % EMBEDDING)] = 1;
  return matrix;
}

/**
 * The architecture of inswapper_128 as its retrainings describe it: a convolutional encoder to 1024 channels at a
 * quarter of the side, six blocks of two convolutions whose instance norm takes scale and shift from the embedding
 * (AdaIN, Huang and Belongie 2017), and a decoder with bilinear upsampling. Weights are random and repeat themselves,
 * which changes neither the work nor the time; ONNX Runtime unfolds them to the 554 MB of the real file when it loads.
 * @param batch pictures in a run: 1 as in the real file, or a name, which leaves it open.
 */
export function realSize(batch = 1) {
  const graph = new GraphBuilder();
  const next = random(3);
  /** A random block of at most 32 in each direction, repeated. */
  const weights = (shape, scale) => {
    const small = shape.map((d) => Math.min(d, 32));
    const count = small.reduce((a, b) => a * b, 1);
    const block = graph.floats(
      Array.from({ length: count }, () => scale * (2 * next() - 1)),
      small,
    );
    return graph.node('Tile', [block, graph.ints(shape.map((d, i) => d / small[i]))]);
  };
  const conv = (x, [from, to], { kernel = 3, stride = 1, pad = 1 } = {}) => {
    const scale = Math.sqrt(3 / (from * kernel * kernel));
    const inputs = [x, weights([to, from, kernel, kernel], scale), weights([to], 0.01)];
    return graph.node('Conv', inputs, {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: new Array(4).fill(pad),
    });
  };
  const leaky = (x) => graph.node('LeakyRelu', [x], { alpha: 0.2 });
  const reflected = (x) => graph.node('Pad', [x, graph.ints([0, 0, 3, 3, 0, 0, 3, 3])], { mode: 'reflect' });
  const twice = (x) => {
    const scales = graph.floats([1, 1, 2, 2]);
    return graph.node('Resize', [x, '', scales], { mode: 'linear', coordinate_transformation_mode: 'half_pixel' });
  };
  const target = graph.input('target', [batch, 3, 128, 128]);
  const source = graph.input('source', [batch, EMBEDDING]);
  const styled = (x) => {
    const style = graph.node('Gemm', [source, weights([EMBEDDING, 2048], 0.05), weights([2048], 0.5)]);
    const half = (a, b) => {
      const part = graph.node('Slice', [style, graph.ints([a]), graph.ints([b]), graph.ints([1])]);
      return graph.node('Reshape', [part, graph.ints([-1, 1024, 1, 1])]);
    };
    const ones = graph.floats(new Array(1024).fill(1));
    const zeros = graph.floats(new Array(1024).fill(0));
    const normed = graph.node('InstanceNormalization', [x, ones, zeros]);
    return graph.node('Add', [graph.node('Mul', [normed, half(0, 1024)]), half(1024, 2048)]);
  };
  let x = leaky(conv(reflected(target), [3, 128], { kernel: 7, pad: 0 }));
  x = leaky(conv(x, [128, 256]));
  x = leaky(conv(x, [256, 512], { stride: 2 }));
  x = leaky(conv(x, [512, 1024], { stride: 2 }));
  for (let block = 0; block < 6; block++) {
    const inner = graph.node('Relu', [styled(conv(x, [1024, 1024]))]);
    x = graph.node('Add', [styled(conv(inner, [1024, 1024])), x]);
  }
  x = leaky(conv(twice(x), [1024, 512]));
  x = leaky(conv(twice(x), [512, 256]));
  x = leaky(conv(x, [256, 128]));
  const out = graph.node('Tanh', [conv(reflected(x), [128, 3], { kernel: 7, pad: 0 })]);
  const half = graph.node('Mul', [graph.node('Add', [out, graph.floats([1])]), graph.floats([0.5])]);
  graph.output(half, 'output', [batch, 3, 128, 128]);
  graph.floats(shiftMatrix(), [EMBEDDING, EMBEDDING]);
  return graph.bytes('inswapper_128-architecture');
}

/** Writes stand-ins and their catalogue into `folder`/optional. */
export function writeStandIns(folder, names = entries().map(({ name }) => name), { full = false, work = 0 } = {}) {
  const to = path.join(folder, 'optional');
  mkdirSync(to, { recursive: true });
  const chosen = entries().filter(({ name }) => names.includes(name));
  for (const entry of chosen) {
    const bytes = full && entry.name === 'inswapper_128' ? realSize() : standIn(entry, work);
    writeFileSync(path.join(to, entry.file), bytes);
  }
  const optional = chosen.map((entry) => ({ ...entry, url: null, sha256: null, bytes: null, licence: 'a stand-in' }));
  writeFileSync(path.join(to, 'models.yaml'), dump({ optional }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, ...rest] = process.argv.slice(2);
  if (folder === undefined) throw new Error('usage: node scripts/stand-ins.mjs FOLDER [NAME ...] [--real-size]');
  const names = rest.filter((word) => !word.startsWith('--'));
  writeStandIns(folder, names.length > 0 ? names : undefined, { full: rest.includes('--real-size') });
}
