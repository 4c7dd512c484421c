/**
 * MediaPipe's attention mesh as ONNX. Its refinement is three small networks for lips and eyes, two of them with a
 * branch for the iris; here the branches are merged into one network that runs them side by side.
 */
import { GraphBuilder } from './graph.mjs';
import { sideBySide } from './merge.mjs';
import { Converter } from './operators.mjs';
import { readFlex } from './tflite.mjs';

/** Index of the tensor with that name. */
const named = (model, name) => model.tensors.findIndex((tensor) => tensor.name === name);

/** The refinements: which crop of features (lips, left eye, right eye) each one reads, and its last tensor. */
const REFINEMENTS = [
  { crop: 0, end: 'conv_lips' },
  { crop: 1, end: 'conv_left_eye' },
  { crop: 1, end: 'conv_left_iris' },
  { crop: 2, end: 'conv_right_eye' },
  { crop: 2, end: 'conv_right_iris' },
];
const [LIPS, LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS] = REFINEMENTS.keys();
/** Number of points of the mesh and of an iris. */
const [MESH, IRIS] = [468, 5];

/**
 * The attention mesh with its refinement inside the graph, as in MediaPipe's tensors_to_face_landmarks_with_attention:
 * lips and eyes replace x and y of the mesh points that they refine; irises follow at the end with their eye's mean
 * depth. The model itself says which points are refined: those that each crop was placed around.
 */
export function convertFaceMesh(model) {
  const those = (op) => model.operators.filter((operator) => operator.op === op);
  const rectangles = those('Landmarks2TransformMatrix');
  const flag = named(model, 'conv_faceflag');
  const backbone = model.operators
    .slice(0, model.operators.indexOf(rectangles[0]))
    .concat(model.operators.filter(({ op, outputs }) => op === 'DEQUANTIZE' || outputs[0] === flag));
  const g = new GraphBuilder();
  const converter = new Converter(model, g);
  const [, side] = model.tensors[model.inputs[0]].shape;
  converter.run(g.input('image', [1, side, side, 3]), backbone);
  const mesh = g.node('Reshape', [converter.value(named(model, 'output_mesh')), g.ints([3 * MESH])]);

  const settings = rectangles.map(({ custom }) => readFlex(custom));
  const subsets = settings.map(({ subset_idxs }) => [...subset_idxs]);
  const crops = those('TransformTensorBilinear');
  const starts = crops.map(({ outputs }) => outputs[0]);
  const heads = sideBySide(
    model,
    starts,
    REFINEMENTS.map(({ end }) => named(model, end)),
  );
  const places = turnedRectangles(
    g,
    mesh,
    REFINEMENTS.map(({ crop }) => settings[crop]),
  );
  const each = g.node('Gather', [places, g.ints([LIPS, LEFT_EYE, RIGHT_EYE])], { axis: 0 });
  const features = converter.get(crops[0].inputs[0]);
  converter.set(
    heads.start,
    sample(g, features, each, { parts: starts.length, shape: model.tensors[starts[0]].shape, side }),
  );
  converter.go(heads.operators);

  // A part's points are in quarters of its crop's pixels, from a corner.
  const most = model.tensors[heads.end].shape.at(-1) / (2 * REFINEMENTS.length);
  const [, cropSide] = model.tensors[starts[0]].shape;
  const found = g.node('Reshape', [converter.get(heads.end), g.ints([REFINEMENTS.length, most, 2])]);
  const shares = g.node('Sub', [g.node('Mul', [found, g.floats([1 / (4 * cropSide)])]), g.floats([0.5])]);
  const row = (a, b) => g.node('Slice', [places, g.ints([a]), g.ints([b]), g.ints([1])]);
  const turned = (value) => g.node('Transpose', [value], { perm: [0, 2, 1] });
  const about = g.node('MatMul', [turned(row(0, 2)), turned(shares)]);
  // x of all points of a part, then y.
  const back = g.node('Add', [about, g.node('Reshape', [row(2, 3), g.ints([REFINEMENTS.length, 2, 1])])]);

  // The first sixteen points of an eye's subset are its contour.
  const contours = [LEFT_EYE, RIGHT_EYE].map((look) => subsets[REFINEMENTS[look].crop].slice(0, 16));
  const means = contours.flatMap((contour) =>
    Array.from({ length: 3 * MESH }, (_, i) => (i % 3 === 2 && contour.includes((i - 2) / 3) ? 1 / 16 : 0)),
  );
  const depths = g.node('MatMul', [g.floats(means, [2, 3 * MESH]), mesh]);
  const refined = 3 * MESH;
  const irisDepth = refined + REFINEMENTS.length * 2 * most;
  const at = (look, i) => [0, 1].map((k) => refined + (2 * look + k) * most + i);
  const from = Array.from({ length: MESH }, (_, i) => [3 * i, 3 * i + 1, 3 * i + 2]);
  // Later replacements win, as in MediaPipe: lips, left eye, right eye.
  for (const look of [LIPS, LEFT_EYE, RIGHT_EYE])
    for (const [i, point] of subsets[REFINEMENTS[look].crop].entries()) from[point] = [...at(look, i), 3 * point + 2];
  for (const [k, look] of [LEFT_IRIS, RIGHT_IRIS].entries())
    for (let i = 0; i < IRIS; i++) from.push([...at(look, i), irisDepth + k]);
  const flat = g.node('Reshape', [back, g.ints([-1])]);
  const all = g.node('Concat', [mesh, flat, depths], { axis: 0 });
  const points = g.node('Gather', [all, g.ints(from.flat(), [1, from.length, 3])], { axis: 0 });
  g.output(points, 'landmarks', [1, from.length, 3]);
  g.output(g.node('Reshape', [converter.value(flag), g.ints([1, 1])]), 'presence', [1, 1]);
  return g.bytes('face-mesh');
}

