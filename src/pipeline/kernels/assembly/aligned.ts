/**
 * Between a picture and a neural model: an aligned crop in the model's layout, and the model's output back into the
 * picture. Texels are four bytes, Y, U, V and opacity, so that one load reads all four channels and each has a SIMD
 * lane.
 */

// @ts-nocheck AssemblyScript, not TypeScript

/**
 * Splits an RGB tensor [k·n, k·n, 3] into k² tiles of n x n in a model's layout and range. Tile (i, j) takes every
 * k-th pixel from (i, j) on, so each tile shows the whole face.
 * @param pixel, r, g, b bytes from one pixel to the next, and from a tile's begin to its first red, green and blue;
 *   a tile is 3·n² floats.
 */
export function tiles(
  src: usize, n: i32, k: i32, dst: usize, pixel: usize, r: usize, g: usize, b: usize,
  rGain: f32, gGain: f32, bGain: f32, rBias: f32, gBias: f32, bBias: f32,
): void {
  const step = <usize>(12 * k);
  for (let ty = 0; ty < k; ty++) {
    for (let tx = 0; tx < k; tx++) {
      let to = dst + <usize>((ty * k + tx) * n * n * 12);
      for (let y = 0; y < n; y++) {
        let from = src + <usize>(((y * k + ty) * n * k + tx) * 12);
        for (let x = 0; x < n; x++) {
          store<f32>(to + r, load<f32>(from) * rGain + rBias);
          store<f32>(to + g, load<f32>(from, 4) * gGain + gBias);
          store<f32>(to + b, load<f32>(from, 8) * bGain + bBias);
          from += step;
          to += pixel;
        }
      }
    }
  }
}

/**
 * The inverse: joins tiles in a model's layout to texels [k·n, k·n]. Colours are multiplied by a matrix of four
 * columns (for R, G, B and 1), each Y, U, V and a spare, which combines the model's range, the conversion to YUV
 * and the colour transfer.
 * @param mask opacity, one byte for each pixel of the whole.
 */
export function texels(
  src: usize, n: i32, k: i32, pixel: usize, r: usize, g: usize, b: usize, matrix: usize, mask: usize, dst: usize,
): void {
  const fromR = v128.load(matrix), fromG = v128.load(matrix, 16), fromB = v128.load(matrix, 32), offset = v128.load(matrix, 48);
  const side = n * k;
  for (let ty = 0; ty < k; ty++) {
    for (let tx = 0; tx < k; tx++) {
      let at = src + <usize>((ty * k + tx) * n * n * 12);
      for (let y = 0; y < n; y++) {
        let place = (y * k + ty) * side + tx;
        for (let x = 0; x < n; x++) {
          let value = f32x4.add(offset, f32x4.mul(fromR, v128.load32_splat(at + r)));
          value = f32x4.add(value, f32x4.mul(fromG, v128.load32_splat(at + g)));
          value = f32x4.add(value, f32x4.mul(fromB, v128.load32_splat(at + b)));
          const whole = i32x4.trunc_sat_f32x4_s(f32x4.nearest(value));
          const words = i16x8.narrow_i32x4_s(whole, whole);
          const bytes = i8x16.narrow_i16x8_u(words, words);
          v128.store32_lane(dst + <usize>(4 * place), i8x16.replace_lane(bytes, 3, load<u8>(mask + <usize>place)), 0);
          at += pixel;
          place += k;
        }
      }
    }
  }
}

/** Fraction bits of a sample. */
const FINE: i32 = 6;
/** One texel, in 16.16 fixed point. */
const ONE: i32 = 65536;

// @ts-ignore
@inline
function between(a: v128, b: v128, share: i32): v128 {
  return i16x8.add(a, i16x8.q15mulr_sat_s(i16x8.sub(b, a), i16x8.splat(<i16>share)));
}

