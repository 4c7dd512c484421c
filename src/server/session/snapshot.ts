import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { frameToRgb } from '../../faces/portrait.ts';
import { sharp } from '../../lib/sharp.ts';
import type { PictureSigner } from '../../media/provenance/picture-signer.ts';
import { DISCLOSURE, xmpWithSource } from '../../media/provenance/xmp.ts';
import { planesOf } from '../../shared/i420.ts';
import type { Frame } from '../../shared/types.ts';

/**
 * Rows converted per pass of the event loop, which takes a millisecond or two: publishers' frames are handled in
 * between.
 */
const BAND = 64;

/**
 * A frame as a PNG file. Where a face was swapped in it, its EXIF and XMP metadata disclose that, and it is signed. Runs
 * on the main thread, in small steps.
 */
export async function snapshotOf(frame: Frame, signer: PictureSigner): Promise<Uint8Array> {
  const { width, height } = frame;
  const rgb = new Uint8Array(3 * width * height);
  for (let top = 0; top < height; top += BAND) {
    await yieldToEventLoop();
    rgb.set(frameToRgb(bandOf(frame, top, Math.min(BAND, height - top))), 3 * width * top);
  }
  const image = sharp(rgb, { raw: { width, height, channels: 3 } }).png();
  if (frame.isSwapped !== true) return image.toBuffer();
  const disclosed = image.withExif({ IFD0: { ImageDescription: DISCLOSURE } }).withXmp(xmpWithSource());
  return signer.sign(await disclosed.toBuffer(), 'created');
}

/** Some rows of a frame as a frame. @param top an even number, as one chroma row serves two luma rows. */
function bandOf({ width, height, data, receivedAtMs }: Frame, top: number, rows: number): Frame {
  const from = planesOf({ width, height });
  const to = planesOf({ width, height: rows });
  const chromaTop = from.chromaWidth * (top >> 1);
  const band = new Uint8Array(to.bytes);
  band.set(data.subarray(width * top, width * (top + rows)));
  for (const plane of ['u', 'v'] as const) {
    const at = from[plane] + chromaTop;
    band.set(data.subarray(at, at + to.chromaWidth * to.chromaHeight), to[plane]);
  }
  return { width, height: rows, data: band, receivedAtMs };
}
