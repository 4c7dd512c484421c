/** The discrete Fourier transform of a square of complex numbers (Cooley and Tukey 1965). */

/** A square of complex numbers, row by row. */
export interface Spectrum {
  real: Float64Array;
  imaginary: Float64Array;
}

/** Transforms squares of one size, a power of two, in place. Not normalised: there and back multiplies by side². */
export class Fourier {
  readonly side: number;
  readonly #cosines: Float64Array;
  readonly #sines: Float64Array;
  readonly #reversed: Uint16Array;

  constructor(side: number) {
    this.side = side;
    const turn = (k: number): number => (-2 * Math.PI * k) / side;
    this.#cosines = Float64Array.from({ length: side / 2 }, (_, k) => Math.cos(turn(k)));
    this.#sines = Float64Array.from({ length: side / 2 }, (_, k) => Math.sin(turn(k)));
    this.#reversed = new Uint16Array(side);
    for (let i = 1; i < side; i++) this.#reversed[i] = (this.#reversed[i >> 1]! >> 1) | (i & 1 ? side >> 1 : 0);
  }

  /** Transforms in place. */
  forward({ real, imaginary }: Spectrum): void {
    for (let row = 0; row < this.side; row++) this.#line(real, imaginary, row * this.side, 1);
    for (let column = 0; column < this.side; column++) this.#line(real, imaginary, column, this.side);
  }

  /** Transforms back in place, side² times too large. */
  backward({ real, imaginary }: Spectrum): void {
    this.forward({ real: imaginary, imaginary: real });
  }

  #line(real: Float64Array, imaginary: Float64Array, start: number, step: number): void {
    const { side } = this;
    for (let i = 0; i < side; i++) {
      const j = this.#reversed[i]!;
      if (j <= i) continue;
      const [a, b] = [start + i * step, start + j * step];
      const [re, im] = [real[a]!, imaginary[a]!];
      real[a] = real[b]!;
      imaginary[a] = imaginary[b]!;
      real[b] = re;
      imaginary[b] = im;
    }
    for (let half = 1; half < side; half *= 2) {
      const stride = side / (2 * half);
      for (let block = 0; block < side; block += 2 * half) {
        for (let k = 0; k < half; k++) {
          const [c, s] = [this.#cosines[k * stride]!, this.#sines[k * stride]!];
          const a = start + (block + k) * step;
          const b = a + half * step;
          const re = real[b]! * c - imaginary[b]! * s;
          const im = real[b]! * s + imaginary[b]! * c;
          real[b] = real[a]! - re;
          imaginary[b] = imaginary[a]! - im;
          real[a]! += re;
          imaginary[a]! += im;
        }
      }
    }
  }
}
