/**
 * The convolutional code of constraint length 7 and rate 1/4 with generators 135, 135, 147, 163 (octal), of free distance
 * 20, and its soft decoder (Viterbi 1967). A block ends with six zeros, so that the decoder knows its last state.
 */

const GENERATORS = [0o135, 0o135, 0o147, 0o163] as const;
const MEMORY = 6;
const STATES = 1 << MEMORY;

/** How many coded bits a block of so many bits has. */
export const codedLength = (bits: number): number => (bits + MEMORY) * GENERATORS.length;

const parity = (word: number): number => {
  let folded = word ^ (word >> 4);
  folded ^= folded >> 2;
  return (folded ^ (folded >> 1)) & 1;
};

/** For each register of seven bits, what each generator makes of it: 1 for a 0, -1 for a 1. */
const OUTPUTS = Array.from({ length: 2 * STATES }, (_, register) =>
  GENERATORS.map((generator) => 1 - 2 * parity(register & generator)),
);

/** Encodes bits, 0 or 1 each. @returns `codedLength` signs: 1 for a 0, -1 for a 1. */
export function encode(bits: readonly number[]): number[] {
  let state = 0;
  return [...bits, ...Array<number>(MEMORY).fill(0)].flatMap((bit) => {
    const register = (bit << MEMORY) | state;
    state = register >> 1;
    return OUTPUTS[register]!;
  });
}

/** Finds the bits whose code correlates best with values. @param values any scale, positive where a 0 is more likely. */
export function decode(values: ArrayLike<number>): number[] {
  const steps = Math.floor(values.length / GENERATORS.length);
  let scores = new Float64Array(STATES).fill(Number.NEGATIVE_INFINITY);
  scores[0] = 0;
  /** For each step and state, the lowest bit of the state before, which was shifted out. */
  const shiftedOut = new Uint8Array(steps * STATES);
  for (let step = 0; step < steps; step++) {
    const next = new Float64Array(STATES).fill(Number.NEGATIVE_INFINITY);
    for (let state = 0; state < STATES; state++) {
      for (const lowest of [0, 1]) {
        const register = (state << 1) | lowest;
        const before = register & (STATES - 1);
        const gain = OUTPUTS[register]!.reduce((sum, sign, k) => sum + sign * values[4 * step + k]!, 0);
        const score = scores[before]! + gain;
        if (score <= next[state]!) continue;
        next[state] = score;
        shiftedOut[step * STATES + state] = lowest;
      }
    }
    scores = next;
  }
  const bits = new Array<number>(steps);
  let state = 0;
  for (let step = steps - 1; step >= 0; step--) {
    bits[step] = state >> (MEMORY - 1);
    state = ((state << 1) | shiftedOut[step * STATES + state]!) & (STATES - 1);
  }
  return bits.slice(0, steps - MEMORY);
}
