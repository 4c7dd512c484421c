/** Puts another background behind the person, by the matte of `matte.ts`, in place. */

// @ts-nocheck AssemblyScript, not TypeScript

const CELL: usize = 16;
const OUTSIDE: u8 = 0;
const MIXED: u8 = 1;

/** How far pixel 0..3 of a cell lies from the cell's middle towards the neighbour on its side. */
// @ts-ignore
@inline
function towards(): v128 { return f32x4(0.375, 0.125, 0.125, 0.375); }

/** Values of a column of cells in a cell's four rows: `here`, and the cells above and below. */
// @ts-ignore
@inline
function columnOf(above: f32, here: f32, below: f32): v128 {
  const centre = f32x4.splat(here);
  return f32x4.add(centre, f32x4.mul(f32x4.sub(f32x4(above, above, below, below), centre), towards()));
}

/** Values of four pixels of a row: `here`, and those of the columns to the left and right. */
// @ts-ignore
@inline
function rowOf(left: f32, here: f32, right: f32): v128 { return columnOf(left, here, right); }

// @ts-ignore
@inline
function bytesOf(at: usize): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_u(v128.load32_zero(at))));
}

// @ts-ignore
@inline
function putBytes(at: usize, values: v128): void {
  const words = i32x4.trunc_sat_f32x4_s(f32x4.add(values, f32x4.splat(0.5)));
  const halves = i16x8.narrow_i32x4_s(words, words);
  v128.store32_lane(at, i8x16.narrow_i16x8_u(halves, halves), 0);
}

/**
 * What is left of a pixel when the old background is taken out of it, and the new one put in:
 * clamp(pixel − (1 − matte)·old, 0, 255·matte) + (1 − matte)·new.
 */
// @ts-ignore
@inline
function exchanged(pixel: v128, matte: v128, old: v128, fresh: v128): v128 {
  const rest = f32x4.sub(f32x4.splat(1), matte);
  const own = f32x4.sub(pixel, f32x4.mul(rest, old));
  const most = f32x4.mul(matte, f32x4.splat(255));
  return f32x4.add(f32x4.pmin(most, f32x4.pmax(f32x4.splat(0), own)), f32x4.mul(rest, fresh));
}

// @ts-ignore
@inline
function lumaRow(y: usize, back: usize, a: v128, b: v128, old: v128): v128 {
  const pixel = bytesOf(y);
  const matte = f32x4.pmin(f32x4.splat(1), f32x4.pmax(f32x4.splat(0), f32x4.add(f32x4.mul(a, pixel), b)));
  putBytes(y, exchanged(pixel, matte, old, bytesOf(back)));
  return matte;
}

/** The means of two rows' mattes over pairs of pixels, in the first two lanes. */
// @ts-ignore
@inline
function pairs(upper: v128, lower: v128): v128 {
  const sum = f32x4.add(upper, lower);
  return f32x4.mul(f32x4.add(v128.shuffle<f32>(sum, sum, 0, 2, 0, 2), v128.shuffle<f32>(sum, sum, 1, 3, 1, 3)), f32x4.splat(0.25));
}

// @ts-ignore
@inline
function chromaRow(at: usize, back: usize, matte: v128, old: v128): void {
  const pixel = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_u(v128.load16_lane(at, i32x4.splat(0), 0))));
  const fresh = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_u(v128.load16_lane(back, i32x4.splat(0), 0))));
  const words = i32x4.trunc_sat_f32x4_s(f32x4.add(exchanged(pixel, matte, old, fresh), f32x4.splat(0.5)));
  const halves = i16x8.narrow_i32x4_s(words, words);
  v128.store16_lane(at, i8x16.narrow_i16x8_u(halves, halves), 0);
}

/**
 * Replaces the background of an I420 picture. Cells inside of the person are not touched.
 * @param back Y of the new background, in planes of the same strides as the picture's.
 * @param lineCells a and b of each cell; @param states of `matteStates`. @param old Y, U, V of the old background, a cell each.
 */
