/** Finds the faces of a still picture, with a lane's models. Runs in the lane's thread and mutex. */

import type { Frame } from '../../shared/types.ts';
import { poseOf } from '../face/pose.ts';
import type { Topology } from '../face/topology.ts';
import { Tracker, type TrackingOptions } from '../face/track.ts';
import type { FoundFace } from '../pool/lane-protocol.ts';
import type { Tools } from './pipeline.ts';

/** Looks at each face: the second and third refine where the first saw it. */
const LOOKS = 3;
/** Least score of a detection, 0..1, whatever `tracking.score` sets for live frames. */
const LEAST_SCORE = 0.5;
/** No smoothing: every look at a still picture counts in full. */
const UNSMOOTHED = { minCutoffHz: 1e6, beta: 0 };

/** Every face of a still picture with its landmarks and pose, largest first. */
export async function findFaces(
  picture: Frame,
  { detector, landmarker }: Tools,
  tracking: Omit<TrackingOptions, 'smoothing'>,
  topology: Topology,
): Promise<FoundFace[]> {
  const found: FoundFace[] = [];
  for (const detection of await detector.find(picture, LEAST_SCORE, 0)) {
    const tracker = new Tracker({ ...tracking, smoothing: UNSMOOTHED });
    const track = tracker.createTrack(detection);
    for (let look = 0; look < LOOKS; look++) await tracker.follow(track, picture, landmarker);
    if (track.seen) found.push({ box: track.box, points: track.points, ...poseOf(track.points, topology) });
  }
  return found;
}
