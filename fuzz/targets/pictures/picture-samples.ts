/** Small pictures of every kind that people bring. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { root } from '../../../src/lib/package-root.ts';

/** One picture with a face in every format, large enough for the face to be found, and a small plain one. */
export async function pictureSamples(): Promise<Buffer[]> {
  const portrait = readFileSync(path.join(root, 'models/portraits/astronaut.webp'));
  const face = await sharp(portrait).resize(320).toBuffer();
  const plain = await sharp({ create: { width: 24, height: 17, channels: 4, background: '#8040c080' } })
    .png()
    .toBuffer();
  const samples: Buffer[] = [];
  for (const source of [plain, face]) {
    const picture = sharp(source);
    samples.push(
      await picture
        .clone()
        .withExif({ IFD0: { Artist: 'x' } })
        .withIccProfile('p3')
        .jpeg({ progressive: true })
        .toBuffer(),
      await picture.clone().jpeg().toBuffer(),
      await picture.clone().png({ palette: true }).toBuffer(),
      await picture.clone().png({ progressive: true }).toBuffer(),
      await picture.clone().webp().toBuffer(),
      await picture.clone().webp({ lossless: true }).toBuffer(),
      await picture.clone().gif().toBuffer(),
      await picture.clone().avif({ effort: 0 }).toBuffer(),
      await picture.clone().tiff({ compression: 'lzw' }).toBuffer(),
      await picture.clone().tiff({ tile: true, pyramid: true }).toBuffer(),
    );
  }
  samples.push(
    Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><image href="file:///etc/passwd"/><rect width="8" height="8"/></svg>',
    ),
  );
  return samples;
}

/** An animation of three frames in each format that has them. */
export async function animationSamples(): Promise<Record<'gif' | 'webp', Buffer>> {
  const page = { width: 20, height: 15, channels: 4 as const };
  const raw = Buffer.alloc(page.width * page.height * 3 * 4);
  for (let at = 0; at < raw.length; at++) raw[at] = (at * 7) & 255;
  const picture = sharp(raw, { raw: { ...page, height: 3 * page.height, pageHeight: page.height } });
  const timing = { delay: [40, 70, 100], loop: 2 };
  return { gif: await picture.clone().gif(timing).toBuffer(), webp: await picture.clone().webp(timing).toBuffer() };
}