export function compose(
  y: usize, yStride: i32, u: usize, v: usize, cStride: i32,
  back: usize, backU: usize, backV: usize,
  lineCells: usize, states: usize, old: usize, across: i32, down: i32,
): void {
  const row = <usize>across * CELL;
  for (let j = 0; j < down; j++) {
    const luma = <usize>(4 * j * yStride), chroma = <usize>(2 * j * cStride);
    const rowStates = states + <usize>(j * across);
    const middle = lineCells + <usize>j * row;
    const above = lineCells + <usize>max(j - 1, 0) * row, below = lineCells + <usize>min(j + 1, down - 1) * row;
    for (let i = 0; i < across; i++) {
      const state = load<u8>(rowStates + <usize>i);
      if (state === OUTSIDE) {
        let end = i + 1;
        while (end < across && load<u8>(rowStates + <usize>end) === OUTSIDE) end++;
        copyCells(y + luma, back + luma, yStride, 4, 4 * i, 4 * (end - i));
        copyCells(u + chroma, backU + chroma, cStride, 2, 2 * i, 2 * (end - i));
        copyCells(v + chroma, backV + chroma, cStride, 2, 2 * i, 2 * (end - i));
        i = end - 1;
      } else if (state === MIXED) {
        const left = <usize>max(i - 1, 0) * CELL, here = <usize>i * CELL, right = <usize>min(i + 1, across - 1) * CELL;
        const a0 = columnOf(load<f32>(above + left), load<f32>(middle + left), load<f32>(below + left));
        const a1 = columnOf(load<f32>(above + here), load<f32>(middle + here), load<f32>(below + here));
        const a2 = columnOf(load<f32>(above + right), load<f32>(middle + right), load<f32>(below + right));
        const b0 = columnOf(load<f32>(above + left, 4), load<f32>(middle + left, 4), load<f32>(below + left, 4));
        const b1 = columnOf(load<f32>(above + here, 4), load<f32>(middle + here, 4), load<f32>(below + here, 4));
        const b2 = columnOf(load<f32>(above + right, 4), load<f32>(middle + right, 4), load<f32>(below + right, 4));
        const was = old + <usize>(j * across + i) * CELL;
        const oldY = v128.load32_splat(was), oldU = v128.load32_splat(was, 4), oldV = v128.load32_splat(was, 8);
        const at = y + luma + <usize>(4 * i), from = back + luma + <usize>(4 * i), next = <usize>yStride;
        const m0 = lumaRow(at, from, rowOf(f32x4.extract_lane(a0, 0), f32x4.extract_lane(a1, 0), f32x4.extract_lane(a2, 0)),
          rowOf(f32x4.extract_lane(b0, 0), f32x4.extract_lane(b1, 0), f32x4.extract_lane(b2, 0)), oldY);
        const m1 = lumaRow(at + next, from + next, rowOf(f32x4.extract_lane(a0, 1), f32x4.extract_lane(a1, 1), f32x4.extract_lane(a2, 1)),
          rowOf(f32x4.extract_lane(b0, 1), f32x4.extract_lane(b1, 1), f32x4.extract_lane(b2, 1)), oldY);
        const m2 = lumaRow(at + 2 * next, from + 2 * next, rowOf(f32x4.extract_lane(a0, 2), f32x4.extract_lane(a1, 2), f32x4.extract_lane(a2, 2)),
          rowOf(f32x4.extract_lane(b0, 2), f32x4.extract_lane(b1, 2), f32x4.extract_lane(b2, 2)), oldY);
        const m3 = lumaRow(at + 3 * next, from + 3 * next, rowOf(f32x4.extract_lane(a0, 3), f32x4.extract_lane(a1, 3), f32x4.extract_lane(a2, 3)),
          rowOf(f32x4.extract_lane(b0, 3), f32x4.extract_lane(b1, 3), f32x4.extract_lane(b2, 3)), oldY);
        const upper = pairs(m0, m1), lower = pairs(m2, m3), c = chroma + <usize>(2 * i), nextC = <usize>cStride;
        chromaRow(u + c, backU + c, upper, oldU);
        chromaRow(u + c + nextC, backU + c + nextC, lower, oldU);
        chromaRow(v + c, backV + c, upper, oldV);
        chromaRow(v + c + nextC, backV + c + nextC, lower, oldV);
      }
    }
  }
}

