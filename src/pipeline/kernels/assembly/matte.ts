/**
 * The matte between a person and the background, on a grid of cells of 4x4 pixels. A cell is four floats. The guided
 * filter (He, Sun, Tang: Guided Image Filtering, TPAMI 2013; fast variant: arXiv:1505.00996) fits the network's mask to the
 * luma: in every window, matte = a·luma + b.
 */

// @ts-nocheck AssemblyScript, not TypeScript

/** Bytes of a cell. */
const CELL: usize = 16;

/**
 * A line between two rows of bytes as floats: a + (b − a)·t. Reads and writes whole blocks of 8.
 */
// @ts-ignore
@inline
function rowBetween(a: usize, b: usize, t: f32, n: i32, out: usize): void {
  const share = f32x4.splat(t);
  for (let x = 0; x < n; x += 8) {
    const p = i16x8.extend_low_i8x16_u(v128.load64_zero(a)), q = i16x8.extend_low_i8x16_u(v128.load64_zero(b));
    const p0 = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(p)), q0 = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(q));
    const p1 = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(p)), q1 = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(q));
    v128.store(out, f32x4.add(p0, f32x4.mul(f32x4.sub(q0, p0), share)));
    v128.store(out, f32x4.add(p1, f32x4.mul(f32x4.sub(q1, p1), share)), 16);
    a += 8; b += 8; out += 32;
  }
}

/** A row of a plane for row `j` of `rows`, linear between two rows of the plane. */
// @ts-ignore
@inline
function rowAt(plane: usize, stride: i32, width: i32, height: i32, j: i32, rows: i32, out: usize): void {
  const at = min(max((<f32>j + 0.5) * <f32>height / <f32>rows - 0.5, <f32>0), <f32>(height - 1));
  const first = <i32>at, second = min(first + 1, height - 1);
  rowBetween(plane + <usize>(first * stride), plane + <usize>(second * stride), at - <f32>first, width, out);
}

// @ts-ignore
@inline
function sampleRow(row: usize, at: f32, last: i32): f32 {
  const x = min(max(at, <f32>0), <f32>last);
  const first = <i32>x;
  const left = load<f32>(row + (<usize>first << 2)), right = load<f32>(row + (<usize>min(first + 1, last) << 2));
  return left + (right - left) * (x - <f32>first);
}

/**
 * Stretches an I420 picture (BT.601, limited range) to an RGB tensor [height, width, 3], 0..1, linear between pixels.
 * @param rows memory for three rows of floats, each of the luma's stride.
 */
export function stretchToTensor(
  y: usize, yStride: i32, yWidth: i32, yHeight: i32,
  u: usize, v: usize, cStride: i32, cWidth: i32, cHeight: i32,
  rows: usize, width: i32, height: i32, out: usize,
): void {
  const uRow = rows + (<usize>yStride << 2), vRow = uRow + (<usize>yStride << 2);
  const stepY = <f32>yWidth / <f32>width, stepC = <f32>cWidth / <f32>width;
  const low = f32x4.splat(0), high = f32x4.splat(1);
  for (let j = 0; j < height; j++) {
    rowAt(y, yStride, yWidth, yHeight, j, height, rows);
    rowAt(u, cStride, cWidth, cHeight, j, height, uRow);
    rowAt(v, cStride, cWidth, cHeight, j, height, vRow);
    for (let i = 0; i < width; i++) {
      const at = <f32>i + 0.5;
      const luma = (sampleRow(rows, at * stepY - 0.5, yWidth - 1) - 16) * (255.0 / 219.0 / 255.0);
      const cb = sampleRow(uRow, at * stepC - 0.5, cWidth - 1) - 128, cr = sampleRow(vRow, at * stepC - 0.5, cWidth - 1) - 128;
      const rgb = f32x4(
        luma + (1.596027 / 255.0) * cr, luma - (0.391762 / 255.0) * cb - (0.812968 / 255.0) * cr, luma + (2.017232 / 255.0) * cb, 0,
      );
      // The fourth float is overwritten by the next pixel.
      v128.store(out, f32x4.pmin(high, f32x4.pmax(low, rgb)));
      out += 12;
    }
  }
}

