/** Enlarges a part of a plane, bilinear, eight pixels at a time. */

// @ts-nocheck AssemblyScript, not TypeScript

/** Widest plane, in pixels. */
const WIDEST: i32 = 8192;
/** One, in the fixed point of places, and bits of a weight. */
const ONE: f32 = 65536.0;
/** A row that is interpolated between two rows, and 16 bytes that a load may read beyond it. */
const ROW: usize = memory.data(8192 + 32, 16);
/** For each eight pixels: where in ROW they begin, which bytes from there are left and right neighbours, weights of the right. */
const BLOCKS: usize = memory.data(1024 * 48, 16);
const BLOCK: usize = 48;

// @ts-ignore
@inline
function mix(a: v128, b: v128, weight: v128): v128 {
  // (128 a + w (b - a) + 64) / 128 within 16 bits: a, b to 255, w to 128.
  const scaled = i16x8.add(i16x8.shl(a, 7), i16x8.mul(i16x8.sub(b, a), weight));
  return i16x8.shr_u(i16x8.add(scaled, i16x8.splat(64)), 7);
}

// @ts-ignore
@inline
function weightAt(place: i32): i32 { return ((place & 0xffff) + 256) >> 9; }

/**
 * Fills a plane of width × height with a part of another one, from (x, y) on, `step` (0..1] of its pixels to one of the
 * output. Beyond the plane its edge pixels repeat.
 * @param src rows padded to multiples of 16 bytes. @param dst likewise: rows are written in eights.
 * @returns 0 where the plane is too wide, and nothing was done; 1 otherwise.
 */
export function zoom(
  src: usize, srcStride: i32, srcWidth: i32, srcHeight: i32,
  dst: usize, dstStride: i32, width: i32, height: i32, x: f32, y: f32, step: f32,
): i32 {
  if (width > WIDEST || srcWidth > WIDEST) return 0;
  const by = <i32>(step * ONE);
  const lastX = (srcWidth - 1) << 16, lastY = (srcHeight - 1) << 16;
  let at = <i32>((x + 0.5 * step - 0.5) * ONE);
  let block = BLOCKS;
  for (let column = 0; column < width; column += 8, block += BLOCK) {
    const first = min(max(at, 0), lastX) >> 16;
    store<i32>(block, first);
    for (let k = 0; k < 8; k++, at += by) {
      const place = min(max(at, 0), lastX);
      const left = (place >> 16) - first;
      store<u8>(block + <usize>(16 + k), left);
      store<u8>(block + <usize>(24 + k), left + 1);
      store<i16>(block + <usize>(32 + 2 * k), weightAt(place));
    }
  }
  let down = <i32>((y + 0.5 * step - 0.5) * ONE);
  for (let row = 0; row < height; row++, down += by) {
    const place = min(max(down, 0), lastY);
    const upper = src + <usize>((place >> 16) * srcStride);
    const lower = min(upper + <usize>srcStride, src + <usize>((srcHeight - 1) * srcStride));
    const weight = i16x8.splat(<i16>weightAt(place));
    for (let column = 0; column < srcWidth; column += 16) {
      const a = v128.load(upper + <usize>column), b = v128.load(lower + <usize>column);
      const low = mix(i16x8.extend_low_i8x16_u(a), i16x8.extend_low_i8x16_u(b), weight);
      const high = mix(i16x8.extend_high_i8x16_u(a), i16x8.extend_high_i8x16_u(b), weight);
      v128.store(ROW + <usize>column, i8x16.narrow_i16x8_u(low, high));
    }
    // The last pixel's right neighbour has the weight 0, whatever it is.
    block = BLOCKS;
    let to = dst + <usize>(row * dstStride);
    for (let column = 0; column < width; column += 8, block += BLOCK, to += 8) {
      const pixels = i8x16.swizzle(v128.load(ROW + <usize>load<i32>(block)), v128.load(block, 16));
      const out = mix(i16x8.extend_low_i8x16_u(pixels), i16x8.extend_high_i8x16_u(pixels), v128.load(block, 32));
      v128.store64_lane(to, i8x16.narrow_i16x8_u(out, out), 0);
    }
  }
  return 1;
}
