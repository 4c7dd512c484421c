/** Coefficients of Y, U and V for each term: [terms, 3]. */
export type FitCoefficients = Float64Array;

/** Ridge regularisation: keeps coefficients at 0 that the samples do not determine. */
const RIDGE = 1e-6;

/**
 * Weighted least squares over the mesh's points, for Y, U, V at once, by the normal equations.
 * @param terms value of each term at each point: [points, count]. @param values Y, U, V at each point: [points, 3].
 * @param weight how much each point counts, 0 or more.
 */
export function fitWeighted(
  terms: Float32Array,
  count: number,
  values: Float32Array,
  weight: Float32Array,
): FitCoefficients {
  const width = count + 3;
  // The normal equations; their matrix is symmetric, so only its upper half is summed.
  const m = new Float64Array(count * width);
  for (let i = 0; i < weight.length; i++) {
    const w = weight[i]!;
    if (w === 0) continue;
    for (let r = 0; r < count; r++) {
      const wt = w * terms[count * i + r]!;
      const row = r * width;
      for (let c = r; c < count; c++) m[row + c]! += wt * terms[count * i + c]!;
      for (let k = 0; k < 3; k++) m[row + count + k]! += wt * values[3 * i + k]!;
    }
  }
  for (let r = 0; r < count; r++) {
    m[r * width + r]! += RIDGE;
    for (let c = 0; c < r; c++) m[r * width + c] = m[c * width + r]!;
  }
  // Gauss-Jordan elimination; without pivoting, as the matrix is positive definite.
  for (let c = 0; c < count; c++) {
    const pivot = m[c * width + c]!;
    for (let k = c; k < width; k++) m[c * width + k]! /= pivot;
    for (let r = 0; r < count; r++) {
      const share = m[r * width + c]!;
      if (r === c || share === 0) continue;
      for (let k = c; k < width; k++) m[r * width + k]! -= share * m[c * width + k]!;
    }
  }
  const fit = new Float64Array(count * 3);
  for (let r = 0; r < count; r++) fit.set(m.subarray(r * width + count, (r + 1) * width), 3 * r);
  return fit;
}
