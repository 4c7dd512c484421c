/** Face tracking from frame to frame. */

import { overlap, type Rect, type Square } from '../../shared/geometry.ts';
import type { Frame } from '../../shared/types.ts';
import type { Detection, Detector } from './detect.ts';
import { type FaceSight, type Landmarker, type Landmarks, squareOf } from './landmarks.ts';
import { FaceRepeats } from './repeats.ts';
import { FaceFilter, type Smoothing } from './smooth.ts';
import { POINTS } from './topology.ts';

/** When faces are acquired and dropped; `tracking` in config.yaml. */
export interface TrackingOptions {
  /** Least score of a new face, 0..1. */
  score: number;
  /** Smallest new face, the longer side of its box in pixels of the frame. */
  minSize: number;
  /** Most tracks at once. */
  faces: number;
  /** Time between two runs of the detector while there are tracks, in milliseconds. */
  intervalMs: number;
  /** Frames in a row without its face after which a track is dropped. */
  lostAfterFrames: number;
  smoothing: Smoothing;
}

/** One tracked face. */
export interface Track {
  /** Stays with the person as long as the face is tracked. */
  id: number;
  /** 478 points, x, y, z in pixels of the current frame, smoothed; empty until the face was seen closely. */
  points: Float32Array;
  /** Around the points or, before there are any, the detector's box. */
  box: Rect;
  /** Whether it was found in the current frame. */
  seen: boolean;
}

interface TrackState extends Track {
  /** When the landmark model last looked for it. */
  followedAtMs: number;
  filter: FaceFilter;
  repeats: FaceRepeats;
  /** The square that its points were last found in. */
  looked: Square;
  /** Where to look next. */
  next: Square;
  /** Frames in a row in which it was not found. */
  missed: number;
}

/** Presence, 0..1, below which the landmark model's square shows no face: the middle of its sigmoid. */
const PRESENT = 0.5;
/** Intersection over union, 0..1, above which a detection is a tracked face. */
const SAME_FACE = 0.3;
/** Intersection over union, 0..1, above which two tracks look at the same face. */
const SAME_TRACK = 0.5;
/**
 * Distance of the centres of a detection and a tracked face, in widths of the wider box, below which they are the
 * same.
 */
const SAME_CENTRE = 0.4;
/** Most runs of the landmark model on one face in one frame. */
const MOST_LOOKS = 3;
/** How far, as a share of the square's side, the face may lie off the square for its points to be exact. */
const ROUGH = 0.07;
/** How far, as a share of the square's side, a face moves or grows between frames before it counts as another one. */
const JUMP = 0.15;

/**
 * Follows faces: a face once found is looked for where its own points were last; the detector runs only to acquire
 * a face and, at an interval, to look for new ones. Lives as long as its stream.
 */
export class Tracker {
  readonly #options: TrackingOptions;
  readonly #tracks: TrackState[] = [];
  #nextId = 1;
  #detectedAtMs = Number.NEGATIVE_INFINITY;
  /** Width of the current frame; 0 before the first. */
  #width = 0;
  #unfollowed = 0;

  constructor(options: TrackingOptions) {
    this.#options = options;
  }

  /** The tracks, oldest first; a live view. */
  get tracks(): readonly Track[] {
    return this.#tracks;
  }

  /** Faces of the last detection that are not followed, because there are as many tracks as `faces` allows. */
  get unfollowed(): number {
    return this.#unfollowed;
  }

