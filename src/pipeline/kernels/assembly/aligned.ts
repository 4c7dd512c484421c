/**
 * Between a picture and a neural model: an aligned crop as the model wants it, and its answer back into the picture.
 * Texels are four bytes, Y U V and opacity, so that one load and one SIMD lane each serve all of them.
 */

// @ts-nocheck AssemblyScript, not TypeScript

/**
 * Brings an RGB tensor [k·n, k·n, 3] into k² tiles of n x n in a model's own layout and range. Tile (i, j) takes every
 * k-th pixel from (i, j) on, so each tile shows the whole face.
 * @param pixel, r, g, b bytes from one pixel to the next, and where a tile's colours begin; a tile is 3·n² floats.
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
 * The way back: tiles in a model's layout to texels [k·n, k·n]. Colours go through a matrix of four columns (for R, G, B
 * and 1), each Y U V and a spare, which holds the model's range, the colours' conversion and their correction in one.
 * @param mask opacity, one byte a pixel of the whole.
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

/** Samples keep so many bits behind the point, and fractions of a texel are parts of this. */
const FINE: i32 = 6;
const ONE: i32 = 65536;

// @ts-ignore
@inline
function between(a: v128, b: v128, share: i32): v128 {
  return i16x8.add(a, i16x8.q15mulr_sat_s(i16x8.sub(b, a), i16x8.splat(<i16>share)));
}

/** Two texels side by side: four channels of each, in 16 bits with FINE of them behind the point. */
// @ts-ignore
@inline
function pair(at: usize): v128 {
  return i16x8.shl(i16x8.extend_low_i8x16_u(v128.load64_zero(at)), FINE);
}

/**
 * One sample, bilinear, edges replicated: Y, U, V, opacity as 32-bit numbers with FINE bits behind the point.
 * @param x, y in texels, 16.16; the texels' memory goes on for at least eight bytes after them.
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
  // In the last column the fraction is nothing, so what lies to the right of it does not count.
  const right = i8x16.shuffle(column, column, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  return i32x4.extend_low_i16x8_s(between(column, right, (fx & 0xffff) >> 1));
}

/** Mean of taps² samples spread over one picture pixel whose centre is (x, y) and whose column goes (ax, ay). */
// @ts-ignore
@inline
function area(texels: usize, n: i32, x: i32, y: i32, ax: i32, ay: i32, taps: i32): v128 {
  if (taps == 1) return sample(texels, n, x, y);
  const sx = ax / taps, sy = ay / taps;
  // The first sample is half a step inside the pixel's corner.
  const startX = x - ((taps - 1) * (sx - sy) >> 1), startY = y - ((taps - 1) * (sy + sx) >> 1);
  let sum = i32x4.splat(0);
  for (let j = 0; j < taps; j++) {
    for (let i = 0; i < taps; i++) sum = i32x4.add(sum, sample(texels, n, startX + i * sx - j * sy, startY + i * sy + j * sx));
  }
  const share = f32x4.splat(1.0 / <f32>(taps * taps));
  return i32x4.trunc_sat_f32x4_s(f32x4.mul(f32x4.convert_i32x4_s(sum), share));
}

/**
 * Blends texels [n, n] into an I420 picture, in place: out = in + strength · opacity · (texel − in), rounded; where the
 * opacity is nothing the picture is not touched. Goes over the cells of 2 x 2 pixels from (x0, y0) to (x1, y1), which
 * are even or at the picture's edge.
 * The picture's (0, 0) lies at (ox, oy) of the texels, a column goes (ax, ay), a row (−ay, ax); n is at most 4096.
 * @param taps samples a pixel along each side, more than one where the texels are finer than the picture.
 */
export function paste(
  texels: usize, n: i32, y: usize, yStride: i32, width: i32, height: i32, u: usize, v: usize, cStride: i32,
  x0: i32, y0: i32, x1: i32, y1: i32, ox: f32, oy: f32, ax: f32, ay: f32, taps: i32, strength: f32,
): void {
  const one = <f32>ONE;
  const cx = <i32>(ax * one), cy = <i32>(ay * one);
  const edge = n << 16;
  const reach = 2 * (abs(cx) + abs(cy));
  // Opacity 255 with its bits behind the point times this is 2^28 at full strength.
  const gain = <i32>(strength * <f32>(1 << 28) / <f32>(255 << FINE));
  for (let top = y0; top < y1; top += 2) {
    const rows = min(2, height - top);
    // The middle of the row's first pixel, in texels.
    let sx = <i32>((ox + (<f32>x0 + 0.5) * ax - (<f32>top + 0.5) * ay) * one);
    let sy = <i32>((oy + (<f32>x0 + 0.5) * ay + (<f32>top + 0.5) * ax) * one);
    for (let left = x0; left < x1; left += 2, sx += 2 * cx, sy += 2 * cy) {
      if (sx < -reach || sy < -reach || sx > edge + reach || sy > edge + reach) continue;
      const columns = min(2, width - left);
      const chroma = <usize>((top >> 1) * cStride + (left >> 1));
      const uIn = <i32>load<u8>(u + chroma), vIn = <i32>load<u8>(v + chroma);
      let uSum = 0, vSum = 0, touched = false;
      for (let j = 0; j < rows; j++) {
        for (let i = 0; i < columns; i++) {
          const px = sx + i * cx - j * cy, py = sy + i * cy + j * cx;
          if (<u32>px >= <u32>edge || <u32>py >= <u32>edge) continue;
          const got = area(texels, n, px, py, cx, cy, taps);
          // 0 to 2^14
          const alpha = (i32x4.extract_lane(got, 3) * gain + (1 << 13)) >> 14;
          if (alpha <= 0) continue;
          touched = true;
          const at = y + <usize>((top + j) * yStride + left + i);
          const before = <i32>load<u8>(at);
          const change = alpha * (i32x4.extract_lane(got, 0) - (before << FINE));
          store<u8>(at, before + ((change + (1 << 19)) >> 20));
          uSum += alpha * (i32x4.extract_lane(got, 1) - (uIn << FINE)) >> FINE;
          vSum += alpha * (i32x4.extract_lane(got, 2) - (vIn << FINE)) >> FINE;
        }
      }
      if (!touched) continue;
      // The mean over the cell's one, two or four pixels.
      const shift = 14 + (rows * columns >> 1);
      store<u8>(u + chroma, uIn + ((uSum + (1 << (shift - 1))) >> shift));
      store<u8>(v + chroma, vIn + ((vSum + (1 << (shift - 1))) >> shift));
    }
  }
}
