/** Fits frames of one size into pictures of another, for files and devices that cannot change their size. */

import type { Frame } from '../shared/types.ts';

/** Black in limited-range Y, and the value of U and V without colour. */
const BLACK = 16;
const GREY = 128;
/** Weights of neighbours are whole numbers of so many bits. */
const BITS = 8;
/** A half, for rounding after two weights. */
const ROUND = 1 << (2 * BITS - 1);

/** A plane of a frame. */
interface Plane {
  data: Uint8Array;
  width: number;
}

/** A rectangle of a plane, in its samples. */
interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/**
 * A copy of a frame, scaled to fit into width x height pixels in its own proportions, centred on black. Bilinear.
 */
export function fitFrame(frame: Frame, width: number, height: number): Frame {
  const scale = Math.min(width / frame.width, height / frame.height);
  const whole = even(frame.width * scale, width);
  const high = even(frame.height * scale, height);
  const box: Box = {
    x: 2 * Math.floor((width - whole) / 4),
    y: 2 * Math.floor((height - high) / 4),
    width: whole,
    height: high,
  };
  const half = (n: number): number => Math.ceil(n / 2);
  const chromaBox = { x: box.x / 2, y: box.y / 2, width: half(box.width), height: half(box.height) };
  const [luma, chroma] = [width * height, half(width) * half(height)];
  const [fromLuma, fromChroma] = [frame.width * frame.height, half(frame.width) * half(frame.height)];
  const data = new Uint8Array(luma + 2 * chroma);
  data.fill(BLACK, 0, luma);
  data.fill(GREY, luma);
  scalePlane(
    { data: frame.data.subarray(0, fromLuma), width: frame.width },
    { data: data.subarray(0, luma), width },
    box,
  );
  for (const k of [0, 1]) {
    const from = frame.data.subarray(fromLuma + k * fromChroma, fromLuma + (k + 1) * fromChroma);
    const to = data.subarray(luma + k * chroma, luma + (k + 1) * chroma);
    scalePlane({ data: from, width: half(frame.width) }, { data: to, width: half(width) }, chromaBox);
  }
  return { width, height, data, receivedAtMs: frame.receivedAtMs };
}

/** Bars narrower than this share of the side are not worth having: sizes that were scaled are rounded. */
const ROUNDED = 0.02;

/** The nearest even length, so that colour and brightness stay aligned; the whole length where it nearly is that. */
const even = (length: number, most: number): number =>
  most - length <= ROUNDED * most ? most : Math.max(2, Math.min(most, 2 * Math.round(length / 2)));

/** Scales a plane into a rectangle of another one. */
function scalePlane(from: Plane, to: Plane, box: Box): void {
  const columns = neighboursOf(from.width, box.width);
  const rows = neighboursOf(from.data.length / from.width, box.height);
  // The rows above and below, scaled in width: most rows of a larger picture lie between the same two.
  let above = { row: -1, values: new Uint16Array(box.width) };
  let below = { row: -1, values: new Uint16Array(box.width) };
  for (let y = 0; y < box.height; y++) {
    const [first, second] = [rows.first[y]!, rows.second[y]!];
    if (above.row !== first && below.row === first) [above, below] = [below, above];
    if (above.row !== first) above.row = scaleRow(from, first, columns, above.values);
    if (below.row !== second) below.row = scaleRow(from, second, columns, below.values);
    blend(above.values, below.values, rows.weight[y]!, to.data.subarray((box.y + y) * to.width + box.x));
  }
}

/** Scales a row in width, into values of 16 bits. @returns the row's number. */
function scaleRow({ data, width }: Plane, row: number, columns: Neighbours, into: Uint16Array): number {
  const { first, second, weight } = columns;
  const at = row * width;
  for (let x = 0; x < into.length; x++) {
    const left = data[at + first[x]!]!;
    into[x] = (left << BITS) + (data[at + second[x]!]! - left) * weight[x]!;
  }
  return row;
}

/** Blends two rows of 16 bits into one of bytes. @param weight of the second, of 1 << BITS. */
function blend(above: Uint16Array, below: Uint16Array, weight: number, into: Uint8Array): void {
  const rest = (1 << BITS) - weight;
  for (let x = 0; x < above.length; x++) into[x] = (above[x]! * rest + below[x]! * weight + ROUND) >> (2 * BITS);
}

/** For each sample of a scaled row: the two samples it lies between, and the weight of the second. */
interface Neighbours {
  first: Int32Array;
  second: Int32Array;
  weight: Int32Array;
}

function neighboursOf(from: number, to: number): Neighbours {
  const [first, second, weight] = [new Int32Array(to), new Int32Array(to), new Int32Array(to)];
  for (let i = 0; i < to; i++) {
    const at = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
    first[i] = Math.floor(at);
    second[i] = Math.min(from - 1, first[i]! + 1);
    weight[i] = Math.round((at - first[i]!) * (1 << BITS));
  }
  return { first, second, weight };
}
