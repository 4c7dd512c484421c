/** The default models, each from its npm package to ONNX bytes. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { convertFaceMesh } from './face-mesh.mjs';
import { GraphBuilder } from './graph.mjs';
import { Converter, permute } from './operators.mjs';
import { readTflite } from './tflite.mjs';

const packages = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../node_modules');
const read = (...parts) => readFileSync(path.join(packages, ...parts));

/** A file out of MediaPipe's packed assets. The loader script lists where each file begins and ends. */
function packedAsset(name) {
  const loader = read('@mediapipe/face_mesh/face_mesh_solution_packed_assets_loader.js').toString();
  const listing = JSON.parse(loader.match(/loadPackage\((\{"files".*?\})\);/s)[1]);
  const { start, end } = listing.files.find((file) => file.filename.endsWith(name));
  return read('@mediapipe/face_mesh/face_mesh_solution_packed_assets.data').subarray(start, end);
}

/** Starts a model: the TFLite graph, converted up to its outputs. */
function begin(file) {
  const model = readTflite(file);
  const graph = new GraphBuilder();
  const converter = new Converter(model, graph);
  converter.run(graph.input('image', model.tensors[model.inputs[0]].shape));
  return { model, graph, converter };
}

/** MediaPipe's full-range face detector: 2304 boxes with keypoints, and their scores. */
export function faceDetector() {
  const { model, graph, converter } = begin(read('@mediapipe/face_detection/face_detection_full_range.tflite'));
  const [boxes, scores] = model.outputs;
  graph.output(converter.value(boxes), 'boxes', [1, 2304, 16]);
  graph.output(converter.value(scores), 'scores', [1, 2304, 1]);
  return graph.bytes('face-detector');
}

/** MediaPipe's attention mesh with its refinement. */
export function faceMesh() {
  return convertFaceMesh(readTflite(packedAsset('face_landmark_with_attention.tflite')));
}

/** What the person segmenter sees, in pixels: between the shapes of 4:3 and 16:9, and 0.6 of the released model's square. */
const PERSON = { width: 256, height: 160 };

/**
 * MediaPipe's general selfie segmentation: how surely each pixel shows a person. It is a convolutional network, released for
 * squares of 256 pixels; every picture in it, a square there, gets the shape of `PERSON`.
 */
export function personSegmenter() {
  const model = readTflite(read('@mediapipe/selfie_segmentation/selfie_segmentation.tflite'));
  const side = model.tensors[model.inputs[0]].shape[1];
  const to = (size, whole) => (size === 1 ? 1 : (size * whole) / side);
  const pictures = model.operators.filter(({ op }) => op !== 'DEQUANTIZE').flatMap(({ outputs }) => outputs);
  for (const index of [...model.inputs, ...pictures]) {
    const [one, height, width, channels] = model.tensors[index].shape;
    model.tensors[index].shape = [one, to(height, PERSON.height), to(width, PERSON.width), channels];
  }
  const graph = new GraphBuilder();
  const converter = new Converter(model, graph);
  const { width, height } = PERSON;
  converter.run(graph.input('image', [1, height, width, 3]));
  const person = graph.node('Reshape', [converter.get(model.outputs[0]), graph.ints([1, height, width])]);
  graph.output(person, 'person', [1, height, width]);
  return graph.bytes('person-segmenter');
}

