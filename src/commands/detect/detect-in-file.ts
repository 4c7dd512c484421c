/** Looks for the mark in a file: sharp reads pictures and animations, ffmpeg videos. */

import { decodePicture } from '../../faces/portrait.ts';
import { isAnimation, openAnimation } from '../../media/animation.ts';
import type { Clip } from '../../media/clip.ts';
import { openClip } from '../../media/clip-reader.ts';
import type { MessageLayout } from '../../watermark/chips.ts';
import { MarkDetector, type MarkFinding } from '../../watermark/mark-detector.ts';
import { openPicture, UNLIMITED } from '../render/render-picture.ts';

/** Longer side that a still picture is decoded at, in pixels. */
const LONGEST = 2400;
/** Pictures a second that are looked at, and how many make one search: ten seconds. */
const RATE = 4;
const PICTURES = 40;
/** Searches in a video until one finds the mark: its first minute. */
const SEARCHES = 6;

/** Searches a file. @throws FaceOffError `bad_picture`, `bad_clip`, `no_ffmpeg` where it cannot be read. */
export async function detectIn(file: string, layout: MessageLayout | null): Promise<MarkFinding> {
  const picture = await openPicture(file);
  if (picture === null) return detectInClip(await (isAnimation(file) ? openAnimation(file) : openClip(file)), layout);
  const { data, width, height } = await decodePicture(picture.data, { ...UNLIMITED, longest: LONGEST });
  const detector = new MarkDetector(layout);
  detector.add({ width, height, values: Float32Array.from(data.subarray(0, width * height)) });
  return detector.result();
}

/** The first search that finds the mark, else the one that came nearest. */
async function detectInClip(clip: Clip, layout: MessageLayout | null): Promise<MarkFinding> {
  const { width, height } = clip;
  const every = Math.max(1, Math.round(clip.fps / RATE));
  let best: MarkFinding | null = null;
  let detector = new MarkDetector(layout);
  const search = (): boolean => {
    const found = detector.result();
    if (best === null || found.score > best.score) best = found;
    detector = new MarkDetector(layout);
    return found.isMarked;
  };
  let frame = 0;
  let searches = 0;
  try {
    for await (const { data } of clip) {
      if (frame++ % every !== 0) continue;
      detector.add({ width, height, values: Float32Array.from(data.subarray(0, width * height)) });
      if (detector.pictures < PICTURES) continue;
      if (search() || ++searches === SEARCHES) return best!;
    }
    if (detector.pictures > 0 || best === null) search();
    return best!;
  } finally {
    clip.close();
  }
}