/**
 * Means of an I420 picture over cells of 4x4 pixels: Y, U, V, 1 for each. `across` is a multiple of four.
 * Rows beyond the picture have to repeat its last one.
 */
export function cellMeans(y: usize, yStride: i32, u: usize, v: usize, cStride: i32, across: i32, down: i32, out: usize): void {
  const sixteenth = f32x4.splat(1.0 / 16.0), quarter = f32x4.splat(0.25), one = f32x4.splat(1);
  for (let row = 0; row < down; row++) {
    let a = y + <usize>(4 * row * yStride), p = u + <usize>(2 * row * cStride), q = v + <usize>(2 * row * cStride);
    for (let cell = 0; cell < across; cell += 4) {
      let luma = i16x8.extadd_pairwise_i8x16_u(v128.load(a));
      luma = i16x8.add(luma, i16x8.extadd_pairwise_i8x16_u(v128.load(a + <usize>yStride)));
      luma = i16x8.add(luma, i16x8.extadd_pairwise_i8x16_u(v128.load(a + <usize>(2 * yStride))));
      luma = i16x8.add(luma, i16x8.extadd_pairwise_i8x16_u(v128.load(a + <usize>(3 * yStride))));
      const yy = f32x4.mul(f32x4.convert_i32x4_s(i32x4.extadd_pairwise_i16x8_u(luma)), sixteenth);
      const us = i16x8.add(i16x8.extend_low_i8x16_u(v128.load64_zero(p)), i16x8.extend_low_i8x16_u(v128.load64_zero(p + <usize>cStride)));
      const vs = i16x8.add(i16x8.extend_low_i8x16_u(v128.load64_zero(q)), i16x8.extend_low_i8x16_u(v128.load64_zero(q + <usize>cStride)));
      const uu = f32x4.mul(f32x4.convert_i32x4_s(i32x4.extadd_pairwise_i16x8_u(us)), quarter);
      const vv = f32x4.mul(f32x4.convert_i32x4_s(i32x4.extadd_pairwise_i16x8_u(vs)), quarter);
      const yu0 = v128.shuffle<f32>(yy, uu, 0, 4, 1, 5), yu1 = v128.shuffle<f32>(yy, uu, 2, 6, 3, 7);
      const vo0 = v128.shuffle<f32>(vv, one, 0, 4, 1, 5), vo1 = v128.shuffle<f32>(vv, one, 2, 6, 3, 7);
      v128.store(out, v128.shuffle<i64>(yu0, vo0, 0, 2));
      v128.store(out, v128.shuffle<i64>(yu0, vo0, 1, 3), 16);
      v128.store(out, v128.shuffle<i64>(yu1, vo1, 0, 2), 32);
      v128.store(out, v128.shuffle<i64>(yu1, vo1, 1, 3), 48);
      out += 64; a += 16; p += 8; q += 8;
    }
  }
}

/**
 * How far luma has changed since an earlier grid, in levels: the larger of the means over all cells and over those on the
 * edge of the person. @param states of `matteStates`.
 */
export function lumaChange(cells: usize, earlier: usize, states: usize, count: i32): f32 {
  let all: f32 = 0, edge: f32 = 0, edges: i32 = 0;
  for (let k = 0; k < count; k++, cells += CELL, earlier += CELL) {
    const change = abs(load<f32>(cells) - load<f32>(earlier));
    all += change;
    if (load<u8>(states + <usize>k) === MIXED) {
      edge += change;
      edges++;
    }
  }
  return max(all / <f32>count, edge / <f32>max(edges, 1));
}

/**
 * Takes a new mask of the network into the one so far: where luma has changed since the last mask, at once; elsewhere
 * slowly, so that the network's noise does not show.
 * @param mask the network's, [maskHeight, maskWidth], 0..1, over the picture of `pictureAcross` by `pictureDown` cells
 *   (fractions allowed). @param person one float a cell, in place. @param change levels of luma from which all is new.
 * @param share of the new mask where luma has not changed; 1 takes all of it. @param none, all what of
 *   the network's mask counts as 0 and as 1. @param between memory for a row of the mask, whose width is a multiple of four.
 */
