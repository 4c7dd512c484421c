/** Still pictures: their faces, and the preview of a face that may be added. Runs in the lane's thread and mutex. */

import { readFileSync } from 'node:fs';
import { rgbToFrame } from '../../faces/portrait.ts';
import { sharp } from '../../lib/sharp.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { Frame, SwappedFrame } from '../../shared/types.ts';
import type { FaceSight } from '../face/landmarks.ts';
import { poseOf } from '../face/pose.ts';
import type { Topology } from '../face/topology.ts';
import { Tracker, type TrackingOptions } from '../face/track.ts';
import type { FoundFace } from '../pool/lane-protocol.ts';
import type { Tools } from './pipeline.ts';
import { PORTRAIT } from './warm-up.ts';

/** Looks at each face: the second and third refine where the first saw it. */
const LOOKS = 3;
/** Least score of a detection, 0..1, whatever `tracking.score` sets for live frames. */
const LEAST_SCORE = 0.5;
/** No smoothing: every look at a still picture counts in full. */
const UNSMOOTHED = { minCutoffHz: 1e6, beta: 0 };

/** Every face of a still picture with its landmarks, pose and embedding, largest first. */
export async function findFaces(
  picture: Frame,
  { detector, landmarker, embedder }: Tools,
  tracking: Omit<TrackingOptions, 'smoothing'>,
  topology: Topology,
): Promise<FoundFace[]> {
  const found: FoundFace[] = [];
  for (const detection of await detector.find(picture, LEAST_SCORE, 0)) {
    const tracker = new Tracker({ ...tracking, smoothing: UNSMOOTHED });
    const track = tracker.createTrack(detection);
    let sight: FaceSight | null = null;
    for (let look = 0; look < LOOKS; look++) sight = await tracker.follow(track, picture, landmarker);
    if (sight === null) continue;
    const embedding = await embedder.embed(sight.region, track.points);
    found.push({ box: track.box, points: track.points, ...poseOf(track.points, topology), embedding });
  }
  return found;
}

/** Side of the picture, in pixels. */
const SIDE = 480;
/** Side of the whole portrait, and where the head begins in it. */
const WHOLE = 800;
const HEAD = { left: 160, top: 60 };
/** A thread that has just started may take longer over its first frames than their budget is. */
const ATTEMPTS = 5;

/**
 * The shipped portrait with the face swapped.
 * @param swap swaps a frame in place. @throws FaceOffError `preview_failed` when no attempt swaps it.
 */
export async function drawPreview(swap: (frame: Frame) => Promise<SwappedFrame>): Promise<Frame> {
  const { data } = await sharp(readFileSync(PORTRAIT))
    .resize(WHOLE, WHOLE)
    .extract({ ...HEAD, width: SIDE, height: SIDE })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const frame = { ...rgbToFrame(data, SIDE, SIDE, 3), receivedAtMs: performance.now() };
    const { result } = await swap(frame);
    if (result === 'swapped') return frame;
  }
  throw new FaceOffError('preview_failed', 'The face cannot be shown now. Add it, and see it live.');
}
