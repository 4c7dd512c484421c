/** Face detection over a whole frame. */

import { overlap, type Rect, type Square } from '../../shared/geometry.ts';
import type { Frame } from '../../shared/types.ts';
import type { ModelSession } from '../inference/model-session.ts';
import type { Kernels } from '../kernels/kernels.ts';

/** A face that the detector found, in pixels of the frame. */
export interface Detection {
  /** Certainty that it is a face, 0..1. */
  score: number;
  box: Rect;
  /** The rotated square for the landmark model, level with the eyes. */
  square: Square;
}

/** Side of the model's input, in pixels. */
const SIDE = 192;
/** Side of an anchor's cell, in pixels of the input, and cells across and down. */
const CELL = 4;
const CELLS = SIDE / CELL;
/** Numbers an anchor: centre, width, height, then six points: eyes, nose, mouth, ears. */
const STEP = 16;
/** Intersection over union, 0..1, from which two detections are the same face. */
const OVERLAPPING = 0.3;
/** Side of the landmark model's square as a multiple of the box's longer side. */
const SQUARE = 1.5;

/**
 * Finds faces anywhere in a frame, by BlazeFace full range (Bazarevsky et al. 2019). Each call costs a model run,
 * so the tracker calls it only to acquire a face and, at an interval, to look for new ones. Runs in the lane's
 * mutex.
 */
export class Detector {
  readonly #session: ModelSession;
  readonly #kernels: Kernels;

  /**
   * @param session role face-detector: image [1,192,192,3] RGB −1..1 → boxes [1,2304,16], scores [1,2304,1]
   *   (logits).
   */
  constructor(session: ModelSession, kernels: Kernels) {
    this.#session = session;
    this.#kernels = kernels;
  }

  /**
   * Faces of at least `minScore`, 0..1, and `minSize`, the box's longer side in pixels; largest first. Loads the
   * whole frame into the kernels.
   */
  async find(frame: Frame, minScore: number, minSize: number): Promise<Detection[]> {
    const { width, height } = frame;
    const whole = { x: width / 2, y: height / 2, side: Math.max(width, height), angle: 0 };
    const region = this.#kernels.load(frame, { x: 0, y: 0, width, height });
    region.crop(whole, { values: this.#session.inputs.image!, n: SIDE }, 2, -1);
    await this.#session.run();
    const scale = whole.side / SIDE;
    const found = this.#decode(minScore).map((d) =>
      toFrame(d, scale, whole.x - whole.side / 2, whole.y - whole.side / 2),
    );
    return withoutOverlaps(found.filter((d) => Math.max(d.box.width, d.box.height) >= minSize));
  }

  #decode(minScore: number): Detection[] {
    const scores = this.#session.outputs.scores!;
    const boxes = this.#session.outputs.boxes!;
    const threshold = Math.log(minScore / (1 - minScore));
    const found: Detection[] = [];
    for (let i = 0; i < CELLS * CELLS; i++) {
      const logit = scores[i]!;
      if (logit < threshold) continue;
      const cx = ((i % CELLS) + 0.5) * CELL;
      const cy = (Math.floor(i / CELLS) + 0.5) * CELL;
      const at = i * STEP;
      const x = boxes[at]! + cx;
      const y = boxes[at + 1]! + cy;
      const width = boxes[at + 2]!;
      const height = boxes[at + 3]!;
      const angle = Math.atan2(boxes[at + 7]! - boxes[at + 5]!, boxes[at + 6]! - boxes[at + 4]!);
      found.push({
        score: 1 / (1 + Math.exp(-logit)),
        box: { x: x - width / 2, y: y - height / 2, width, height },
        square: { x, y, side: SQUARE * Math.max(width, height), angle },
      });
    }
    return found;
  }
}

function toFrame({ score, box, square }: Detection, scale: number, x: number, y: number): Detection {
  return {
    score,
    box: { x: box.x * scale + x, y: box.y * scale + y, width: box.width * scale, height: box.height * scale },
    square: { x: square.x * scale + x, y: square.y * scale + y, side: square.side * scale, angle: square.angle },
  };
}

/** Non-maximum suppression: of detections that overlap, the most certain one stays. */
function withoutOverlaps(found: Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const d of found.sort((p, q) => q.score - p.score)) {
    if (kept.every((k) => overlap(k.box, d.box) < OVERLAPPING)) kept.push(d);
  }
  return kept.sort((p, q) => q.box.width * q.box.height - p.box.width * p.box.height);
}