/** Two texels side by side: four channels of each, in 16 bits with FINE fraction bits. */
// @ts-ignore
@inline
function pair(at: usize): v128 {
  return i16x8.shl(i16x8.extend_low_i8x16_u(v128.load64_zero(at)), FINE);
}

/**
 * One sample, bilinear, edges replicated: Y, U, V, opacity with FINE fraction bits, in the lower half.
 * @param x, y in texels, 16.16. At least eight bytes after the texels must be readable.
 */
// @ts-ignore
@inline
function sample(texels: usize, n: i32, x: i32, y: i32): v128 {
  const last = (n - 1) << 16;
  const fx = min(max(x - ONE / 2, 0), last), fy = min(max(y - ONE / 2, 0), last);
  const xi = fx >> 16, yi = fy >> 16;
  const at = texels + <usize>((yi * n + xi) * 4);
  const down: usize = yi < n - 1 ? <usize>(n * 4) : 0;
  const column = between(pair(at), pair(at + down), (fy & 0xffff) >> 1);
  // In the last column the fraction is 0, so the texel to the right of it has no weight.
  const right = i8x16.shuffle(column, column, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  return between(column, right, (fx & 0xffff) >> 1);
}

/** The opacity of the pixel in each half, 0 to 2^15, in all of its lanes. */
// @ts-ignore
@inline
function opacity(pixels: v128, strength: v128): v128 {
  const own = i8x16.shuffle(pixels, pixels, 6, 7, 6, 7, 6, 7, 6, 7, 14, 15, 14, 15, 14, 15, 14, 15);
  // 255 with its fraction bits becomes the largest 16-bit value.
  return i16x8.q15mulr_sat_s(i16x8.add_sat_s(i16x8.shl(own, 1), i16x8.shr_s(own, 7)), strength);
}

/** Two pixels of the picture in the order of a sample: Y, U, V and a spare. */
// @ts-ignore
@inline
function pixels(at: usize, chroma: v128): v128 {
  return i16x8.replace_lane(i16x8.replace_lane(chroma, 0, <i16>load<u8>(at) << <i16>FINE), 4, <i16>load<u8>(at, 1) << <i16>FINE);
}

/** Adds a change with FINE fraction bits, rounded, to a byte. */
// @ts-ignore
@inline
function move(at: usize, change: i32): void {
  store<u8>(at, <i32>load<u8>(at) + ((change + (1 << (FINE - 1))) >> FINE));
}

/** Mean of taps² samples over one picture pixel with centre (x, y) and column step (ax, ay), in a sample's format. */
// @ts-ignore
@inline
function area(texels: usize, n: i32, x: i32, y: i32, ax: i32, ay: i32, taps: i32): v128 {
  const sx = ax / taps, sy = ay / taps;
  // The first sample is half a step inside the pixel's corner.
  const startX = x - ((taps - 1) * (sx - sy) >> 1), startY = y - ((taps - 1) * (sy + sx) >> 1);
  let sum = i32x4.splat(0);
  for (let j = 0; j < taps; j++) {
    for (let i = 0; i < taps; i++) sum = i32x4.add(sum, i32x4.extend_low_i16x8_s(sample(texels, n, startX + i * sx - j * sy, startY + i * sy + j * sx)));
  }
  const share = f32x4.splat(1.0 / <f32>(taps * taps));
  const mean = i32x4.trunc_sat_f32x4_s(f32x4.mul(f32x4.convert_i32x4_s(sum), share));
  return i16x8.narrow_i32x4_s(mean, mean);
}

/**
 * Blends texels [n, n] into an I420 picture, in place: out = in + strength · opacity · (texel − in), rounded; where
 * the opacity is 0 the picture stays unchanged. Visits the cells of 2 x 2 pixels from (x0, y0) to (x1, y1), which
 * are even or at the picture's edge. The texels' edge must have opacity 0, so samples beyond it need no test. The
 * picture's (0, 0) lies at (ox, oy) of the texels; the step of a column is (ax, ay), of a row (−ay, ax); n is at
 * most 4096.
 * @param taps samples along each side of a pixel, more than one where the texels are finer than the picture.
 */
export function paste(
  texels: usize, n: i32, y: usize, yStride: i32, width: i32, height: i32, u: usize, v: usize, cStride: i32,
  x0: i32, y0: i32, x1: i32, y1: i32, ox: f32, oy: f32, ax: f32, ay: f32, taps: i32, strength: f32,
): void {
  const one = <f32>ONE;
  const cx = <i32>(ax * one), cy = <i32>(ay * one);
  const edge = n << 16;
  const reach = 2 * (abs(cx) + abs(cy));
  const share = i16x8.splat(<i16>(strength * 32767.0));
  for (let top = y0; top < y1; top += 2) {
    // In the last row of a picture of odd height both rows are the same, and only one is written.
    const down = top + 1 < height ? <usize>yStride : 0;
    // The centre of the row's first pixel, in texels.
    let sx = <i32>((ox + (<f32>x0 + 0.5) * ax - (<f32>top + 0.5) * ay) * one);
    let sy = <i32>((oy + (<f32>x0 + 0.5) * ay + (<f32>top + 0.5) * ax) * one);
    for (let left = x0; left < x1; left += 2, sx += 2 * cx, sy += 2 * cy) {
      if (sx < -reach || sy < -reach || sx > edge + reach || sy > edge + reach) continue;
      let a: v128, b: v128, c: v128, d: v128;
      if (taps == 1) {
        a = sample(texels, n, sx, sy);
        b = sample(texels, n, sx + cx, sy + cy);
        c = sample(texels, n, sx - cy, sy + cx);
        d = sample(texels, n, sx + cx - cy, sy + cy + cx);
      } else {
        a = area(texels, n, sx, sy, cx, cy, taps);
        b = area(texels, n, sx + cx, sy + cy, cx, cy, taps);
        c = area(texels, n, sx - cy, sy + cx, cx, cy, taps);
        d = area(texels, n, sx + cx - cy, sy + cy + cx, cx, cy, taps);
      }
      const upper = i64x2.replace_lane(a, 1, i64x2.extract_lane(b, 0)), lower = i64x2.replace_lane(c, 1, i64x2.extract_lane(d, 0));
      const upperShare = opacity(upper, share), lowerShare = opacity(lower, share);
      if (!v128.any_true(v128.or(upperShare, lowerShare))) continue;
      const at = y + <usize>(top * yStride + left), cell = <usize>((top >> 1) * cStride + (left >> 1));
      const chroma = i64x2.splat(<i64>load<u8>(u + cell) << (16 + FINE) | <i64>load<u8>(v + cell) << (32 + FINE));
      const upperMove = i16x8.q15mulr_sat_s(i16x8.sub(upper, pixels(at, chroma)), upperShare);
      const lowerMove = i16x8.q15mulr_sat_s(i16x8.sub(lower, pixels(at + down, chroma)), lowerShare);
      move(at, i16x8.extract_lane_s(upperMove, 0));
      if (left + 1 < width) move(at + 1, i16x8.extract_lane_s(upperMove, 4));
      if (down != 0) {
        move(at + down, i16x8.extract_lane_s(lowerMove, 0));
        if (left + 1 < width) move(at + down + 1, i16x8.extract_lane_s(lowerMove, 4));
      }
      // Each is quartered before the sum, which then fits in 16 bits.
      const sum = i16x8.add(i16x8.shr_s(upperMove, 2), i16x8.shr_s(lowerMove, 2));
      move(u + cell, i16x8.extract_lane_s(sum, 1) + i16x8.extract_lane_s(sum, 5));
      move(v + cell, i16x8.extract_lane_s(sum, 2) + i16x8.extract_lane_s(sum, 6));
    }
  }
}
