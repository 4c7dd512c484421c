import { evenRect, type Rect } from '../../shared/geometry.ts';
import type { Frame, SeenFace } from '../../shared/types.ts';
import type { Kernels } from '../kernels/kernels.ts';

/** Pixels around the part that its outermost pixels are interpolated with. */
const EDGE = 2;

/** Fills a frame with a part of itself, in place. Called in the lane's mutex. @param view as `Framer.next` gives it. */
export function showPart(kernels: Kernels, frame: Frame, view: Rect): void {
  const { x, y, width, height } = view;
  const rect = evenRect([x - EDGE, y - EDGE, x + width + EDGE, y + height + EDGE], frame.width, frame.height);
  if (rect !== null) kernels.load(frame, rect).zoom(frame, view);
}

/** The faces as they stand in the shown part, enlarged with it; those outside are left out. */
export function facesInPart(faces: readonly SeenFace[], frame: Frame, view: Rect): SeenFace[] {
  const scale = frame.width / view.width;
  return faces
    .map((face) => ({
      ...face,
      x: (face.x - view.x) * scale,
      y: (face.y - view.y) * scale,
      width: face.width * scale,
      height: face.height * scale,
    }))
    .filter(({ x, y, width, height }) => x + width > 0 && y + height > 0 && x < frame.width && y < frame.height);
}
