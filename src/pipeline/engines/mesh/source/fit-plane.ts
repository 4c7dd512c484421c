/** A plane through weighted samples. */

/** Least squares of d over 1, x, y from its moments: 1, x, y, xx, xy, yy, d, dx, dy. */
export function fitPlane(m: Float64Array): [number, number, number] {
  const [n, x, y, xx, xy, yy, d, dx, dy] = m as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const det = n * (xx * yy - xy * xy) - x * (x * yy - xy * y) + y * (x * xy - xx * y);
  if (Math.abs(det) < 1e-6) return [0, 0, 0];
  const a = d * (xx * yy - xy * xy) - x * (dx * yy - xy * dy) + y * (dx * xy - xx * dy);
  const b = n * (dx * yy - xy * dy) - d * (x * yy - xy * y) + y * (x * dy - dx * y);
  const c = n * (xx * dy - dx * xy) - x * (x * dy - dx * y) + d * (x * xy - xx * y);
  return [a / det, b / det, c / det];
}