export function takeMask(
  mask: usize, maskWidth: i32, maskHeight: i32, pictureAcross: f32, pictureDown: f32,
  cells: usize, earlier: usize, across: i32, down: i32, person: usize, share: f32, change: f32, none: f32, all: f32, between: usize,
): void {
  const stepX = <f32>maskWidth / pictureAcross, stepY = <f32>maskHeight / pictureDown;
  for (let row = 0; row < down; row++) {
    const at = min(max((<f32>row + 0.5) * stepY - 0.5, <f32>0), <f32>(maskHeight - 1));
    const first = <i32>at, upper = mask + (<usize>(first * maskWidth) << 2), lower = mask + (<usize>(min(first + 1, maskHeight - 1) * maskWidth) << 2);
    const t = at - <f32>first;
    const share4 = f32x4.splat(t);
    for (let x: usize = 0; x < <usize>maskWidth << 2; x += 16) {
      const a = v128.load(upper + x);
      v128.store(between + x, f32x4.add(a, f32x4.mul(f32x4.sub(v128.load(lower + x), a), share4)));
    }
    for (let cell = 0; cell < across; cell++) {
      const fresh = sampleRow(between, (<f32>cell + 0.5) * stepX - 0.5, maskWidth - 1);
      const moved = abs(load<f32>(cells) - load<f32>(earlier)) / change;
      const fitted = min(<f32>1, max(<f32>0, (fresh - none) / (all - none)));
      const before = load<f32>(person);
      const now = before + (fitted - before) * min(<f32>1, max(share, moved));
      // What decays towards 0 would become a denormal number, which is slow.
      store<f32>(person, now < LEAST ? 0 : now);
      person += 4; cells += CELL; earlier += CELL;
    }
  }
}

/** Below this nothing of a cell is the person's. */
const LEAST: f32 = 0.001;

/** What the guided filter takes means of: luma 0..1, mask, their product, luma². */
export function moments(cells: usize, person: usize, count: i32, out: usize): void {
  for (let k = 0; k < count; k++, cells += CELL, person += 4, out += CELL) {
    const luma = load<f32>(cells) * (1.0 / 255.0), p = load<f32>(person);
    v128.store(out, f32x4(luma, p, luma * p, luma * luma));
  }
}

/** Means over windows of 2·radius + 1 cells a side, for each of a cell's floats; edges repeat. @param between of the same size. */
export function boxMeans(cells: usize, across: i32, down: i32, radius: i32, between: usize, out: usize): void {
  const side: i32 = 2 * radius + 1;
  const share = f32x4.splat(1.0 / <f32>side);
  const row = <usize>across * CELL;
  for (let y = 0; y < down; y++) {
    const from = cells + <usize>y * row, last = from + row - CELL;
    let sum = f32x4.mul(v128.load(from), f32x4.splat(<f32>(radius + 1)));
    for (let k = 1; k <= radius; k++) sum = f32x4.add(sum, v128.load(min(from + <usize>k * CELL, last)));
    let to = between + <usize>y * row;
    for (let x = 0; x < across; x++) {
      v128.store(to, f32x4.mul(sum, share));
      const ahead = min(from + <usize>(x + radius + 1) * CELL, last), behind = from + <usize>max(x - radius, 0) * CELL;
      sum = f32x4.add(sum, f32x4.sub(v128.load(ahead), v128.load(behind)));
      to += CELL;
    }
  }
  // Down: a band of four columns at a time, whose cells are one line of the cache.
  for (let x = 0; x < across; x += 4) {
    const from = between + <usize>x * CELL, last = from + <usize>(down - 1) * row;
    const first = f32x4.splat(<f32>(radius + 1));
    let s0 = f32x4.mul(v128.load(from), first), s1 = f32x4.mul(v128.load(from, 16), first);
    let s2 = f32x4.mul(v128.load(from, 32), first), s3 = f32x4.mul(v128.load(from, 48), first);
    for (let k = 1; k <= radius; k++) {
      const at = min(from + <usize>k * row, last);
      s0 = f32x4.add(s0, v128.load(at)); s1 = f32x4.add(s1, v128.load(at, 16));
      s2 = f32x4.add(s2, v128.load(at, 32)); s3 = f32x4.add(s3, v128.load(at, 48));
    }
    let to = out + <usize>x * CELL;
    for (let y = 0; y < down; y++) {
      v128.store(to, f32x4.mul(s0, share)); v128.store(to, f32x4.mul(s1, share), 16);
      v128.store(to, f32x4.mul(s2, share), 32); v128.store(to, f32x4.mul(s3, share), 48);
      const ahead = min(from + <usize>(y + radius + 1) * row, last), behind = from + <usize>max(y - radius, 0) * row;
      s0 = f32x4.add(s0, f32x4.sub(v128.load(ahead), v128.load(behind)));
      s1 = f32x4.add(s1, f32x4.sub(v128.load(ahead, 16), v128.load(behind, 16)));
      s2 = f32x4.add(s2, f32x4.sub(v128.load(ahead, 32), v128.load(behind, 32)));
      s3 = f32x4.add(s3, f32x4.sub(v128.load(ahead, 48), v128.load(behind, 48)));
      to += row;
    }
  }
}

