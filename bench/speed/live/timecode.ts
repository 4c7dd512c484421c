/**
 * The time as a row of large black and white blocks at the top of a picture, away from the face. The blocks survive any
 * codec and size.
 */

/** Blocks of the row, one bit each. */
export const BITS = 20;
/** The code is the time in milliseconds modulo this: it repeats after 17 minutes. */
export const WRAP = 2 ** BITS;
/** Where the row lies and how large a block is, in pixels of a picture 640 wide. */
const [LEFT, TOP, BLOCK, WIDE] = [8, 4, 24, 640];

/** Height of the row with its margins, in pixels of a picture so wide. */
export const codeHeight = (width: number): number => Math.ceil(((TOP + BLOCK + TOP) * width) / WIDE);

/** Left, top and side of a block, in pixels of a picture so wide. */
export function blockAt(bit: number, width: number): [left: number, top: number, side: number] {
  const scale = width / WIDE;
  return [(LEFT + bit * BLOCK) * scale, TOP * scale, BLOCK * scale];
}

/** Reads the code of a picture so wide. @param isLight whether the picture is light around a pixel. */
export function readCode(width: number, isLight: (x: number, y: number) => boolean): number {
  let code = 0;
  for (let bit = 0; bit < BITS; bit++) {
    const [left, top, side] = blockAt(bit, width);
    if (isLight(Math.round(left + side / 2), Math.round(top + side / 2))) code |= 1 << bit;
  }
  return code;
}

/** How many milliseconds code `a` is later than code `b`. */
export const codeAfter = (a: number, b: number): number => (a - b + WRAP) % WRAP;