// @ts-ignore
@inline
function copyCells(to: usize, from: usize, stride: i32, rows: i32, x: i32, width: i32): void {
  for (let k = 0; k < rows; k++) {
    const at = <usize>(k * stride + x);
    memory.copy(to + at, from + at, <usize>width);
  }
}

/**
 * Draws cells as planes, linear between their middles. Cells inside of the person are left out.
 * @param cells Y, U, V of each cell.
 */
export function drawCells(
  cells: usize, states: usize, across: i32, down: i32,
  y: usize, yStride: i32, u: usize, v: usize, cStride: i32,
): void {
  const row = <usize>across * CELL;
  for (let j = 0; j < down; j++) {
    const middle = cells + <usize>j * row;
    const above = cells + <usize>max(j - 1, 0) * row, below = cells + <usize>min(j + 1, down - 1) * row;
    // A column of cells in the four rows, once for the three cells that it is beside.
    let l0 = rowBetween(middle, above, 0.375), l1 = rowBetween(middle, above, 0.125), l2 = rowBetween(middle, below, 0.125), l3 = rowBetween(middle, below, 0.375);
    let c0 = l0, c1 = l1, c2 = l2, c3 = l3;
    for (let i = 0; i < across; i++) {
      const right = <usize>min(i + 1, across - 1) * CELL;
      const r0 = rowBetween(middle + right, above + right, 0.375), r1 = rowBetween(middle + right, above + right, 0.125);
      const r2 = rowBetween(middle + right, below + right, 0.125), r3 = rowBetween(middle + right, below + right, 0.375);
      if (load<u8>(states + <usize>(j * across + i)) <= MIXED) {
        const at = y + <usize>(4 * j * yStride + 4 * i);
        drawRow(at, l0, c0, r0);
        drawRow(at + <usize>yStride, l1, c1, r1);
        drawRow(at + <usize>(2 * yStride), l2, c2, r2);
        drawRow(at + <usize>(3 * yStride), l3, c3, r3);
        const c = <usize>(2 * j * cStride + 2 * i);
        putChroma(u + c, v + c, l0, c0, r0, l1, c1, r1);
        putChroma(u + c + <usize>cStride, v + c + <usize>cStride, l2, c2, r2, l3, c3, r3);
      }
      l0 = c0; l1 = c1; l2 = c2; l3 = c3;
      c0 = r0; c1 = r1; c2 = r2; c3 = r3;
    }
  }
}

// @ts-ignore
@inline
function rowBetween(cell: usize, other: usize, share: f32): v128 {
  const here = v128.load(cell);
  return f32x4.add(here, f32x4.mul(f32x4.sub(v128.load(other), here), f32x4.splat(share)));
}

/** Writes luma of a cell's row, linear between the middles of three cells. */
// @ts-ignore
@inline
function drawRow(at: usize, left: v128, here: v128, right: v128): void {
  const sides = v128.shuffle<f32>(left, right, 0, 0, 4, 4), centre = v128.shuffle<f32>(here, here, 0, 0, 0, 0);
  putBytes(at, f32x4.add(centre, f32x4.mul(f32x4.sub(sides, centre), towards())));
}

/** Writes U and V of two neighbouring pixels, a quarter of a cell from its middle: the mean of two of its rows. */
// @ts-ignore
@inline
function putChroma(u: usize, v: usize, l0: v128, c0: v128, r0: v128, l1: v128, c1: v128, r1: v128): void {
  const half = f32x4.splat(0.5), quarter = f32x4.splat(0.25);
  const centre = f32x4.mul(f32x4.add(c0, c1), half);
  const left = f32x4.mul(f32x4.add(l0, l1), half), right = f32x4.mul(f32x4.add(r0, r1), half);
  const first = f32x4.add(centre, f32x4.mul(f32x4.sub(left, centre), quarter));
  const next = f32x4.add(centre, f32x4.mul(f32x4.sub(right, centre), quarter));
  const words = i32x4.trunc_sat_f32x4_s(f32x4.add(v128.shuffle<f32>(first, next, 1, 5, 2, 6), half));
  const halves = i16x8.narrow_i32x4_s(words, words);
  const bytes = i8x16.narrow_i16x8_u(halves, halves);
  v128.store16_lane(u, bytes, 0);
  v128.store16_lane(v, bytes, 1);
}
