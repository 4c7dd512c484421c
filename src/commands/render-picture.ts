/** The part of `faceoff render` for one picture: its size, transparency, colour profile and EXIF stay. */

import { readFile } from 'node:fs/promises';
import { decodePicture, frameToRgb } from '../faces/portrait.ts';
import { type Sharp, sharp } from '../lib/sharp.ts';
import { markPicture } from '../pipeline/kernels/picture-watermark.ts';
import { FaceOffError, messageOf } from '../shared/errors.ts';
import { planesOf } from '../shared/i420.ts';
import type { Frame, SeenFace, SwapSession } from '../shared/types.ts';
import type { MessageLayout } from '../watermark/chips.ts';
import { sessionWord } from '../watermark/session-word.ts';

/** Endings of pictures that are written. */
export const WRITTEN_PICTURES = /\.(png|jpe?g|jfif|webp|gif|avif|tiff?)$/i;
/** Formats that sharp decodes as a picture of pixels. */
const READ_FORMATS = ['jpeg', 'png', 'webp', 'gif', 'avif', 'heif', 'tiff'];
/** A camera's picture may lie on its side, or stand on its head. */
const TURNS = [0, 90, 270, 180] as const;
/** Limits of a picture that a person names: its memory alone. */
export const UNLIMITED = { bytes: Number.POSITIVE_INFINITY, pixels: 1e9, longest: Number.POSITIVE_INFINITY };

/** A picture to swap faces in. */
export interface PictureFile {
  data: Uint8Array;
  width: number;
  height: number;
  hasAlpha: boolean;
}

/** Opens a file as one picture that stands still; null where it is none, or moves: then only its head is read. */
export async function openPicture(file: string): Promise<PictureFile | null> {
  const info = await sharp(file, { pages: -1, limitInputPixels: false })
    .metadata()
    .catch(() => null);
  if (info === null || !READ_FORMATS.includes(info.format ?? '')) return null;
  if ((info.format === 'gif' || info.format === 'webp') && (info.pages ?? 1) > 1) return null;
  const { width, height } = info.autoOrient;
  const data = await readFile(file);
  return { data, width, height: info.pageHeight ?? height, hasAlpha: info.hasAlpha === true };
}

/**
 * Swaps the faces of a picture and writes it. A picture in which no face is found is tried lying and upside down.
 * @param mark layout of the invisible mark, for a session that does not mark its frames itself; null for none.
 * @returns every face that was found. @throws FaceOffError `bad_picture`, `bad_output`.
 */
export async function renderPicture(
  session: SwapSession,
  picture: PictureFile,
  output: string,
  mark: MessageLayout | null,
): Promise<SeenFace[]> {
  for (const turn of TURNS) {
    const before = await turned(picture.data, turn);
    const { frame, faces } = await session.swap({ ...before, data: before.data.slice() });
    if (!faces.some(({ swapped }) => swapped)) continue;
    const changed = await changedPart(before, frame).rotate(-turn).png().toBuffer();
    await write(picture, mark === null ? changed : await marked(picture, changed, mark), output);
    return faces;
  }
  await write(picture, null, output);
  return [];
}

async function turned(data: Uint8Array, degrees: number): Promise<Frame> {
  if (degrees === 0) return decodePicture(data, UNLIMITED);
  return decodePicture(
    await sharp(data, { limitInputPixels: false }).autoOrient().rotate(degrees).png().toBuffer(),
    UNLIMITED,
  );
}

/** The pixels that a swap changed, on nothing. */
function changedPart(before: Frame, after: Frame): Sharp {
  const { width, height } = before;
  const { chromaWidth, u, v } = planesOf(before);
  const rgb = frameToRgb(after);
  const rgba = new Uint8Array(width * height * 4);
  const differs = (p: number): boolean => before.data[p] !== after.data[p];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const p = y * width + x;
      const c = (y >> 1) * chromaWidth + (x >> 1);
      if (!differs(p) && !differs(u + c) && !differs(v + c)) continue;
      rgba.set(rgb.subarray(3 * p, 3 * p + 3), 4 * p);
      rgba[4 * p + 3] = 255;
    }
  }
  return sharp(rgba, { raw: { width, height, channels: 4 }, limitInputPixels: false });
}

/** The whole picture with what was changed laid over it, and the mark in it, as a picture to lay over the file's own. */
async function marked({ data }: PictureFile, changed: Buffer, layout: MessageLayout): Promise<Buffer> {
  const { data: pixels, info } = await sharp(data, { limitInputPixels: false })
    .autoOrient()
    .composite([{ input: changed, blend: 'atop' }])
    .removeAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  await markPicture({ data: pixels, width, height }, layout, sessionWord(''));
  return sharp(pixels, { raw: { width, height, channels: 3 }, limitInputPixels: false })
    .png()
    .toBuffer();
}

/** Writes the picture with another laid over it; a transparent pixel stays transparent. */
async function write({ data, hasAlpha }: PictureFile, above: Buffer | null, output: string): Promise<void> {
  const image = sharp(data, { limitInputPixels: false }).autoOrient();
  if (above !== null) image.composite([{ input: above, blend: 'atop' }]);
  if (!hasAlpha) image.removeAlpha();
  // The output's format follows from its ending. What a format cannot hold, such as transparency in a JPEG, is white.
  if (/\.(jpe?g|jfif)$/i.test(output)) image.flatten({ background: '#ffffff' }).jpeg({ quality: 95 });
  else if (/\.webp$/i.test(output)) image.webp({ quality: 95 });
  else if (/\.avif$/i.test(output)) image.avif({ quality: 80 });
  await image
    .keepExif()
    .keepIccProfile()
    .toFile(output)
    .catch((cause: unknown) => {
      throw new FaceOffError('bad_output', `The picture cannot be written: ${messageOf(cause)}.`, { cause });
    });
}