/**
 * The guided filter's line of each window, from the means of `moments`, in place: a, b for luma 0..255, and how surely luma
 * tells the person from the background, 0..1. @param epsilon variance of luma (0..1)² that is noise.
 */
export function lines(cells: usize, count: i32, epsilon: f32): void {
  for (let k = 0; k < count; k++, cells += CELL) {
    const luma = load<f32>(cells), p = load<f32>(cells, 4);
    const covariance = load<f32>(cells, 8) - luma * p, variance = load<f32>(cells, 12) - luma * luma;
    const a = covariance / (variance + epsilon);
    // The share of the mask's variance that the line explains: 0 where there is no edge of luma at the mask's.
    const explained = covariance * covariance / ((variance + epsilon) * (p - p * p) + 1e-4);
    v128.store(cells, f32x4(a * (1.0 / 255.0), p - a * luma, min(<f32>1, explained), 0));
  }
}

/**
 * Ends the filter, from the means of `lines`, in place: where luma does not tell the person from the background, the matte is
 * the mask. It is stretched so that `least` becomes 0 and `most` 1. @param smooth means of `moments` over few cells, so that the
 * mask's pixels do not show as stairs.
 */
export function matteLines(lineCells: usize, cells: usize, smooth: usize, count: i32, least: f32, most: f32): void {
  const gain: f32 = 1.0 / (most - least);
  for (let k = 0; k < count; k++, lineCells += CELL, cells += CELL, smooth += CELL) {
    const luma = load<f32>(cells), trust = load<f32>(lineCells, 8);
    const a = load<f32>(lineCells) * trust, p = load<f32>(smooth, 4);
    const middle = p + (load<f32>(lineCells) * luma + load<f32>(lineCells, 4) - p) * trust;
    v128.store(lineCells, f32x4(a * gain, (middle - a * luma - least) * gain, 0, 0));
  }
}

/** States of a cell: nothing of the person is in it, all of it is the person's, or both. */
const OUTSIDE: u8 = 0;
const MIXED: u8 = 1;
const INSIDE: u8 = 2;

/**
 * The state of each cell, a byte each. A cell's pixels take a and b from it and the eight about it, and the matte is linear
 * in all of them, so its extremes lie at the least and the largest luma. @param bounds a cell each, memory of its own.
 */
export function matteStates(lineCells: usize, across: i32, down: i32, bounds: usize, states: usize): void {
  const row = <usize>across * CELL;
  for (let k = 0, at = lineCells, to = bounds; k < across * down; k++, at += CELL, to += CELL) {
    const dark = load<f32>(at, 4), bright = dark + 255 * load<f32>(at);
    // The largest is kept negated, so that one minimum serves both.
    v128.store(to, f32x4(min(dark, bright), -max(dark, bright), 0, 0));
  }
  for (let y = 0; y < down; y++) {
    const upper = bounds + <usize>max(y - 1, 0) * row, middle = bounds + <usize>y * row, lower = bounds + <usize>min(y + 1, down - 1) * row;
    let before = columnLeast(upper, middle, lower), here = before;
    for (let x = 0; x < across; x++) {
      const next = <usize>min(x + 1, across - 1) * CELL;
      const after = columnLeast(upper + next, middle + next, lower + next);
      const least = f32x4.pmin(f32x4.pmin(before, here), after);
      store<u8>(states, f32x4.extract_lane(least, 1) >= 0 ? OUTSIDE : f32x4.extract_lane(least, 0) >= 1 ? INSIDE : MIXED);
      states++;
      before = here;
      here = after;
    }
  }
}

