/** Code that has not run yet is slow: a lane's first drawings take ten times as long as later ones. */

import type { Looks, Swapper } from './engines/engine.ts';
import { type Landmarker, squareOf } from './landmarks.ts';
import { ALL_POINTS } from './topology.ts';
import type { Frame } from './types.ts';

/** After so many the compiler has done what it does. */
const RUNS = 12;
const [WIDTH, HEIGHT] = [640, 480];
const LOOKS: Looks = { strength: 1, shape: 1, keepEyes: false, keepMouth: false, colour: 1, sharpness: 1 };

/**
 * Draws a face on an empty picture until that is as fast as it gets, and closes the swapper.
 * @param swapper one that does not wait. @param shape x, y, z of the face's points, any place and size.
 */
export function warmUp(swapper: Swapper, shape: Float32Array, landmarker: Landmarker): void {
  const from = squareOf(shape);
  const by = HEIGHT / from.side;
  const points = new Float32Array(ALL_POINTS * 3);
  for (let i = 0; i < shape.length; i += 3) {
    points[i] = by * (shape[i]! - from.x) + WIDTH / 2;
    points[i + 1] = by * (shape[i + 1]! - from.y) + HEIGHT / 2;
    points[i + 2] = by * shape[i + 2]!;
  }
  const square = squareOf(points);
  const data = Uint8Array.from({ length: (WIDTH * HEIGHT * 3) / 2 }, (_, i) => 16 + ((i * 7919) % 220));
  const frame: Frame = { width: WIDTH, height: HEIGHT, data, receivedAtMs: 0 };
  for (let run = 0; run < RUNS; run++) {
    landmarker.reload(frame, square);
    void swapper.swap(frame, { points, square, crop: landmarker.crop }, LOOKS);
  }
  swapper.close();
}
