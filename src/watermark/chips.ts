/**
 * The layout of the mark: a tile of 32 x 32 cells that repeats over the picture. A cell has one sign, its chip. Half of
 * the chips are the same in every mark, so that every detector finds it; the other half carry a message, in an order
 * and with signs that only the key tells.
 */

/** Cells of a tile, across and down. */
export const TILE = 32;
const CELLS = TILE * TILE;
/** How many chips of a tile carry the message. */
export const MESSAGE_CHIPS = CELLS / 2;

/** Random words that are the same everywhere: xoshiro128** (Blackman and Vigna 2018) from a fixed seed. */
function* publicWords(): Generator<number, never> {
  const rotate = (x: number, k: number): number => (x << k) | (x >>> (32 - k));
  // “AI-modified by F”, as four words of ASCII.
  let [a, b, c, d] = [0x41492d6d, 0x6f646966, 0x69656420, 0x62792046];
  for (;;) {
    yield Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotate(d, 11);
  }
}

/** Orders 0 to `count` - 1 at random (Fisher and Yates). @param words random, of 32 bits; `count` - 1 are taken. */
function shuffled(count: number, words: Iterator<number, unknown>): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor((Number(words.next().value) / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

const ORDER = shuffled(CELLS, publicWords());
/** Cells of the chips that are the same in every mark: row · TILE + column. The first half of them is +1, the rest -1. */
const SYNC_CELLS = ORDER.slice(MESSAGE_CHIPS);
const MESSAGE_CELLS = ORDER.slice(0, MESSAGE_CHIPS);

/** Which message chip lies in which cell, and with which sign. Follows from the key. */
export interface MessageLayout {
  /** Cell of each message chip. */
  cells: readonly number[];
  /** 1 or -1 for each message chip. */
  signs: readonly number[];
}

/** How many random words a layout takes. */
export const LAYOUT_WORDS = 2 * MESSAGE_CHIPS;

/** Lays the message chips out. @param words LAYOUT_WORDS random words of 32 bits, made of the key. */
export function messageLayout(words: ArrayLike<number>): MessageLayout {
  const signs = Array.from({ length: MESSAGE_CHIPS }, (_, i) => 1 - 2 * (words[i]! & 1));
  const rest = Array.from({ length: MESSAGE_CHIPS }, (_, i) => words[MESSAGE_CHIPS + i]!);
  const cells = shuffled(MESSAGE_CHIPS, rest.values()).map((i) => MESSAGE_CELLS[i]!);
  return { cells, signs };
}

/** The chips that every mark has, 1 or -1, row by row; 0 where a message chip is. Their sum is 0. */
export function syncChips(): Int8Array {
  const chips = new Int8Array(CELLS);
  for (const [i, cell] of SYNC_CELLS.entries()) chips[cell] = i < SYNC_CELLS.length / 2 ? 1 : -1;
  return chips;
}

/** All chips of a tile. @param message MESSAGE_CHIPS signs. */
export function allChips(message: readonly number[], { cells, signs }: MessageLayout): Int8Array {
  const chips = syncChips();
  for (const [i, cell] of cells.entries()) chips[cell] = message[i]! * signs[i]!;
  return chips;
}

/** Reads the values of the message chips out of a tile's. */
export function messageValues(tile: ArrayLike<number>, { cells, signs }: MessageLayout): number[] {
  return cells.map((cell, i) => tile[cell]! * signs[i]!);
}
