/** The part of `faceoff render` for one picture: its size, transparency, colour profile and EXIF stay. */

import { open, readFile, writeFile } from 'node:fs/promises';
import { decodePicture, frameToRgb } from '../../faces/portrait.ts';
import { type Sharp, sharp } from '../../lib/sharp.ts';
import type { PictureSigner } from '../../media/provenance/picture-signer.ts';
import { LARGEST_JPEG_XMP, xmpWithSource } from '../../media/provenance/xmp.ts';
import { markPicture } from '../../pipeline/kernels/picture-watermark.ts';
import type { Badge } from '../../server/disclosure/badge.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { planesOf } from '../../shared/i420.ts';
import type { Frame, SeenFace, SwapSession } from '../../shared/types.ts';
import type { MessageLayout } from '../../watermark/chips.ts';
import { sessionWord } from '../../watermark/session-word.ts';
import { withoutPreviews, xmpWithoutPreviews } from './picture-previews.ts';

type OverlayOptions = Parameters<Sharp['composite']>[0][number];

/** Endings of pictures that are written. */
export const WRITTEN_PICTURES = /\.(png|jpe?g|jfif|webp|gif|avif|tiff?)$/i;
const JPEG = /\.(jpe?g|jfif)$/i;
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
  /** Whether the file has further pictures, which are not read: pages, or pictures that move. */
  hasMore: boolean;
  moves: boolean;
  /** Its XMP packet, where it has one. */
  xmp?: string;
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
  const { xmpAsString: xmp } = info;
  const size = { width, height: info.pageHeight ?? height };
  const moves = info.format === 'png' && isAnimatedPng(data);
  const more = { hasMore: moves || (info.pages ?? 1) > 1, moves };
  return { data, ...size, ...more, hasAlpha: info.hasAlpha === true, ...(xmp !== undefined && { xmp }) };
}

/** Whether a PNG has the chunk that an animation begins with (PNG, third edition, 11.3.6.1). */
function isAnimatedPng(png: Buffer): boolean {
  const pixels = png.indexOf('IDAT');
  return png.subarray(0, Math.max(0, pixels)).includes('acTL');
}

/** Bytes of a file's head that say what it is. */
const BRAND_BYTES = 12;

/** Whether a file is a sequence of pictures of the kind HEIF (ISO/IEC 23008-12) or AVIF, which only ffmpeg reads. */
export async function isPictureSequence(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer } = await handle.read(Buffer.alloc(BRAND_BYTES), 0, BRAND_BYTES, 0);
    return /^ftyp(avis|hevc|hevx|msf1)$/.test(buffer.toString('latin1', 4));
  } finally {
    await handle.close();
  }
}

/** What a picture is swapped and written with. */
export interface PictureParts {
  session: SwapSession;
  /** The mark that a changed picture gets; null for none. */
  badge: Badge | null;
  signer: PictureSigner;
  /** Layout of the invisible mark, for a session that does not mark its frames itself; null for none. */
  watermark: MessageLayout | null;
}

/**
 * Swaps the faces of a picture and writes it, signed where its format can be. A picture in which no face is found is
 * tried lying and upside down.
 * @returns every face that was found. @throws FaceOffError `bad_picture`, `bad_output`.
 */
export async function renderPicture(
  { session, badge, signer, watermark }: PictureParts,
  picture: PictureFile,
  output: string,
): Promise<SeenFace[]> {
  let upright: Sharp | null = null;
  for (const turn of TURNS) {
    const before = await turned(picture.data, turn);
    const { frame, faces } = await session.swap({ ...before, data: before.data.slice() });
    if (turn === 0 && session.settings.background !== 'none') upright = changedPart(before, frame);
    if (!faces.some(({ swapped }) => swapped)) continue;
    const part = await changedPart(before, frame).rotate(-turn).png().toBuffer();
    const above = watermark === null ? part : await marked(picture, part, watermark);
    const over: OverlayOptions[] = [{ input: above, blend: 'atop' }];
    if (badge !== null) over.push(overlayOf(badge, picture));
    await writeSwapped(picture, { over, signer }, output);
    return faces;
  }
  // What hides the room stays where no face is found.
  const over: OverlayOptions[] = upright === null ? [] : [{ input: await upright.png().toBuffer(), blend: 'atop' }];
  const isSame = over.length === 0;
  const image = isSame ? written(picture, over, output).keepExif().keepXmp() : await changed(picture, over, output);
  if (!isSame && picture.xmp !== undefined) image.withXmp(xmpWithoutPreviews(picture.xmp));
  await image.toFile(output).catch(refuse);
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

/** The whole picture with what was changed laid over it, and the invisible mark in it, to lay over the file's own. */
async function marked({ data }: PictureFile, part: Buffer, layout: MessageLayout): Promise<Buffer> {
  const { data: pixels, info } = await sharp(data, { limitInputPixels: false })
    .autoOrient()
    .composite([{ input: part, blend: 'atop' }])
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

/** The mark as a layer of the picture, also where that is transparent. */
function overlayOf(badge: Badge, picture: PictureFile): OverlayOptions {
  const { data, width, height, left, top } = badge.overlay(picture.width, picture.height);
  return { input: data, raw: { width, height, channels: 4 }, left, top };
}

/** Writes the picture with what was changed laid over it, and says in its XMP that a face was swapped. */
async function writeSwapped(
  picture: PictureFile,
  { over, signer }: { over: OverlayOptions[]; signer: PictureSigner },
  output: string,
): Promise<void> {
  const mostBytes = JPEG.test(output) ? LARGEST_JPEG_XMP : Number.POSITIVE_INFINITY;
  const image = await changed(picture, over, output);
  image.withXmp(xmpWithSource(picture.xmp && xmpWithoutPreviews(picture.xmp), mostBytes));
  const file = await image.toBuffer().catch(refuse);
  await writeFile(output, await signer.sign(file, 'edited')).catch(refuse);
}

/** The picture with what was changed laid over it. The previews in its EXIF show what it hides, and go. */
async function changed(picture: PictureFile, over: OverlayOptions[], output: string): Promise<Sharp> {
  const { exif } = await sharp(picture.data, { limitInputPixels: false }).metadata();
  const data = withoutPreviews(picture.data, exif);
  const image = written({ ...picture, data: data ?? picture.data }, over, output);
  // Where they cannot be taken out, EXIF goes as a whole.
  return data === null ? image : image.keepExif();
}

/**
 * The picture with what was changed laid over it, in the format of the output; a transparent pixel of the swap stays
 * transparent.
 */
function written({ data, hasAlpha }: PictureFile, over: OverlayOptions[], output: string): Sharp {
  const image = sharp(data, { limitInputPixels: false }).autoOrient();
  if (over.length > 0) image.composite(over);
  if (!hasAlpha) image.removeAlpha();
  // The output's format follows from its ending. What a format cannot hold, such as transparency in a JPEG, is white.
  if (JPEG.test(output)) image.flatten({ background: '#ffffff' }).jpeg({ quality: 95 });
  else if (/\.webp$/i.test(output)) image.webp({ quality: 95 });
  else if (/\.avif$/i.test(output)) image.avif({ quality: 80 });
  else if (/\.gif$/i.test(output)) image.gif();
  else if (/\.tiff?$/i.test(output)) image.tiff({ compression: 'lzw', predictor: 'horizontal' });
  else image.png();
  return image.keepIccProfile();
}

function refuse(cause: unknown): never {
  throw new FaceOffError('bad_output', `The picture cannot be written: ${messageOf(cause)}.`, { cause });
}
