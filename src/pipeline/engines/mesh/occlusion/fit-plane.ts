/** Sums over weighted samples d at places x, y: of 1, x, y, xx, xy, yy, d, dx, dy, nine in all. */
export type PlaneMoments = Float64Array;

/** A plane: value at 0, rise along x, rise along y. */
export type PlaneFit = readonly [level: number, across: number, down: number];

/**
 * Weighted least squares of d over 1, x, y, by Cramer's rule; a plane of 0 where the samples do not determine one.
 */
export function fitPlane(moments: PlaneMoments): PlaneFit {
  const n = moments[0]!;
  const x = moments[1]!;
  const y = moments[2]!;
  const xx = moments[3]!;
  const xy = moments[4]!;
  const yy = moments[5]!;
  const d = moments[6]!;
  const dx = moments[7]!;
  const dy = moments[8]!;
  const det = n * (xx * yy - xy * xy) - x * (x * yy - xy * y) + y * (x * xy - xx * y);
  if (Math.abs(det) < 1e-6) return [0, 0, 0];
  const a = d * (xx * yy - xy * xy) - x * (dx * yy - xy * dy) + y * (dx * xy - xx * dy);
  const b = n * (dx * yy - xy * dy) - d * (x * yy - xy * y) + y * (x * dy - dx * y);
  const c = n * (xx * dy - dx * xy) - x * (x * dy - dx * y) + d * (x * xy - xx * y);
  return [a / det, b / det, c / det];
}
