/** Decodes pictures that people bring, within limits, upright, to one I420 frame; and chooses the face to take of it. */

import { type Metadata, sharp } from '../lib/sharp.ts';
import { type FoundFace, PORTRAIT_SIDE } from '../pipeline/pool/lane-protocol.ts';
import { FaceOffError } from '../shared/errors.ts';
import { planesOf } from '../shared/i420.ts';
import type { Frame } from '../shared/types.ts';
import { isPicture } from './pictures/picture-format.ts';

/** The most that a picture may be, or cost. Limits that are left out do not hold. */
export interface PictureLimits {
  /** Bytes of the file. */
  bytes: number;
  /** Width times height. */
  pixels: number;
  /** Width and height each, in pixels. */
  side?: number;
  /** Longest side of the decoded picture, in pixels; 1600 where it is left out. */
  longest?: number;
  /** Bytes of memory that decoding may take. */
  memory?: number;
  /** Milliseconds that decoding may take, rounded up to whole seconds. */
  timeMs?: number;
}

/** Formats that sharp may decode here: no vector formats, no documents. */
const FORMATS = ['jpeg', 'png', 'webp', 'gif', 'avif', 'heif', 'tiff'];
/** Least distance between the outer corners of the eyes, in pixels; below it the swapped face is blurred. */
const LEAST_EYES = 36;
const MOST_YAW_DEGREES = 50;
const MOST_PITCH_DEGREES = 40;
/** Indices of the outer corners of the eyes among the landmarks. */
const EYE_CORNERS = [33, 263] as const;

/**
 * Decodes a picture file: EXIF orientation applied, alpha on mid grey, sRGB, at most 1600 pixels long. The cost is
 * estimated from the header before anything is decoded. Decoding runs on a thread of sharp's.
 * @throws FaceOffError `bad_picture` (415), `picture_too_large` (413), `picture_too_slow` (422).
 */
export async function decodePicture(data: Uint8Array, limits: PictureLimits): Promise<Frame> {
  checkBytes(data, limits);
  const options = { failOn: 'error', pages: 1 } as const;
  const info = await sharp(data, { ...options, limitInputPixels: false })
    .metadata()
    .catch((cause: unknown) => {
      throw unreadable(cause);
    });
  if (!FORMATS.includes(info.format ?? '')) throw unreadable(info.format);
  checkCost(info, limits);
  const decoding = sharp(data, { ...options, limitInputPixels: limits.pixels })
    .rotate()
    .flatten({ background: '#808080' })
    .toColourspace('srgb')
    .raw();
  const { longest = PORTRAIT_SIDE } = limits;
  if (Number.isFinite(longest))
    decoding.resize({ width: longest, height: longest, fit: 'inside', withoutEnlargement: true });
  if (limits.timeMs !== undefined) decoding.timeout({ seconds: Math.ceil(limits.timeMs / 1000) });
  const { data: rgb, info: raw } = await decoding.toBuffer({ resolveWithObject: true }).catch((cause: Error) => {
    throw cause.message.includes('timeout:') ? tooSlow(cause) : unreadable(cause);
  });
  return rgbToFrame(rgb, raw.width, raw.height, raw.channels);
}

/**
 * What can be told of a file before it is decoded.
 * @throws FaceOffError `picture_too_large` (413), `bad_picture` (415) for a file that begins as no picture does.
 */
export function checkBytes(data: Uint8Array, { bytes }: PictureLimits): void {
  if (data.byteLength > bytes) throw tooLarge(`has more than ${megabytes(bytes)} MB`);
  if (!isPicture(data)) throw unreadable('it begins as none of these formats');
}

/** The error for a file that is no picture: `bad_picture` (415). */
export const unreadable = (cause: unknown): FaceOffError =>
  new FaceOffError(
    'bad_picture',
    'This file is not a picture that can be read. Use a JPEG, PNG, WebP, AVIF, GIF or TIFF picture.',
    { cause },
  );

const BYTES_OF_DEPTH: Record<string, number> = {
  ushort: 2,
  short: 2,
  uint: 4,
  int: 4,
  float: 4,
  complex: 8,
  double: 8,
  dpcomplex: 16,
};
/** Bytes a pixel that decoding AV1 takes, as the picture is decoded as a whole: 830 MB for 7000 x 7000. */
const AV1_BYTES = 17;

/** @throws FaceOffError `picture_too_large` (413). */
function checkCost(info: Metadata, { pixels, side = Infinity, memory = Infinity }: PictureLimits): void {
  const { width, height, channels = 4, depth = 'uchar' } = info;
  const size = `has ${width} x ${height} pixels`;
  if (width * height > pixels) throw tooLarge(`${size}, more than ${Math.round(pixels / 1e6)} million`);
  if (Math.max(width, height) > side) throw tooLarge(`${size}, more than ${side} on a side`);
  const sample = BYTES_OF_DEPTH[depth] ?? 1;
  // A progressive picture is held as a whole, beside its coefficients.
  const held = info.isProgressive ? 3 : 1;
  const each = info.format === 'heif' ? AV1_BYTES : channels * sample * held;
  if (width * height * each > memory)
    throw tooLarge(`${size} and takes more than ${megabytes(memory)} MB of memory to decode`);
}

