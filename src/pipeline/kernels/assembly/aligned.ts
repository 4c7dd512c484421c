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
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const tile = (y % k) * k + (x % k);
      const at = src + <usize>(tile * n * n * 12) + <usize>((y / k) * n + x / k) * pixel;
      let value = f32x4.add(offset, f32x4.mul(fromR, v128.load32_splat(at + r)));
      value = f32x4.add(value, f32x4.mul(fromG, v128.load32_splat(at + g)));
      value = f32x4.add(value, f32x4.mul(fromB, v128.load32_splat(at + b)));
      const whole = i32x4.trunc_sat_f32x4_s(f32x4.nearest(value));
      const words = i16x8.narrow_i32x4_s(whole, whole);
      const bytes = i8x16.narrow_i16x8_u(words, words);
      v128.store32_lane(dst, i8x16.replace_lane(bytes, 3, load<u8>(mask)), 0);
      dst += 4;
      mask++;
    }
  }
}

// @ts-ignore
@inline
function texel(at: usize): v128 {
  return f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(at))));
}

// @ts-ignore
@inline
function between(a: v128, b: v128, share: f32): v128 {
  return f32x4.add(a, f32x4.mul(f32x4.sub(b, a), f32x4.splat(share)));
}

/** One sample, bilinear, edges replicated. */
// @ts-ignore
@inline
function sample(texels: usize, n: i32, x: f32, y: f32): v128 {
  const last = <f32>(n - 1);
  const fx = min(max(x - 0.5, 0), last), fy = min(max(y - 0.5, 0), last);
  const xi = <i32>fx, yi = <i32>fy;
  const at = texels + <usize>((yi * n + xi) * 4);
  const right: usize = xi < n - 1 ? 4 : 0, down: usize = yi < n - 1 ? <usize>(n * 4) : 0;
  const sx = fx - <f32>xi;
  return between(between(texel(at), texel(at + right), sx), between(texel(at + down), texel(at + down + right), sx), fy - <f32>yi);
}

/** Mean of taps² samples spread over one picture pixel whose centre is (x, y) and whose column goes (ax, ay). */
// @ts-ignore
@inline
function area(texels: usize, n: i32, x: f32, y: f32, ax: f32, ay: f32, taps: i32): v128 {
  if (taps == 1) return sample(texels, n, x, y);
  const share: f32 = 1.0 / <f32>taps;
  let sum = f32x4.splat(0);
  for (let j = 0; j < taps; j++) {
    const v = (<f32>j + 0.5) * share - 0.5;
    for (let i = 0; i < taps; i++) {
      const u = (<f32>i + 0.5) * share - 0.5;
      sum = f32x4.add(sum, sample(texels, n, x + u * ax - v * ay, y + u * ay + v * ax));
    }
  }
  return f32x4.mul(sum, f32x4.splat(share * share));
}

/**
 * Blends texels [n, n] into an I420 picture, in place: out = in + strength · opacity · (texel − in), rounded; where the
 * opacity is nothing the picture is not touched. Goes over the cells of 2 x 2 pixels from (x0, y0) to (x1, y1), which
 * are even or at the picture's edge.
 * The picture's (0, 0) lies at (ox, oy) of the texels, a column goes (ax, ay), a row (−ay, ax).
 * @param taps samples a pixel along each side, more than one where the texels are finer than the picture.
 */
export function paste(
  texels: usize, n: i32, y: usize, yStride: i32, width: i32, height: i32, u: usize, v: usize, cStride: i32,
  x0: i32, y0: i32, x1: i32, y1: i32, ox: f32, oy: f32, ax: f32, ay: f32, taps: i32, strength: f32,
): void {
  const edge = <f32>n;
  const gain: f32 = strength * (1.0 / 255.0);
  for (let top = y0; top < y1; top += 2) {
    for (let left = x0; left < x1; left += 2) {
      const mx = ox + <f32>(left + 1) * ax - <f32>(top + 1) * ay, my = oy + <f32>(left + 1) * ay + <f32>(top + 1) * ax;
      // A cell reaches at most two of its columns from its middle.
      const reach = abs(ax) + abs(ay);
      if (mx < -reach || my < -reach || mx > edge + reach || my > edge + reach) continue;
      const c0 = u + <usize>((top >> 1) * cStride + (left >> 1)), c1 = v + <usize>((top >> 1) * cStride + (left >> 1));
      const uIn = <f32>load<u8>(c0), vIn = <f32>load<u8>(c1);
      let uSum: f32 = 0, vSum: f32 = 0, count: f32 = 0, touched = false;
      for (let py = top; py < min(top + 2, height); py++) {
        for (let px = left; px < min(left + 2, width); px++) {
          count += 1;
          const fx = <f32>px + 0.5, fy = <f32>py + 0.5;
          const sx = ox + fx * ax - fy * ay, sy = oy + fx * ay + fy * ax;
          if (sx < 0 || sy < 0 || sx >= edge || sy >= edge) continue;
          const got = area(texels, n, sx, sy, ax, ay, taps);
          const alpha = f32x4.extract_lane(got, 3) * gain;
          if (alpha <= 0) continue;
          touched = true;
          const at = y + <usize>(py * yStride + px);
          const before = <f32>load<u8>(at);
          store<u8>(at, <u8>(before + alpha * (f32x4.extract_lane(got, 0) - before) + 0.5));
          uSum += alpha * (f32x4.extract_lane(got, 1) - uIn);
          vSum += alpha * (f32x4.extract_lane(got, 2) - vIn);
        }
      }
      if (!touched) continue;
      store<u8>(c0, <u8>(uIn + uSum / count + 0.5));
      store<u8>(c1, <u8>(vIn + vSum / count + 0.5));
    }
  }
}
