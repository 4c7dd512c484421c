/** Animated GIF and WebP, read and written by sharp. Each frame has a time of its own, and may be transparent. */

import path from 'node:path';
import { frameToRgb, rgbToFrame } from '../faces/portrait.ts';
import { sharp } from '../lib/sharp.ts';
import { FaceOffError, messageOf } from '../shared/errors.ts';
import { type Clip, type ClipFrame, type ClipSink, SHORTEST_MS, shownMs, unwritable } from './clip.ts';
import { xmpWithSource } from './provenance/xmp.ts';

/** Frames decoded at once: to reach a frame of a GIF, sharp decodes all frames before it again. */
const CHUNK = 64;
/** Most pixels of all frames together, as they are in memory when the file is written: 3 bytes a pixel. */
const MOST_PIXELS = 250e6;

/** Whether a file of that name is written, and may be read, as an animation. */
export const isAnimation = (file: string): boolean => /\.(gif|webp)$/i.test(file);

/** Opens an animation for reading. @throws FaceOffError `bad_clip`. */
export async function openAnimation(file: string): Promise<Clip> {
  const bad = (cause: unknown): FaceOffError =>
    new FaceOffError('bad_clip', `${file} cannot be read: ${messageOf(cause)}`, { cause });
  const info = await sharp(file, { pages: -1, limitInputPixels: false })
    .metadata()
    .catch((cause: unknown) => {
      throw bad(cause);
    });
  const { width, pages = 1, pageHeight: height = info.height, delay = [], loop = 0, xmpAsString: xmp } = info;
  const times = Array.from({ length: pages }, (_, n) => delay[n] ?? 0);
  const tickMs = times.map(shownMs).reduce(gcd);

  async function* frames(): AsyncGenerator<ClipFrame> {
    for (let page = 0; page < pages; page += CHUNK) {
      const some = Math.min(CHUNK, pages - page);
      const { data } = await sharp(file, { page, pages: some, limitInputPixels: false, failOn: 'error' })
        .toColourspace('srgb')
        .ensureAlpha()
        .raw()
        .toBuffer({ resolveWithObject: true })
        .catch((cause: unknown) => {
          throw bad(cause);
        });
      const size = 4 * width * height;
      for (let n = 0; n < some; n++) {
        const rgba = data.subarray(n * size, (n + 1) * size);
        const alpha = alphaOf(rgba);
        yield {
          data: rgbToFrame(rgba, width, height, 4).data,
          delayMs: times[page + n]!,
          ...(alpha !== null && { alpha }),
        };
      }
    }
  }
  return {
    width,
    height,
    loop,
    ...(xmp !== undefined && { xmp }),
    fps: 1000 / tickMs,
    frames: pages,
    fullRange: false,
    rate: { numerator: 1000, denominator: tickMs },
    // No file stays open between frames.
    close: () => undefined,
    [Symbol.asyncIterator]: frames,
  };
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** The opacity of every pixel of RGBA data; null where all are opaque. */
function alphaOf(rgba: Uint8Array): Uint8Array | null {
  const alpha = new Uint8Array(rgba.length / 4);
  let isTransparent = false;
  for (let i = 0; i < alpha.length; i++) {
    alpha[i] = rgba[4 * i + 3]!;
    isTransparent ||= alpha[i] !== 255;
  }
  return isTransparent ? alpha : null;
}

/** @throws FaceOffError `too_long` when a clip has, or is expected to have, more frames than fit into memory. */
export function refuseLong({ width, height, frames }: Pick<Clip, 'width' | 'height' | 'frames'>): void {
  if (frames === null || frames * width * height <= MOST_PIXELS) return;
  const most = Math.floor(MOST_PIXELS / (width * height));
  throw new FaceOffError(
    'too_long',
    `An animation of ${width} x ${height} can have ${most} pictures here. Make the clip shorter or smaller, or write a video.`,
  );
}

/**
 * A sink that collects the frames and writes the file at its end.
 * @throws FaceOffError `too_long` when there are more frames than fit into memory.
 */
export function animationSink(file: string, clip: Clip, { lossless }: { lossless: boolean }): ClipSink {
  const { width, height, loop = 0, fps, xmp } = clip;
  const isGif = path.extname(file).toLowerCase() === '.gif';
  // A GIF counts in hundredths of a second, and no browser shows a frame for only one of them.
  const stepMs = isGif ? 10 : 1;
  const leastMs = isGif ? SHORTEST_MS : 1;
  const pictures: Uint8Array[] = [];
  const delays: number[] = [];
  let seen = 0;
  let writtenMs = 0;
  refuseLong(clip);
  return {
    async write({ data, delayMs, atMs, alpha }) {
      seen++;
      // The rounding error of a frame's time is made up for by the next frames.
      const isOwn = delayMs !== undefined && atMs === undefined;
      const endMs = delayMs === undefined || atMs === undefined ? (1000 * seen) / fps : atMs + delayMs;
      const delay = isOwn ? delayMs : Math.round(endMs / stepMs) * stepMs - writtenMs;
      if (!isOwn && delay < leastMs) return;
      writtenMs += delay;
      refuseLong({ width, height, frames: pictures.length + 1 });
      pictures.push(withAlpha(frameToRgb({ width, height, data, receivedAtMs: 0 }), alpha));
      delays.push(delay);
    },
    async end(isSwapped) {
      // One transparent frame gives all frames an alpha channel.
      const channels = pictures.some(({ length }) => length === 4 * width * height) ? 4 : 3;
      const all = pictures.splice(0).map((picture) => (channels === 4 ? opaque(picture, width * height) : picture));
      if (all.length === 0) throw new FaceOffError('bad_clip', 'The clip has no pictures.');
      const image = sharp(Buffer.concat(all), {
        raw: { width, height: height * all.length, channels, pageHeight: height },
        limitInputPixels: false,
      });
      if (isSwapped === true) image.withXmp(xmpWithSource(xmp));
      const timing = { delay: delays, loop };
      await (isGif ? image.gif(timing) : image.webp({ ...timing, lossless, quality: 90 }))
        .toFile(file)
        .catch((cause: unknown) => {
          throw unwritable(cause);
        });
    },
    async abort() {
      pictures.length = 0;
    },
  };
}

function withAlpha(rgb: Uint8Array, alpha: Uint8Array | undefined): Uint8Array {
  if (alpha === undefined) return rgb;
  const rgba = new Uint8Array(4 * alpha.length);
  for (let i = 0; i < alpha.length; i++) {
    rgba.set(rgb.subarray(3 * i, 3 * i + 3), 4 * i);
    rgba[4 * i + 3] = alpha[i]!;
  }
  return rgba;
}

const opaque = (picture: Uint8Array, pixels: number): Uint8Array =>
  picture.length === 4 * pixels ? picture : withAlpha(picture, new Uint8Array(pixels).fill(255));
