/** The watermark in a band of luma, up to 16 rows: what is added, and how much is hidden by what is there. */

// @ts-nocheck AssemblyScript, not TypeScript

/** Side of a block of one strength, in pixels. */
const BLOCK: i32 = 16;

/**
 * Adds one row of blocks of a periodic pattern to luma, in place; sums are limited to 0..255.
 * @param columns blocks in the band, the last of which may reach into the padding of rows.
 * @param tiles one square of `side`² signed bytes for each strength. @param top row of the square at the band's first.
 * @param strengths a byte for each block: which of the squares.
 */
export function addTiles(
  luma: usize, stride: i32, columns: i32, rows: i32, tiles: usize, side: i32, top: i32, strengths: usize,
): void {
  const sign = i8x16.splat(-128);
  for (let column = 0; column < columns; column++) {
    const square = <i32>load<u8>(strengths + <usize>column) * side * side;
    let from = tiles + <usize>(square + top * side + (column * BLOCK) % side);
    let at = luma + <usize>(column * BLOCK);
    for (let row = 0; row < rows; row++) {
      // Flipping the highest bit maps 0..255 to -128..127, where the saturating sum takes a signed change.
      const signed = v128.xor(v128.load(at), sign);
      v128.store(at, v128.xor(i8x16.add_sat_s(signed, v128.load(from)), sign));
      at += <usize>stride;
      from += <usize>side;
    }
  }
}

// @ts-ignore
@inline
function limitedDifferences(a: v128, b: v128): v128 {
  const difference = v128.or(i8x16.sub_sat_u(a, b), i8x16.sub_sat_u(b, a));
  return i16x8.extadd_pairwise_i8x16_u(i8x16.min_u(difference, i8x16.splat(8)));
}

/**
 * How busy each block of a band is: the sum of 96 differences of pixels four apart, across and down, each limited to 8,
 * so that one edge does not make a block busy. Reads four bytes beyond the last block.
 * @param out a byte for each block, a quarter of the sum: 0..192.
 */
export function activity(luma: usize, stride: i32, columns: i32, out: usize): void {
  for (let column = 0; column < columns; column++) {
    let sum = i16x8.splat(0);
    let at = luma + <usize>(column * BLOCK);
    for (let k = 0; k < 3; k++) {
      const here = v128.load(at);
      sum = i16x8.add(sum, limitedDifferences(here, v128.load(at, 4)));
      at += <usize>(4 * stride);
      sum = i16x8.add(sum, limitedDifferences(here, v128.load(at)));
    }
    const four = i32x4.extadd_pairwise_i16x8_u(sum);
    const all = i32x4.extract_lane(four, 0) + i32x4.extract_lane(four, 1) + i32x4.extract_lane(four, 2) + i32x4.extract_lane(four, 3);
    store<u8>(out + <usize>column, all >> 2);
  }
}
