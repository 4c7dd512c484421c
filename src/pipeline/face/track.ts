/**
 * Follows faces from frame to frame: a face once found is looked for where its own points were last, and the detector
 * runs only to acquire a face or, now and then, to look for new ones.
 */

import { overlap, type Rect, type Square } from '../../shared/geometry.ts';
import type { Frame } from '../../shared/types.ts';
import type { Detection, Detector } from './detect.ts';
import { type FaceSight, type Landmarker, type Landmarks, squareOf } from './landmarks.ts';
import { FaceFilter, type Smoothing } from './smooth.ts';
import { POINTS } from './topology.ts';

export interface TrackingOptions {
  /** Least certainty of a new face, 0..1. */
  score: number;
  /** Smallest face to take, in pixels. */
  minSize: number;
  /** Most faces followed at once. */
  faces: number;
  /** Time between looks for new faces, in milliseconds. */
  intervalMs: number;
  /** Frames a face may be unseen before it is forgotten. */
  lostAfterFrames: number;
  smoothing: Smoothing;
}

/** One followed face. */
export interface Track {
  /** Stays with the person as long as the face is followed. */
  id: number;
  /** 478 points, x, y, z in pixels of the frame, steadied; those of the frame in hand. */
  points: Float32Array;
  box: Rect;
  /** Whether it was found in the frame in hand. */
  seen: boolean;
}

interface Followed extends Track {
  /** When it was last looked at closely. */
  followedAtMs: number;
  filter: FaceFilter;
  /** Where to look next. */
  next: Square;
  missed: number;
}

/** Presence under which the landmark model no longer looks at a face. */
const PRESENT = 0.5;
const SAME_FACE = 0.3;
/** Looks at one face in one frame. */
const MOST_LOOKS = 3;
/** A look that was off by more than this share of the square is rough; a face that moved or grew by more jumped. */
const ROUGH = 0.07;
const JUMP = 0.15;

export class Tracker {
  readonly #options: TrackingOptions;
  readonly #tracks: Followed[] = [];
  #nextId = 1;
  #soughtAtMs = -Infinity;
  /** Width of the frame in hand. */
  #width = 0;

  constructor(options: TrackingOptions) {
    this.#options = options;
  }

  get tracks(): readonly Track[] {
    return this.#tracks;
  }

