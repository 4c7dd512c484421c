import { decodePicture, type PictureLimits } from '../../../src/faces/portrait.ts';
import { planesOf } from '../../../src/shared/i420.ts';
import { mutatedBytes } from '../../mutate/mutate-bytes.ts';
import { holds, type Target } from '../../run/target.ts';
import { pictureSamples } from './picture-samples.ts';

/** The limits of a server by default, with a time that leaves room for its rounding. */
const LIMITS: PictureLimits = { bytes: 20 * 2 ** 20, pixels: 50e6, side: 16_384, memory: 512 * 2 ** 20, timeMs: 4000 };

/** Pictures, decoded in this process by the code that decodes uploads. */
export const pictureTarget: Target = {
  name: 'picture',
  reads: 'decodePicture (sharp): PNG, JPEG, WebP, GIF, AVIF, SVG, TIFF',
  share: 1.5,
  parallel: 2,
  growthBytes: 160 * 2 ** 20,
  async open() {
    const samples = await pictureSamples();
    return {
      make: (random) => mutatedBytes(samples, random),
      async feed(input) {
        const { width, height, data } = await decodePicture(input, LIMITS);
        holds(data.length === planesOf({ width, height }).bytes, 'a frame of another size than its planes');
        return true;
      },
      usedBytes: async () => process.memoryUsage.rss(),
      close: async () => undefined,
    };
  },
};
