/** What a detector looks at: luma without what the scene does to it. */

/** A picture of one value a pixel, row by row. */
export interface GrayPicture {
  width: number;
  height: number;
  values: Float32Array;
}

/** Radius of the surroundings whose mean is taken away and whose deviation is divided by, in pixels. */
const RADIUS = 2;
/** Deviation that is added, in levels: what rounding and a quiet camera do. */
const LEAST_DEVIATION = 0.6;
/** Largest size of a residual, in deviations. */
const MOST = 2.5;

/** Shrinks a picture by a whole factor: each pixel is the mean of factor². What is left over at its ends is cut off. */
export function shrinkGray({ width, height, values }: GrayPicture, factor: number): GrayPicture {
  const [w, h] = [Math.floor(width / factor), Math.floor(height / factor)];
  const out = new Float32Array(w * h);
  for (let y = 0; y < h * factor; y++) {
    const to = Math.floor(y / factor) * w;
    const from = y * width;
    for (let x = 0, i = 0; x < w; x++) for (let k = 0; k < factor; k++, i++) out[to + x]! += values[from + i]!;
  }
  const share = 1 / factor ** 2;
  for (let i = 0; i < out.length; i++) out[i]! *= share;
  return { width: w, height: h, values: out };
}

/** Mean over the square of 2·RADIUS + 1 pixels a side about each pixel; beyond the picture its edges repeat. */
function localMean({ width, height, values }: GrayPicture): Float32Array {
  const half = new Float32Array(values.length);
  const out = new Float32Array(values.length);
  slide(values, half, { lines: height, next: width, count: width, step: 1 });
  slide(half, out, { lines: width, next: 1, count: height, step: width });
  return out;
}

interface Lines {
  lines: number;
  next: number;
  count: number;
  step: number;
}

/** Running means along lines. */
function slide(from: Float32Array, to: Float32Array, { lines, next, count, step }: Lines): void {
  const share = 1 / (2 * RADIUS + 1);
  for (let line = 0; line < lines; line++) {
    const start = line * next;
    const at = (i: number): number => from[start + Math.min(count - 1, Math.max(0, i)) * step]!;
    let sum = 0;
    for (let i = -RADIUS; i <= RADIUS; i++) sum += at(i);
    for (let i = 0; i < count; i++) {
      to[start + i * step] = sum * share;
      sum += at(i + RADIUS + 1) - at(i - RADIUS);
    }
  }
}

/**
 * Each pixel's distance from the mean of its surroundings, in their deviations, limited: so that an edge of the scene
 * counts no more than a cell of the mark on a plain wall.
 */
export function residual(picture: GrayPicture, least = LEAST_DEVIATION): GrayPicture {
  const mean = localMean(picture);
  const values = picture.values.map((value, i) => value - mean[i]!);
  const variance = localMean({ ...picture, values: values.map((value) => value * value) });
  for (let i = 0; i < values.length; i++)
    values[i] = Math.min(MOST, Math.max(-MOST, values[i]! / (Math.sqrt(Math.max(0, variance[i]!)) + least)));
  return { ...picture, values };
}