const tooLarge = (why: string): FaceOffError =>
  new FaceOffError('picture_too_large', `The picture ${why}. Save it smaller and try again.`);

/** The error for a picture that takes too long: `picture_too_slow` (422). */
export const tooSlow = (cause: Error): FaceOffError =>
  new FaceOffError(
    'picture_too_slow',
    'The picture takes too long to decode. Save it smaller, or as a JPEG, and try again.',
    { cause },
  );

const megabytes = (bytes: number): number => Math.round(bytes / 2 ** 20);

/** Interleaved RGB (or grey), 0..255, to I420 (BT.601, limited range), chroma as the mean of four. */
export function rgbToFrame(rgb: Uint8Array, width: number, height: number, channels: number): Frame {
  const { chromaWidth, chromaHeight, u, v, bytes } = planesOf({ width, height });
  const cells = chromaWidth * chromaHeight;
  const data = new Uint8Array(bytes);
  const green = channels >= 3 ? 1 : 0;
  const blue = channels >= 3 ? 2 : 0;
  const sums = new Float32Array(3 * cells);
  const counts = new Uint8Array(cells);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * channels;
      const [r, g, b] = [rgb[at]!, rgb[at + green]!, rgb[at + blue]!];
      data[y * width + x] = Math.round(16 + 0.256788 * r + 0.504129 * g + 0.097906 * b);
      const cell = (y >> 1) * chromaWidth + (x >> 1);
      sums[3 * cell]! += r;
      sums[3 * cell + 1]! += g;
      sums[3 * cell + 2]! += b;
      counts[cell]!++;
    }
  }
  for (let cell = 0; cell < cells; cell++) {
    const n = counts[cell]!;
    const [r, g, b] = [sums[3 * cell]! / n, sums[3 * cell + 1]! / n, sums[3 * cell + 2]! / n];
    data[u + cell] = Math.round(128 - 0.148223 * r - 0.290993 * g + 0.439216 * b);
    data[v + cell] = Math.round(128 + 0.439216 * r - 0.367788 * g - 0.071427 * b);
  }
  return { width, height, data, receivedAtMs: 0 };
}

/** I420 back to interleaved RGB, 0..255, chroma nearest. */
export function frameToRgb({ width, height, data }: Frame): Uint8Array<ArrayBuffer> {
  const planes = planesOf({ width, height });
  const rgb = new Uint8Array(width * height * 3);
  const clamp = (value: number): number => Math.max(0, Math.min(255, Math.round(value)));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const cell = (y >> 1) * planes.chromaWidth + (x >> 1);
      const luma = 1.164384 * (data[y * width + x]! - 16);
      const u = data[planes.u + cell]! - 128;
      const v = data[planes.v + cell]! - 128;
      const at = (y * width + x) * 3;
      rgb[at] = clamp(luma + 1.596027 * v);
      rgb[at + 1] = clamp(luma - 0.391762 * u - 0.812968 * v);
      rgb[at + 2] = clamp(luma + 2.017232 * u);
    }
  }
  return rgb;
}

/**
 * Chooses the face of a picture that is enrolled.
 * @param pick index of the face, where there are several.
 * @throws FaceOffError `no_face` (422), `several_faces` (409, details: SeveralFaces), `face_too_small`, `face_turned` (422).
 */
export function chooseFace(picture: { width: number; height: number }, faces: FoundFace[], pick?: number): FoundFace {
  if (faces.length === 0) {
    throw new FaceOffError(
      'no_face',
      'There is no face in this picture, or it is too small or too dark to be found. Use a picture in which the face is large, lit and turned to the camera.',
    );
  }
  if (faces.length > 1 && pick === undefined) {
    const details = {
      width: picture.width,
      height: picture.height,
      faces: faces.map(({ box }, index) => ({ index, ...box })),
    };
    throw new FaceOffError('several_faces', `There are ${faces.length} faces in this picture. Pick the one to use.`, {
      details,
    });
  }
  const face = faces[pick ?? 0];
  if (face === undefined) {
    throw new FaceOffError(
      'no_such_face',
      `There is no face number ${pick} in this picture: it shows ${faces.length}.`,
    );
  }
  const [right, left] = EYE_CORNERS;
  const eyes = Math.hypot(
    face.points[right * 3]! - face.points[left * 3]!,
    face.points[right * 3 + 1]! - face.points[left * 3 + 1]!,
  );
  if (Math.abs(face.yawDegrees) > MOST_YAW_DEGREES || Math.abs(face.pitchDegrees) > MOST_PITCH_DEGREES) {
    throw new FaceOffError(
      'face_turned',
      'The face in this picture is turned too far from the camera. Use one in which both eyes are well in view.',
    );
  }
  if (eyes < LEAST_EYES) {
    throw new FaceOffError(
      'face_too_small',
      `The face in this picture is too small: ${Math.round(eyes)} pixels between the eyes, at least ${LEAST_EYES} are needed. Use a larger picture or one taken from nearer.`,
    );
  }
  return face;
}
