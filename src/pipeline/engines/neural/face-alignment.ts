/** Face alignment: five points from the face mesh, and the square of the aligned crop in the frame. */

import { fitSimilarity, type Square } from '../../../shared/geometry.ts';
import { EYE_LEFT, EYE_RIGHT } from '../../face/topology.ts';
import { TEMPLATES, type TemplateName } from '../../models/profiles.ts';

/**
 * The mean of the mesh's foremost point and the one below it lies between eyes and mouth where ArcFace's nose tip does.
 */
const NOSE = [1, 4];
const MOUTH_RIGHT = 61;
const MOUTH_LEFT = 291;
const FIVE = [EYE_RIGHT, EYE_LEFT, NOSE, [MOUTH_RIGHT], [MOUTH_LEFT]];

/**
 * Eyes (left on screen first), nose tip, mouth corners: 5 points, x, y. Eyes are the means of their outlines, so that
 * gaze does not rotate the crop.
 */
function fivePoints(points: Float32Array): Float32Array {
  const five = new Float32Array(10);
  for (const [k, group] of FIVE.entries()) {
    for (const i of group) {
      five[2 * k]! += points[3 * i]! / group.length;
      five[2 * k + 1]! += points[3 * i + 1]! / group.length;
    }
  }
  return five;
}

/**
 * The square whose crop brings a face onto a template, by the least-squares similarity (Umeyama 1991).
 * @param points 478 or 468 points, x, y, z in pixels of the frame.
 */
export function alignedSquare(points: Float32Array, template: TemplateName): Square {
  const { a, b, tx, ty } = fitSimilarity(Float32Array.from(TEMPLATES[template]), fivePoints(points), 5, 2);
  // The template is a crop of side one.
  return { x: (a - b) / 2 + tx, y: (b + a) / 2 + ty, side: Math.hypot(a, b), angle: Math.atan2(b, a) };
}
