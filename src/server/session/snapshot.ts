/** A still picture of what a session shows, as PNG that says what it is. */

import { setImmediate as turn } from 'node:timers/promises';
import sharp from 'sharp';
import { frameToRgb } from '../../faces/portrait.ts';
import type { Frame } from '../../shared/types.ts';
import { DISCLOSURE } from '../recording/recording-format.ts';

/** Rows converted in one turn of the event loop, a millisecond or two: publishers' pictures go on between any two. */
const BAND = 64;

/** IPTC's term for a picture of a camera in which a model changed something. */
const XMP = `<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia</Iptc4xmpExt:DigitalSourceType>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">${DISCLOSURE}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>`;

export async function snapshotOf(frame: Frame): Promise<Buffer> {
  const { width, height } = frame;
  const rgb = new Uint8Array(3 * width * height);
  for (let top = 0; top < height; top += BAND) {
    await turn();
    rgb.set(frameToRgb(bandOf(frame, top, Math.min(BAND, height - top))), 3 * width * top);
  }
  return sharp(rgb, { raw: { width, height, channels: 3 } })
    .withExif({ IFD0: { ImageDescription: DISCLOSURE } })
    .withXmp(XMP)
    .png()
    .toBuffer();
}

/** @param top even, as rows of colour are for two of light each. */
function bandOf({ width, height, data, receivedAtMs }: Frame, top: number, rows: number): Frame {
  const [cw, ch] = [(width + 1) >> 1, (height + 1) >> 1];
  const [from, count] = [top >> 1, (rows + 1) >> 1];
  const band = new Uint8Array(width * rows + 2 * cw * count);
  band.set(data.subarray(width * top, width * (top + rows)));
  for (const plane of [0, 1]) {
    const at = width * height + plane * cw * ch + cw * from;
    band.set(data.subarray(at, at + cw * count), width * rows + plane * cw * count);
  }
  return { width, height: rows, data: band, receivedAtMs };
}