  /** Begins a frame. It may be larger or smaller than the last one: tracks are scaled along. */
  beginFrame({ width }: Frame): void {
    const by = width / this.#width;
    if (this.#width > 0 && by !== 1) for (const track of this.#tracks) rescale(track, by);
    this.#width = width;
  }

  /**
   * Whether it is time for the detector: there is no track, one was just lost, or the interval, times `factor`, is over.
   * It runs with as many tracks as `faces` allows, too: a further face must not be shown unnoticed.
   */
  isDetectionDue(nowMs: number, factor: number): boolean {
    if (this.#tracks.length === 0 || this.#tracks.some((t) => t.missed > 0)) return true;
    return nowMs - this.#detectedAtMs >= this.#options.intervalMs * factor;
  }

  /** Searches the whole frame for new faces, and corrects the place of tracks that were not seen. */
  async detect(frame: Frame, detector: Detector, nowMs: number): Promise<void> {
    const since = this.#detectedAtMs;
    this.#detectedAtMs = nowMs;
    const { score, minSize, faces, lostAfterFrames } = this.#options;
    const found = new Set<Track>();
    this.#unfollowed = 0;
    for (const detection of await detector.find(frame, score, minSize)) {
      const known = this.#tracks.find((t) => overlap(t.box, detection.box) > SAME_FACE || isNear(t, detection));
      if (known !== undefined) {
        found.add(known);
        if (!known.seen) Object.assign(known, { next: detection.square, box: detection.box });
      } else if (this.#tracks.length < faces) {
        found.add(this.createTrack(detection, nowMs));
      } else {
        this.#unfollowed++;
      }
    }
    // Faces that are not swapped are not followed from frame to frame: only the detector can tell that they are gone.
    for (const track of this.#tracks) {
      if (!found.has(track) && track.followedAtMs < since) track.missed = lostAfterFrames;
    }
  }

  /** Adds a track for a detection. */
  createTrack({ box, square }: Detection, nowMs = 0): Track {
    const track: TrackState = {
      id: this.#nextId++,
      points: new Float32Array(),
      box,
      seen: false,
      followedAtMs: nowMs,
      filter: new FaceFilter(this.#options.smoothing),
      repeats: new FaceRepeats(),
      looked: square,
      next: square,
      missed: 0,
    };
    this.#tracks.push(track);
    return track;
  }

  /**
   * Finds one tracked face in the frame.
   * @returns where it was seen, its region loaded; null when it was not seen.
   */
  async follow(track: Track, frame: Frame, landmarker: Landmarker): Promise<FaceSight | null> {
    const face = track as TrackState;
    const isNew = face.points.length === 0 || face.missed > 0;
    face.seen = false;
    face.followedAtMs = frame.receivedAtMs;
    if (!isNew && face.repeats.isRepeat(frame)) {
      face.seen = true;
      return { ...landmarker.reload(frame, face.looked), isRepeat: true };
    }
    const expected = face.next;
    let found = await look(landmarker, frame, face.next);
    // Points are exact only in a square that fits the face; in the detector's rough square, or when the face has
    // moved off its own, another look at the square of the points corrects them.
    for (let looks = 1; found !== null; looks++) {
      face.next = squareOf(found.points);
      const isRough = (isNew && looks === 1) || apart(found.sight.square, face.next) > ROUGH;
      if (!isRough || looks === MOST_LOOKS) break;
      found = await look(landmarker, frame, face.next);
    }
    if (found === null) {
      face.missed++;
      return null;
    }
    const { points, sight } = found;
    if (isNew || apart(expected, face.next) > JUMP) face.filter = new FaceFilter(this.#options.smoothing);
    face.filter.next(points, frame.receivedAtMs);
    face.points = points;
    face.box = boxOf(points);
    face.looked = sight.square;
    face.repeats.remember(frame, face.box);
    face.missed = 0;
    face.seen = true;
    return sight;
  }

  /** Drops the track with this id, if there is one. */
  drop(id: number): void {
    const at = this.#tracks.findIndex((track) => track.id === id);
    if (at >= 0) this.#tracks.splice(at, 1);
  }

  /** Drops all tracks. @returns those that were dropped. */
  clear(): Track[] {
    this.#unfollowed = 0;
    return this.#tracks.splice(0);
  }

  /**
   * Drops tracks that were not seen for too long, and the younger of two that look at the same face.
   * @returns those that were dropped.
   */
  prune(): Track[] {
    const gone = this.#tracks.filter(
      (t, i) =>
        t.missed >= this.#options.lostAfterFrames ||
        this.#tracks.slice(0, i).some((older) => older.seen && t.seen && overlap(older.box, t.box) > SAME_TRACK),
    );
    for (const track of gone) this.#tracks.splice(this.#tracks.indexOf(track), 1);
    return gone;
  }
}

/** The landmarks in a square of the frame; null where the model sees no face. */
async function look(landmarker: Landmarker, frame: Frame, square: Square): Promise<Landmarks | null> {
  const region = landmarker.load(frame, square);
  if (region === null) return null;
  const found = await landmarker.find(region, square);
  return found.presence >= PRESENT ? found : null;
}

function rescale(track: TrackState, by: number): void {
  const { next, box, filter } = track;
  track.next = { ...next, x: by * next.x, y: by * next.y, side: by * next.side };
  track.box = { x: by * box.x, y: by * box.y, width: by * box.width, height: by * box.height };
  track.points = track.points.map((value) => by * value);
  filter.scale(by);
}

/**
 * How far a face lies from the square it was looked for in, or how much larger or smaller it is, as a share of its
 * side.
 */
function apart(looked: Square, found: Square): number {
  const off = Math.hypot(found.x - looked.x, found.y - looked.y) / looked.side;
  return Math.max(off, Math.abs(Math.log(found.side / looked.side)));
}

/** Whether a detection's centre lies on a tracked face: then it is that face, whatever the boxes' sizes. */
function isNear({ box }: Track, found: Detection): boolean {
  const reach = SAME_CENTRE * Math.max(box.width, found.box.width);
  const dx = box.x + box.width / 2 - (found.box.x + found.box.width / 2);
  const dy = box.y + box.height / 2 - (found.box.y + found.box.height / 2);
  return Math.hypot(dx, dy) < reach;
}

/** The box around the mesh's points, without the irises. */
function boxOf(points: Float32Array): Rect {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < POINTS * 3; i += 3) {
    x0 = Math.min(x0, points[i]!);
    x1 = Math.max(x1, points[i]!);
    y0 = Math.min(y0, points[i + 1]!);
    y1 = Math.max(y1, points[i + 1]!);
  }
  return { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
}

/** The tip of the nose and the widest points of the cheeks, right and left. */
const NOSE = 1;
const CHEEK_RIGHT = 234;
const CHEEK_LEFT = 454;
/** With the nose nearer to one cheek than this share of the way, a face is turned too far to recognise a person. */
const TURNED = 0.25;

/** Whether a face is turned to the camera well enough to be recognised. @param points x, y, z of at least 468. */
export function facesCamera(points: Float32Array): boolean {
  const [x, y] = [0, 1].map((k) => points[3 * CHEEK_LEFT + k]! - points[3 * CHEEK_RIGHT + k]!) as [number, number];
  const along =
    (points[3 * NOSE]! - points[3 * CHEEK_RIGHT]!) * x + (points[3 * NOSE + 1]! - points[3 * CHEEK_RIGHT + 1]!) * y;
  const share = along / (x * x + y * y);
  return share > TURNED && share < 1 - TURNED;
}
