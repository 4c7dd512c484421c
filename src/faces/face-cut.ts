/** Pictures of faces to keep or to show. */

import { type Sharp, sharp } from '../lib/sharp.ts';
import type { FoundFace } from '../pipeline/pool/lane-protocol.ts';
import type { Frame } from '../shared/types.ts';
import { frameToRgb } from './portrait.ts';

/** Side of the square that is kept of a photo, as a multiple of the larger side of the face's box. */
const CUT = 2.4;

/** A frame as a picture to encode. */
export const imageOf = (frame: Frame): Sharp =>
  sharp(frameToRgb(frame), { raw: { width: frame.width, height: frame.height, channels: 3 } });

/** The square of the picture around the face, as lossless WebP; the rest of the picture is not kept. */
export async function cut(picture: Frame, { box }: FoundFace): Promise<Uint8Array> {
  const side = CUT * Math.max(box.width, box.height);
  const left = Math.max(0, Math.floor(box.x + box.width / 2 - side / 2));
  const top = Math.max(0, Math.floor(box.y + box.height / 2 - side / 2));
  const width = Math.min(picture.width - left, Math.ceil(side));
  const height = Math.min(picture.height - top, Math.ceil(side));
  return imageOf(picture).extract({ left, top, width, height }).webp({ lossless: true }).toBuffer();
}
