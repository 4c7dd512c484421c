/**
 * The pixel loops, compiled to dist/kernels.wasm. Every address comes from the host, which lays the memory out once
 * and never grows it; only a few constants below `ownBytes` are allocated here. Coordinates are continuous: pixel i
 * covers [i, i + 1), and its centre is i + 0.5.
 */

// @ts-nocheck AssemblyScript, not TypeScript

export { paste, texels, tiles } from './aligned';
export { cropToTensor } from './crop';
export { restore } from './restore';
export { warp } from './warp';
export { activity, addTiles } from './mark-luma';
export { compose, drawCells } from './compose-planes';
export {
  backgroundOnly, boxMeans, cellMeans, doubleCells, halveCells, lines, lumaChange, matteLines, matteStates, moments,
  stretchToTensor, takeMask, unweight,
} from './matte';
export { zoom } from './zoom';

/** Address of the first byte that the host may use. */
export function ownBytes(): usize { return __heap_base; }

/** Halves a plane: each output pixel is the mean of 2x2 input pixels. `width` and `height` are the output's. */
export function halve(src: usize, srcStride: i32, dst: usize, dstStride: i32, width: i32, height: i32): void {
  const low = i16x8.splat(0xff);
  for (let y = 0; y < height; y++) {
    let a = src + <usize>(2 * y * srcStride);
    let b = a + <usize>srcStride;
    let to = dst + <usize>(y * dstStride);
    let x = 0;
    for (; x + 8 <= width; x += 8) {
      const p = v128.load(a), q = v128.load(b);
      // Even and odd bytes of both rows are summed in 16 bits.
      const even = i16x8.add(v128.and(p, low), v128.and(q, low));
      const odd = i16x8.add(i16x8.shr_u(p, 8), i16x8.shr_u(q, 8));
      const mean = i16x8.shr_u(i16x8.add(i16x8.add(even, odd), i16x8.splat(2)), 2);
      v128.store64_lane(to, i8x16.narrow_i16x8_u(mean, mean), 0);
      a += 16; b += 16; to += 8;
    }
    for (; x < width; x++) {
      store<u8>(to, (<u32>load<u8>(a) + <u32>load<u8>(a, 1) + <u32>load<u8>(b) + <u32>load<u8>(b, 1) + 2) >> 2);
      a += 2; b += 2; to += 1;
    }
  }
}

// @ts-ignore
@inline
function clampI(v: i32, hi: i32): i32 { return min(max(v, 0), hi); }

/**
 * Reads a byte of every cache line of a part of memory, in order. A model's run evicts that part from the nearer
 * caches: read in order it comes back as a stream, because the processor prefetches it; read in the order of a
 * mesh's triangles, every line is a miss that is waited for.
 */
export function touch(at: usize, bytes: i32): i32 {
  let sum = 0;
  for (const end = at + <usize>bytes; at < end; at += LINE) sum += load<u8>(at);
  return sum;
}

/** Bytes of a cache line. */
const LINE: usize = 64;

/**
 * Mean of an RGB tensor over a square of `2 * radius + 1` about each point (x, y in tensor pixels) into [count, 3].
 */
export function meansAt(tensor: usize, n: i32, points: usize, pointStride: i32, count: i32, radius: i32, out: usize): void {
  const side: i32 = 2 * radius + 1;
  const pixels: i32 = side * side;
  const share: f32 = 1.0 / <f32>pixels;
  for (let k = 0; k < count; k++) {
    const cx = <i32>floor(load<f32>(points)), cy = <i32>floor(load<f32>(points, 4));
    // Two sums in parallel, because each addition depends on the previous one.
    let sum = f32x4.splat(0), other = f32x4.splat(0);
    if (cx >= radius && cy >= radius && cx < n - radius && cy < n - radius) {
      let row = tensor + <usize>(((cy - radius) * n + cx - radius) * 12);
      for (let dy = 0; dy < side; dy++, row += <usize>(n * 12)) {
        let at = row;
        for (let dx = 0; dx < radius; dx++, at += 24) {
          sum = f32x4.add(sum, v128.load(at));
          other = f32x4.add(other, v128.load(at, 12));
        }
        sum = f32x4.add(sum, v128.load(at));
      }
    } else {
      for (let dy = -radius; dy <= radius; dy++) {
        const row = tensor + <usize>(clampI(cy + dy, n - 1) * n * 12);
        for (let dx = -radius; dx <= radius; dx++) {
          sum = f32x4.add(sum, v128.load(row + <usize>(clampI(cx + dx, n - 1) * 12)));
        }
      }
    }
    sum = f32x4.mul(f32x4.add(sum, other), f32x4.splat(share));
    store<f32>(out, f32x4.extract_lane(sum, 0));
    store<f32>(out, f32x4.extract_lane(sum, 1), 4);
    store<f32>(out, f32x4.extract_lane(sum, 2), 8);
    out += 12;
    points += pointStride;
  }
}

/** Bytes of one place on a mesh: three corner indices, padding, three weights. */
const PLACE: usize = 20;

/**
 * Colours of an RGB tensor [n, n, 3] (0..1) at places on a mesh, bilinear, as Y, U, V (BT.601, limited range) into
 * [count, 3]. Corners are indices into `points`: x, y in tensor pixels.
 */
export function coloursAt(tensor: usize, n: i32, points: usize, places: usize, count: i32, out: usize): void {
  const limit: f32 = <f32>(n - 1) - 0.01;
  for (let k = 0; k < count; k++, places += PLACE, out += 12) {
    const a = points + (<usize>load<u16>(places) << 3), b = points + (<usize>load<u16>(places, 2) << 3), c = points + (<usize>load<u16>(places, 4) << 3);
    const p = load<f32>(places, 8), q = load<f32>(places, 12), r = load<f32>(places, 16);
    const x = min(max(load<f32>(a) * p + load<f32>(b) * q + load<f32>(c) * r - 0.5, <f32>0), limit);
    const y = min(max(load<f32>(a, 4) * p + load<f32>(b, 4) * q + load<f32>(c, 4) * r - 0.5, <f32>0), limit);
    const xi = <i32>x, yi = <i32>y;
    const fx = f32x4.splat(x - <f32>xi), fy = f32x4.splat(y - <f32>yi);
    const at = tensor + <usize>((yi * n + xi) * 12), below = at + <usize>(n * 12);
    const upper = f32x4.add(v128.load(at), f32x4.mul(f32x4.sub(v128.load(at, 12), v128.load(at)), fx));
    const lower = f32x4.add(v128.load(below), f32x4.mul(f32x4.sub(v128.load(below, 12), v128.load(below)), fx));
    const rgb = f32x4.add(upper, f32x4.mul(f32x4.sub(lower, upper), fy));
    const red = f32x4.extract_lane(rgb, 0), green = f32x4.extract_lane(rgb, 1), blue = f32x4.extract_lane(rgb, 2);
    store<f32>(out, 16.0 + 65.481 * red + 128.553 * green + 24.966 * blue);
    store<f32>(out, 128.0 - 37.797 * red - 74.203 * green + 112.0 * blue, 4);
    store<f32>(out, 128.0 + 112.0 * red - 93.786 * green - 18.214 * blue, 8);
  }
}