/**
 * Rectangles around parts of a face, each rotated so that two points are level, and larger than the part's extent by
 * given factors: MediaPipe's Landmarks2TransformMatrix, version 2, for all parts at once.
 * @param mesh x, y, z of all points in one row. @param parts the operators' settings.
 * @returns [parts, 3, 2]: matrices from (x, y, 1) to the picture, with x and y as shares of the rectangle from its
 *   centre.
 */
function turnedRectangles(g, mesh, parts) {
  const count = parts.length;
  const most = Math.max(...parts.map(({ subset_idxs }) => subset_idxs.length));
  const pick = (indices, shape) => g.node('Gather', [mesh, g.ints(indices, shape)], { axis: 0 });
  const both = (point) => [3 * point, 3 * point + 1];
  const ends = (name) =>
    pick(
      parts.flatMap((part) => both(part[name])),
      [count, 2],
    );
  const across = g.node('Sub', [ends('right_rotation_idx'), ends('left_rotation_idx')]);
  const turn = g.node('LpNormalization', [across], { axis: 1, p: 2 });
  // (cosine, sine) → rows (cosine, sine), (-sine, cosine): the inverse rotation.
  const rows = g.node('MatMul', [turn, g.floats([1, 0, 0, 1, 0, 1, -1, 0], [2, 4])]);
  const turned = g.node('Reshape', [rows, g.ints([count, 2, 2])]);
  // Shorter parts repeat points, which does not change their extent.
  const of = ({ subset_idxs: [...all] }, k) => Array.from({ length: most }, (_, i) => 3 * all[i % all.length] + k);
  const chosen = pick(
    parts.flatMap((part) => [0, 1].flatMap((k) => of(part, k))),
    [count, 2, most],
  );
  const level = g.node('MatMul', [turned, chosen]);
  const [high, low] = ['ReduceMax', 'ReduceMin'].map((op) => g.node(op, [level], { axes: [2], keepdims: 1 }));
  const scales = parts.flatMap(({ scale_x, scale_y }) => [scale_x, scale_y]);
  const size = g.node('Mul', [g.node('Sub', [high, low]), g.floats(scales, [count, 2, 1])]);
  const twice = g.node('Reshape', [g.node('Add', [high, low]), g.ints([count, 1, 2])]);
  const middle = g.node('MatMul', [g.node('Mul', [twice, g.floats([0.5])]), turned]);
  return g.node('Concat', [g.node('Mul', [size, turned]), middle], { axis: 1 });
}

/**
 * Samples features in rotated rectangles at the centres of their pixels, zero outside: MediaPipe's
 * TransformTensorBilinear, version 2, for all parts at once.
 * @param features a picture in ONNX's order. @param places the matrices of turnedRectangles.
 * @param shape [1, height, width, channels] of one part. @param side of the picture that the matrices lead to.
 * @returns the channels of all parts, [1, parts · channels, height, width].
 */
function sample(g, features, places, { parts, shape: [, height, width, channels], side }) {
  // GridSample's coordinates go from -1 to 1, from edge to edge.
  const scaled = g.node('Mul', [places, g.floats([2 / side])]);
  const centred = g.node('Sub', [scaled, g.floats([0, 0, 0, 0, 1, 1], [3, 2])]);
  const centres = Array.from({ length: height * width }, (_, i) => [
    ((i % width) + 0.5) / width - 0.5,
    (Math.floor(i / width) + 0.5) / height - 0.5,
    1,
  ]);
  const grids = g.node('MatMul', [g.floats(centres.flat(), [height * width, 3]), centred]);
  const grid = g.node('Reshape', [grids, g.ints([1, parts * height, width, 2])]);
  const samples = g.node('GridSample', [features, grid], { mode: 'bilinear', padding_mode: 'zeros', align_corners: 0 });
  const apart = g.node('Reshape', [samples, g.ints([channels, parts, height * width])]);
  const together = g.node('Transpose', [apart], { perm: [1, 0, 2] });
  return g.node('Reshape', [together, g.ints([1, parts * channels, height, width])]);
}