// @ts-ignore
@inline
function columnLeast(upper: usize, middle: usize, lower: usize): v128 {
  return f32x4.pmin(f32x4.pmin(v128.load(upper), v128.load(middle)), v128.load(lower));
}

/**
 * Weights the cells by how surely they are background: w, w·Y, w·U, w·V. A cell near the person counts nothing, because its
 * pixels may be the person's. @param person one float a cell.
 */
export function backgroundOnly(cells: usize, person: usize, states: usize, count: i32, out: usize): void {
  for (let k = 0; k < count; k++, cells += CELL, person += 4, out += CELL) {
    const weight: f32 = load<u8>(states + <usize>k) === INSIDE ? 0 : max(<f32>0, 1 - 4 * load<f32>(person));
    const c = f32x4.mul(v128.load(cells), f32x4.splat(weight));
    v128.store(out, v128.shuffle<f32>(c, c, 3, 0, 1, 2));
  }
}

/** Y, U, V of the background from means of `backgroundOnly`, in place. Where there is none near, the mean of all is taken. */
export function unweight(cells: usize, count: i32): void {
  let sum = f32x4.splat(0);
  for (let k = 0, at = cells; k < count; k++, at += CELL) sum = f32x4.add(sum, v128.load(at));
  const whole = f32x4.extract_lane(sum, 0);
  const mean = whole > 1 ? f32x4.mul(sum, f32x4.splat(FEW / whole)) : f32x4(FEW, FEW * 64, FEW * 128, FEW * 128);
  for (let k = 0; k < count; k++, cells += CELL) {
    const all = f32x4.add(v128.load(cells), mean);
    v128.store(cells, f32x4.div(v128.shuffle<f32>(all, all, 1, 2, 3, 0), f32x4.splat(f32x4.extract_lane(all, 0))));
  }
}

/** The weight of the mean of all background, against 1 for a cell of it. */
const FEW: f32 = 1e-3;

/** Means of 2x2 cells; beyond the last column and row the edge repeats. `across` and `down` are the output's. */
export function halveCells(cells: usize, fullAcross: i32, fullDown: i32, across: i32, down: i32, out: usize): void {
  const quarter = f32x4.splat(0.25);
  for (let y = 0; y < down; y++) {
    const upper = cells + <usize>(2 * y * fullAcross) * CELL, lower = cells + <usize>(min(2 * y + 1, fullDown - 1) * fullAcross) * CELL;
    for (let x = 0; x < across; x++) {
      const left = <usize>(2 * x) * CELL, right = <usize>min(2 * x + 1, fullAcross - 1) * CELL;
      const sum = f32x4.add(f32x4.add(v128.load(upper + left), v128.load(upper + right)), f32x4.add(v128.load(lower + left), v128.load(lower + right)));
      v128.store(out, f32x4.mul(sum, quarter));
      out += CELL;
    }
  }
}

/** Twice as many cells each way, linear between their middles. `across` and `down` are the output's. */
export function doubleCells(cells: usize, halfAcross: i32, halfDown: i32, across: i32, down: i32, out: usize): void {
  const quarter = f32x4.splat(0.25);
  for (let y = 0; y < down; y++) {
    const j = y >> 1;
    const near = cells + <usize>(j * halfAcross) * CELL;
    const far = cells + <usize>(min(max((y & 1) === 0 ? j - 1 : j + 1, 0), halfDown - 1) * halfAcross) * CELL;
    for (let x = 0; x < across; x++) {
      const i = x >> 1, here = <usize>i * CELL;
      const side = <usize>min(max((x & 1) === 0 ? i - 1 : i + 1, 0), halfAcross - 1) * CELL;
      const mid = v128.load(near + here), beside = v128.load(near + side);
      const midFar = v128.load(far + here), besideFar = v128.load(far + side);
      const a = f32x4.add(mid, f32x4.mul(f32x4.sub(beside, mid), quarter));
      const b = f32x4.add(midFar, f32x4.mul(f32x4.sub(besideFar, midFar), quarter));
      v128.store(out, f32x4.add(a, f32x4.mul(f32x4.sub(b, a), quarter)));
      out += CELL;
    }
  }
}
