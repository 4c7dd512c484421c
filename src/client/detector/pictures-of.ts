/** Decodes a file in the browser to pictures of luma. */

import type { GrayPicture } from '../../watermark/residual.ts';

/** Longer side of a picture, in pixels. */
const LONGEST = 2400;
/** Seconds of a video that are looked at, and between two pictures of it. */
const SECONDS = 10;
const STEP_S = 0.25;
/** A video that does not get to a picture by then has no more. */
const SEEK_MS = 5000;

/** The pictures of a file, with the share of it that is done. @throws Error where the browser cannot decode it. */
export async function* picturesOf(file: File): AsyncGenerator<{ picture: GrayPicture; done: number }> {
  const gray = grayscale();
  if (!file.type.startsWith('video/')) {
    const picture = await createImageBitmap(file);
    yield { picture: gray(picture, picture.width, picture.height), done: 1 };
    picture.close();
    return;
  }
  const video = document.createElement('video');
  video.muted = true;
  video.preload = 'auto';
  video.src = URL.createObjectURL(file);
  try {
    await event(video, 'loadeddata');
    // A recording by a browser may not say how long it is.
    const end = Math.min(SECONDS, Number.isFinite(video.duration) ? video.duration : SECONDS);
    for (let atS = 0; atS < end; atS += STEP_S) {
      if (!(await seek(video, atS))) return;
      yield { picture: gray(video, video.videoWidth, video.videoHeight), done: Math.min(1, (atS + STEP_S) / end) };
    }
  } finally {
    URL.revokeObjectURL(video.src);
    video.removeAttribute('src');
  }
}

/** @throws Error where the video has an error first. */
function event(video: HTMLVideoElement, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    video.addEventListener(name, () => resolve(), { once: true });
    video.addEventListener('error', () => reject(new Error(video.error?.message ?? 'not a video')), { once: true });
  });
}

/** Shows the picture at a time. @returns whether there is one. */
async function seek(video: HTMLVideoElement, atS: number): Promise<boolean> {
  if (atS === 0) return true;
  const seeked = event(video, 'seeked').then(() => true);
  video.currentTime = atS;
  const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), SEEK_MS));
  return (await Promise.race([seeked, late])) && video.currentTime >= atS - STEP_S / 2;
}

type Drawable = HTMLVideoElement | ImageBitmap;

/** Makes a function that draws something and reads its luma (BT.601). */
function grayscale(): (source: Drawable, width: number, height: number) => GrayPicture {
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  return (source, width, height) => {
    const factor = Math.min(1, LONGEST / Math.max(width, height));
    canvas.width = Math.round(width * factor);
    canvas.height = Math.round(height * factor);
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const values = new Float32Array(canvas.width * canvas.height);
    for (let i = 0; i < values.length; i++)
      values[i] = 0.299 * data[4 * i]! + 0.587 * data[4 * i + 1]! + 0.114 * data[4 * i + 2]!;
    return { width: canvas.width, height: canvas.height, values };
  };
}
