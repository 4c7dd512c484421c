/** Squares, rectangles and transforms between them. Coordinates are continuous: pixel i covers [i, i + 1). */

/** An upright rectangle: its upper left corner and its size, in pixels. */
export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A rotated square: its centre, its side in pixels, and the angle (radians, clockwise on screen) of its upper edge. */
export interface Square {
  x: number;
  y: number;
  side: number;
  angle: number;
}

/** A similarity in the plane: x' = a·x − b·y + tx, y' = b·x + a·y + ty. */
export interface Similarity {
  a: number;
  b: number;
  tx: number;
  ty: number;
}

/** Maps the n×n crop of a square to the frame the square lies in. */
export function cropToFrame(square: Square, n: number): Similarity {
  const a = (Math.cos(square.angle) * square.side) / n;
  const b = (Math.sin(square.angle) * square.side) / n;
  const half = n / 2;
  return { a, b, tx: square.x - a * half + b * half, ty: square.y - b * half - a * half };
}

/** The similarity that undoes another one, whose scale must not be 0. */
export function inverse({ a, b, tx, ty }: Similarity): Similarity {
  const d = a * a + b * b;
  return { a: a / d, b: -b / d, tx: -(a * tx + b * ty) / d, ty: (b * tx - a * ty) / d };
}

/** The rectangle of the frame, rounded as by `evenRect`, around a square grown by `margin` pixels; null if outside. */
export function boundsOf(square: Square, margin: number, width: number, height: number): Rect | null {
  const reach = (square.side / 2) * (Math.abs(Math.cos(square.angle)) + Math.abs(Math.sin(square.angle))) + margin;
  return evenRect([square.x - reach, square.y - reach, square.x + reach, square.y + reach], width, height);
}

/** Edges of an upright rectangle, [x0, x1) × [y0, y1), in pixels. */
export type Edges = readonly [x0: number, y0: number, x1: number, y1: number];

/**
 * Widens edges to even rows and to multiples of 8 columns, so that rows of chroma are whole words of four bytes too, and
 * cuts them to the frame of width × height pixels; null if no part lies inside.
 */
export function evenRect([x0, y0, x1, y1]: Edges, width: number, height: number): Rect | null {
  const left = Math.max(0, Math.floor(x0 / 8) * 8);
  const top = Math.max(0, Math.floor(y0 / 2) * 2);
  const right = Math.min(width, Math.ceil(x1 / 8) * 8);
  const bottom = Math.min(height, Math.ceil(y1 / 2) * 2);
  return right > left && bottom > top ? { x: left, y: top, width: right - left, height: bottom - top } : null;
}

/** How `squareAbout` reads points. */
export interface SquareAboutOptions {
  /** Number of points. */
  count: number;
  /** Floats from one point's x to the next one's; y follows x. */
  stride: number;
  /** Indices of the two points whose connection becomes level. */
  from: number;
  to: number;
  /** Side of the square as a multiple of the larger extent of the points. */
  grow: number;
}

/**
 * The square around points, turned so that `from` → `to` is level. MediaPipe derives the next crop from landmarks in
 * the same way (face_landmark_landmarks_to_roi).
 */
export function squareAbout(points: Float32Array, { count, stride, from, to, grow }: SquareAboutOptions): Square {
  const angle = Math.atan2(
    points[to * stride + 1]! - points[from * stride + 1]!,
    points[to * stride]! - points[from * stride]!,
  );
  const c = Math.cos(angle);
  const s = Math.sin(angle);
  let x0 = Infinity;
  let x1 = -Infinity;
  let y0 = Infinity;
  let y1 = -Infinity;
  for (let i = 0; i < count * stride; i += stride) {
    const x = points[i]! * c + points[i + 1]! * s;
    const y = points[i + 1]! * c - points[i]! * s;
    if (x < x0) x0 = x;
    if (x > x1) x1 = x;
    if (y < y0) y0 = y;
    if (y > y1) y1 = y;
  }
  const mx = (x0 + x1) / 2;
  const my = (y0 + y1) / 2;
  return { x: mx * c - my * s, y: mx * s + my * c, side: grow * Math.max(x1 - x0, y1 - y0), angle };
}

/** Overlap of two upright boxes, 0..1 (intersection over union). */
export function overlap(p: Rect, q: Rect): number {
  const w = Math.min(p.x + p.width, q.x + q.width) - Math.max(p.x, q.x);
  const h = Math.min(p.y + p.height, q.y + q.height) - Math.max(p.y, q.y);
  if (w <= 0 || h <= 0) return 0;
  return (w * h) / (p.width * p.height + q.width * q.height - w * h);
}

/** The least-squares similarity that takes points p to points q, over `count` points at `stride` floats (Umeyama 1991). */
export function fitSimilarity(p: Float32Array, q: Float32Array, count: number, stride: number): Similarity {
  let px = 0;
  let py = 0;
  let qx = 0;
  let qy = 0;
  for (let i = 0; i < count * stride; i += stride) {
    px += p[i]!;
    py += p[i + 1]!;
    qx += q[i]!;
    qy += q[i + 1]!;
  }
  px /= count;
  py /= count;
  qx /= count;
  qy /= count;
  let same = 0;
  let cross = 0;
  let spread = 0;
  for (let i = 0; i < count * stride; i += stride) {
    const x = p[i]! - px;
    const y = p[i + 1]! - py;
    const u = q[i]! - qx;
    const v = q[i + 1]! - qy;
    same += x * u + y * v;
    cross += x * v - y * u;
    spread += x * x + y * y;
  }
  const a = same / spread;
  const b = cross / spread;
  return { a, b, tx: qx - a * px + b * py, ty: qy - b * px - a * py };
}