  /** Goes on in this frame, which may be the same picture larger or smaller than the last. */
  beginFrame({ width }: Frame): void {
    const by = width / this.#width;
    if (this.#width > 0 && by !== 1) for (const track of this.#tracks) rescale(track, by);
    this.#width = width;
  }

  /**
   * Whether it is time for the detector: there is no track, one was just lost, or there are fewer than `faces` and the
   * interval, times `factor`, is over.
   */
  isDetectionDue(nowMs: number, factor: number): boolean {
    if (this.#tracks.length === 0 || this.#tracks.some((t) => t.missed > 0)) return true;
    return this.#tracks.length < this.#options.faces && nowMs - this.#soughtAtMs >= this.#options.intervalMs * factor;
  }

  /** Looks over the whole frame for faces that are not followed yet. */
  async detect(frame: Frame, detector: Detector, nowMs: number): Promise<void> {
    const since = this.#soughtAtMs;
    this.#soughtAtMs = nowMs;
    const { score, minSize, faces, lostAfterFrames } = this.#options;
    const there = new Set<Track>();
    for (const found of await detector.find(frame, score, minSize)) {
      const known = this.#tracks.find((t) => overlap(t.box, found.box) > SAME_FACE || near(t, found));
      if (known !== undefined) {
        there.add(known);
        if (!known.seen) Object.assign(known, { next: found.square, box: found.box });
      } else if (this.#tracks.length < faces) {
        there.add(this.createTrack(found, nowMs));
      }
    }
    // Nobody follows the faces that are not swapped, so it is here that they are found to be gone.
    for (const track of this.#tracks) {
      if (!there.has(track) && track.followedAtMs < since) track.missed = lostAfterFrames;
    }
  }

  /** Follows a face from now on. */
  createTrack(found: Detection, nowMs = 0): Track {
    const filter = new FaceFilter(this.#options.smoothing);
    const { box, square } = found;
    const id = this.#nextId++;
    const points = new Float32Array();
    const rest = { filter, next: square, missed: 0, followedAtMs: nowMs };
    const track: Followed = { id, points, box, seen: false, ...rest };
    this.#tracks.push(track);
    return track;
  }

  /** Finds one followed face in the frame. @returns where it was seen, its region still loaded; null when it was not. */
  async follow(track: Track, frame: Frame, landmarker: Landmarker): Promise<FaceSight | null> {
    const face = track as Followed;
    const fresh = face.points.length === 0 || face.missed > 0;
    face.seen = false;
    face.followedAtMs = frame.receivedAtMs;
    const expected = face.next;
    let found = await look(landmarker, frame, face.next);
    // Off the square that was looked at, or in the detector's rough one, a face is seen roughly: looks at its own correct that.
    for (let looks = 1; found !== null; looks++) {
      face.next = squareOf(found.points);
      const isRough = (fresh && looks === 1) || apart(found.sight.square, face.next) > ROUGH;
      if (!isRough || looks === MOST_LOOKS) break;
      found = await look(landmarker, frame, face.next);
    }
    if (found === null) {
      face.missed++;
      return null;
    }
    const { points, sight } = found;
    if (fresh || apart(expected, face.next) > JUMP) face.filter = new FaceFilter(this.#options.smoothing);
    face.filter.next(points, frame.receivedAtMs);
    face.points = points;
    face.box = boxOf(points);
    face.missed = 0;
    face.seen = true;
    return sight;
  }

  /** Whoever is followed under this id is no longer. */
  drop(id: number): void {
    const at = this.#tracks.findIndex((track) => track.id === id);
    if (at >= 0) this.#tracks.splice(at, 1);
  }

  /** Begins anew: nobody is followed any more. @returns those who were. */
  clear(): Track[] {
    return this.#tracks.splice(0);
  }

  /** Forgets faces unseen for too long, and one of two that came to look at the same face. */
  prune(): Track[] {
    const gone = this.#tracks.filter(
      (t, i) =>
        t.missed >= this.#options.lostAfterFrames ||
        this.#tracks.slice(0, i).some((older) => older.seen && t.seen && overlap(older.box, t.box) > 0.5),
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

function rescale(track: Followed, by: number): void {
  const { next, box, filter } = track;
  track.next = { ...next, x: by * next.x, y: by * next.y, side: by * next.side };
  track.box = { x: by * box.x, y: by * box.y, width: by * box.width, height: by * box.height };
  track.points = track.points.map((value) => by * value);
  filter.scale(by);
}

/** How far a face lies from where it was looked for, or how much larger or smaller it is, as a share of the square. */
function apart(looked: Square, found: Square): number {
  const off = Math.hypot(found.x - looked.x, found.y - looked.y) / looked.side;
  return Math.max(off, Math.abs(Math.log(found.side / looked.side)));
}

/** A detection whose centre lies on a followed face is that face, whatever the boxes' sizes. */
function near({ box }: Track, found: Detection): boolean {
  const reach = 0.4 * Math.max(box.width, found.box.width);
  const dx = box.x + box.width / 2 - (found.box.x + found.box.width / 2);
  const dy = box.y + box.height / 2 - (found.box.y + found.box.height / 2);
  return Math.hypot(dx, dy) < reach;
}

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
/** A nose nearer to one cheek than this share of the way is turned too far to tell a person by. */
const TURNED = 0.25;

/** Whether a face is turned to the camera well enough to be recognised. @param points x, y, z of at least 468. */
export function facesCamera(points: Float32Array): boolean {
  const [x, y] = [0, 1].map((k) => points[3 * CHEEK_LEFT + k]! - points[3 * CHEEK_RIGHT + k]!) as [number, number];
  const along =
    (points[3 * NOSE]! - points[3 * CHEEK_RIGHT]!) * x + (points[3 * NOSE + 1]! - points[3 * CHEEK_RIGHT + 1]!) * y;
  const share = along / (x * x + y * y);
  return share > TURNED && share < 1 - TURNED;
}
