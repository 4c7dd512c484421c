import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { frameToRgb } from '../../faces/portrait.ts';
import { sharp } from '../../lib/sharp.ts';
import { planesOf } from '../../shared/i420.ts';
import type { Frame } from '../../shared/types.ts';
import { DISCLOSURE } from '../recording/recording-format.ts';

/**
 * Rows converted per pass of the event loop, which takes a millisecond or two: publishers' frames are handled in
 * between.
 */
const BAND = 64;

/** XMP metadata with IPTC's term for a camera picture in which a model changed something. */
const XMP = `<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia</Iptc4xmpExt:DigitalSourceType>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">${DISCLOSURE}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>`;

/**
 * A frame as a PNG file whose EXIF and XMP metadata disclose the modification. Runs on the main thread, in small
 * steps.
 */
export async function snapshotOf(frame: Frame): Promise<Buffer> {
  const { width, height } = frame;
  const rgb = new Uint8Array(3 * width * height);
  for (let top = 0; top < height; top += BAND) {
    await yieldToEventLoop();
    rgb.set(frameToRgb(bandOf(frame, top, Math.min(BAND, height - top))), 3 * width * top);
  }
  return sharp(rgb, { raw: { width, height, channels: 3 } })
    .withExif({ IFD0: { ImageDescription: DISCLOSURE } })
    .withXmp(XMP)
    .png()
    .toBuffer();
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