/** dlib's face recognition ResNet as face-api ships it: uint8 weights, residual blocks, 128 numbers. */
export function faceEmbedder() {
  const [{ weights }] = JSON.parse(read('@vladmandic/face-api/model/face_recognition_model-weights_manifest.json'));
  const data = read('@vladmandic/face-api/model/face_recognition_model.bin');
  const graph = new GraphBuilder();
  const entries = new Map();
  let at = 0;
  for (const { name, shape, quantization } of weights) {
    const count = shape.reduce((a, b) => a * b, 1);
    const bytes = data.subarray(at, at + count * (quantization ? 1 : 4));
    at += bytes.length;
    entries.set(name, { shape, quantization, bytes });
  }
  const load = (name, order, shape) => {
    const { shape: from, quantization, bytes } = entries.get(name);
    const size = quantization ? 1 : 4;
    const moved = order ? permute(bytes, from, order, size) : Uint8Array.from(bytes);
    const to = shape ?? (order ? order.map((axis) => from[axis]) : from);
    return quantization
      ? graph.quantized(moved, to, quantization.scale, quantization.min)
      : graph.floats(new Float32Array(moved.buffer), to);
  };
  const layer = (x, name, { stride = 1, pad = 1, relu = false } = {}) => {
    const kernel = entries.get(`${name}/conv/filters`).shape[0];
    const inputs = [x, load(`${name}/conv/filters`, [3, 2, 0, 1]), load(`${name}/conv/bias`)];
    const conv = graph.node('Conv', inputs, {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: new Array(4).fill(pad),
    });
    const scale = (part) =>
      load(`${name}/scale/${part}`, null, [1, entries.get(`${name}/scale/${part}`).shape[0], 1, 1]);
    const out = graph.node('Add', [graph.node('Mul', [conv, scale('weights')]), scale('biases')]);
    return relu ? graph.node('Relu', [out]) : out;
  };
  const residual = (x, name) => {
    const out = layer(layer(x, `${name}/conv1`, { relu: true }), `${name}/conv2`);
    return graph.node('Relu', [graph.node('Add', [out, x])]);
  };
  // Halves the size. Where the shortcut is wider or has fewer channels, the smaller tensor is padded with zeros.
  const down = (x, name, lessSpace, moreChannels) => {
    let out = layer(layer(x, `${name}/conv1`, { stride: 2, pad: 0, relu: true }), `${name}/conv2`);
    let short = graph.node('AveragePool', [x], { kernel_shape: [2, 2], strides: [2, 2] });
    if (lessSpace) out = graph.node('Pad', [out, graph.ints([0, 0, 0, 0, 0, 0, 1, 1])]);
    if (moreChannels) short = graph.node('Pad', [short, graph.ints([0, 0, 0, 0, 0, moreChannels, 0, 0])]);
    return graph.node('Relu', [graph.node('Add', [out, short])]);
  };
  const image = graph.node('Transpose', [graph.input('image', [1, 150, 150, 3])], { perm: [0, 3, 1, 2] });
  const centred = graph.node('Sub', [image, graph.floats([122.782, 117.001, 104.298], [1, 3, 1, 1])]);
  let x = graph.node('Mul', [centred, graph.floats([1 / 255])]);
  x = graph.node('MaxPool', [layer(x, 'conv32_down', { stride: 2, pad: 0, relu: true })], {
    kernel_shape: [3, 3],
    strides: [2, 2],
  });
  for (const name of ['conv32_1', 'conv32_2', 'conv32_3']) x = residual(x, name);
  x = down(x, 'conv64_down', false, 32);
  for (const name of ['conv64_1', 'conv64_2', 'conv64_3']) x = residual(x, name);
  x = down(x, 'conv128_down', false, 64);
  for (const name of ['conv128_1', 'conv128_2']) x = residual(x, name);
  x = down(x, 'conv256_down', true, 128);
  for (const name of ['conv256_1', 'conv256_2']) x = residual(x, name);
  x = down(x, 'conv256_down_out', true, 0);
  const mean = graph.node('ReduceMean', [x], { axes: [2, 3], keepdims: 0 });
  graph.output(graph.node('MatMul', [mean, load('fc')]), 'embedding', [1, 128]);
  return graph.bytes('face-embedder');
}

/** The canonical face model: protobuf `GeometryPipelineMetadata` with a mesh of vertices (x y z u v) and triangles. */
export function faceGeometry() {
  const file = packedAsset('geometry_pipeline_metadata_landmarks.binarypb');
  const mesh = fields(file).find(([number]) => number === 1)[1];
  const values = { vertices: [], triangles: [] };
  for (const [number, value] of fields(mesh)) {
    if (number === 3) values.vertices.push(new DataView(value.buffer, value.byteOffset, 4).getFloat32(0, true));
    if (number === 4) values.triangles.push(value);
  }
  const round = (v) => Number(v.toFixed(6));
  const vertices = values.vertices.filter((_, i) => i % 5 < 3).map(round);
  const uvs = values.vertices.filter((_, i) => i % 5 >= 3).map(round);
  return Buffer.from(`${JSON.stringify({ vertices, uvs, triangles: values.triangles })}\n`);
}

/** The fields of a protobuf message: number and bytes (or number for plain values). */
function fields(bytes) {
  const found = [];
  let at = 0;
  const varint = () => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = bytes[at++];
      value += (byte & 127) * 2 ** shift;
      shift += 7;
      if (byte < 128) return value;
    }
  };
  const take = (length) => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const key = varint();
    const [number, wire] = [Math.floor(key / 8), key % 8];
    if (wire === 0) found.push([number, varint()]);
    else if (wire === 5) found.push([number, take(4)]);
    else if (wire === 2) found.push([number, take(varint())]);
    else throw new Error(`unexpected protobuf wire type ${wire}`);
  }
  return found;
}
