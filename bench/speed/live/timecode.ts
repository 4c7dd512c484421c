/** The time as a row of large black and white blocks at the top of a picture, away from the face; they survive any codec and size. */

export const BITS = 20;
/** Milliseconds modulo this. */
export const WRAP = 2 ** BITS;
/** Where the row lies and how large a block is, in pixels of a picture 640 wide. */
const [LEFT, TOP, BLOCK, WIDE] = [8, 4, 24, 640];

/** The row with its margin ends here, in pixels of a picture so wide. */
export const codeHeight = (width: number): number => Math.ceil(((TOP + BLOCK + TOP) * width) / WIDE);

/** Left, top and side of a block. */
export function blockAt(bit: number, width: number): [left: number, top: number, side: number] {
  const scale = width / WIDE;
  return [(LEFT + bit * BLOCK) * scale, TOP * scale, BLOCK * scale];
}

/** @param isLight whether the picture is light about a point. */
export function readCode(width: number, isLight: (x: number, y: number) => boolean): number {
  let code = 0;
  for (let bit = 0; bit < BITS; bit++) {
    const [left, top, side] = blockAt(bit, width);
    if (isLight(Math.round(left + side / 2), Math.round(top + side / 2))) code |= 1 << bit;
  }
  return code;
}

/** How much later the first is than the second. */
export const codeAfter = (a: number, b: number): number => (a - b + WRAP) % WRAP;
