/** Pixels of triangles, for what is computed once a face or once a lane; frames are drawn by the kernels. */

/** Three of something, one for each corner of a triangle. */
export type Corners = readonly [number, number, number];

/**
 * Called for each pixel with its index, the corners' indices and the barycentric weights, which the next call
 * overwrites.
 */
export type PixelVisitor = (pixel: number, corners: Corners, weights: Corners) => void;

/**
 * Visits the pixels whose centres lie in the triangles, row by row, triangle after triangle.
 * @param triangles three point indices each.
 * @param points x, y of each point in pixels.
 * @param size the plane's side in pixels.
 */
export function forEachPixel(triangles: Uint16Array, points: Float32Array, size: number, visit: PixelVisitor): void {
  const weights: [number, number, number] = [0, 0, 0];
  for (let t = 0; t < triangles.length; t += 3) {
    const [i, j, k] = [triangles[t]!, triangles[t + 1]!, triangles[t + 2]!];
    const corners: Corners = [i, j, k];
    const [ax, ay, bx, by] = [points[2 * i]!, points[2 * i + 1]!, points[2 * j]!, points[2 * j + 1]!];
    const [cx, cy] = [points[2 * k]!, points[2 * k + 1]!];
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    if (area === 0) continue;
    const top = Math.max(0, Math.floor(Math.min(ay, by, cy)));
    const bottom = Math.min(size - 1, Math.ceil(Math.max(ay, by, cy)));
    const left = Math.max(0, Math.floor(Math.min(ax, bx, cx)));
    const right = Math.min(size - 1, Math.ceil(Math.max(ax, bx, cx)));
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const q = ((x + 0.5 - ax) * (cy - ay) - (cx - ax) * (y + 0.5 - ay)) / area;
        const r = ((bx - ax) * (y + 0.5 - ay) - (x + 0.5 - ax) * (by - ay)) / area;
        if (q < 0 || r < 0 || q + r > 1) continue;
        weights[0] = 1 - q - r;
        weights[1] = q;
        weights[2] = r;
        visit(y * size + x, corners, weights);
      }
    }
  }
}
