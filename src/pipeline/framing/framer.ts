/** Chooses the part of a stream's picture that is shown, and moves it as a person at the camera would: rarely and smoothly. */

import type { Rect } from '../../shared/geometry.ts';
import type { FramingChoice } from '../../shared/settings.ts';

/** What the part is chosen by. */
export interface FramingSettings {
  framing: FramingChoice;
  /** 0..1; the part is enlarged 1 + zoom times at most. */
  zoom: number;
}

/** A part of a picture by its middle, in shares of the picture's sides, and how far it is enlarged (1..2). */
interface View {
  x: number;
  y: number;
  zoom: number;
}

const WHOLE: View = { x: 0.5, y: 0.5, zoom: 1 };
/** Faces fill this share of the shown height, at least, where they can be enlarged so far. */
const FACE_SHARE = 0.42;
/** Where the middle of the faces stands in the shown part, from its top: their shoulders want more room than their hair. */
const FACE_LEVEL = 0.44;
/** The part rests while the faces are off their place by less than this share of it, and their size by less than that. */
const DEAD_ZONE = 0.09;
const DEAD_SIZE = 0.15;
/** It moves until it is off by less than this. */
const AT_REST = 0.004;
/** Angular frequency of a critically damped spring, in radians a second: two thirds of the way after 0.9 s. */
const STIFFNESS = 2.4;
const LONGEST_STEP_S = 0.1;
/** Without a face the part stays for this time, and then opens to the whole picture. */
const ABSENT_MS = 2000;

/** One stream's view of its camera's picture. Lives in the lane. */
export class Framer {
  #view: View = { ...WHOLE };
  /** Change of each part of the view in a second. */
  #speed: View = { x: 0, y: 0, zoom: 0 };
  #target: View = WHOLE;
  #isMoving = false;
  #size = '';
  #lastMs: number | null = null;
  #seenAtMs = Number.NEGATIVE_INFINITY;

  /**
   * The part to show of the next picture, in its pixels; null for all of it.
   * @param faces boxes in pixels of the picture. @param nowMs when the picture came; rising.
   */
  next(
    picture: { width: number; height: number },
    faces: readonly Rect[],
    settings: FramingSettings,
    nowMs: number,
  ): Rect | null {
    const { width, height } = picture;
    const size = `${width}x${height}`;
    // Another camera, or a phone that was turned: nothing of the view before holds.
    const isNew = size !== this.#size;
    this.#size = size;
    if (isNew) this.#rest({ ...WHOLE });
    const stepS = Math.min(LONGEST_STEP_S, Math.max(0, (nowMs - (this.#lastMs ?? nowMs)) / 1000));
    this.#lastMs = nowMs;
    this.#aim(this.#wanted(picture, faces, settings, nowMs), settings.framing === 'face');
    if (this.#isMoving) this.#move(stepS);
    const { zoom } = this.#view;
    if (zoom < 1.002) return null;
    const [w, h] = [width / zoom, height / zoom];
    return {
      x: between(this.#view.x * width - w / 2, width - w),
      y: between(this.#view.y * height - h / 2, height - h),
      width: w,
      height: h,
    };
  }

  #wanted(
    { width, height }: { width: number; height: number },
    faces: readonly Rect[],
    settings: FramingSettings,
    nowMs: number,
  ): View {
    const most = 1 + settings.zoom;
    if (settings.framing === 'whole') return WHOLE;
    if (settings.framing === 'centre') return { ...WHOLE, zoom: most };
    const around = unionOf(faces);
    if (around === null) return nowMs - this.#seenAtMs > ABSENT_MS ? WHOLE : this.#target;
    this.#seenAtMs = nowMs;
    const zoom = Math.min(
      most,
      Math.max(1, Math.min((FACE_SHARE * height) / around.height, (0.8 * width) / around.width)),
    );
    return {
      x: within((around.x + around.width / 2) / width, zoom),
      y: within((around.y + around.height / 2) / height + (0.5 - FACE_LEVEL) / zoom, zoom),
      zoom,
    };
  }

  /** @param isSteady whether small differences are left alone. */
  #aim(wanted: View, isSteady: boolean): void {
    const { zoom } = this.#view;
    const isOff =
      !isSteady ||
      Math.abs(wanted.x - this.#view.x) * zoom > DEAD_ZONE ||
      Math.abs(wanted.y - this.#view.y) * zoom > DEAD_ZONE ||
      Math.abs(wanted.zoom / zoom - 1) > DEAD_SIZE;
    if (!isOff && !this.#isMoving) return;
    this.#target = wanted;
    this.#isMoving = true;
  }

  /** A step of the spring; the view rests once it has arrived. */
  #move(stepS: number): void {
    let isThere = true;
    for (const key of ['x', 'y', 'zoom'] as const) {
      const off = this.#target[key] - this.#view[key];
      this.#speed[key] += (STIFFNESS * STIFFNESS * off - 2 * STIFFNESS * this.#speed[key]) * stepS;
      this.#view[key] += this.#speed[key] * stepS;
      isThere &&= Math.abs(off) < AT_REST && Math.abs(this.#speed[key]) < AT_REST;
    }
    if (isThere) this.#rest({ ...this.#target });
  }

  #rest(view: View): void {
    this.#view = view;
    this.#target = view;
    this.#speed = { x: 0, y: 0, zoom: 0 };
    this.#isMoving = false;
  }
}

/** Where the middle of a part may be, so that the part lies in the picture. */
const within = (middle: number, zoom: number): number => Math.min(1 - 0.5 / zoom, Math.max(0.5 / zoom, middle));
const between = (value: number, most: number): number => Math.min(most, Math.max(0, value));

function unionOf(faces: readonly Rect[]): Rect | null {
  if (faces.length === 0) return null;
  const x = Math.min(...faces.map((face) => face.x));
  const y = Math.min(...faces.map((face) => face.y));
  const right = Math.max(...faces.map((face) => face.x + face.width));
  const bottom = Math.max(...faces.map((face) => face.y + face.height));
  return { x, y, width: right - x, height: bottom - y };
}
