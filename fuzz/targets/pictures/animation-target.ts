import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openAnimation } from '../../../src/media/animation.ts';
import { planesOf } from '../../../src/shared/i420.ts';
import { mutatedBytes } from '../../mutate/mutate-bytes.ts';
import { holds, type Target } from '../../run/target.ts';
import { animationSamples } from './picture-samples.ts';

/** Animated GIF and WebP files of `faceoff render`. */
export const animationTarget: Target = {
  name: 'animation',
  reads: 'openAnimation (sharp): GIF, WebP',
  share: 0.5,
  growthBytes: 160 * 2 ** 20,
  async open(folder) {
    const samples = await animationSamples();
    return {
      make(random) {
        const kind = random.one(['gif', 'webp'] as const);
        return Buffer.concat([Buffer.from(`${kind}\n`), mutatedBytes([samples[kind]], random)]);
      },
      async feed(input) {
        const end = input.indexOf(10);
        const file = path.join(folder, `clip.${input.subarray(0, end)}`);
        await writeFile(file, input.subarray(end + 1));
        const { width, height, fps, ...clip } = await openAnimation(file);
        holds(Number.isFinite(fps) && fps > 0, `${fps} frames a second`);
        for await (const { data, delayMs = 0 } of clip) {
          holds(data.length === planesOf({ width, height }).bytes, 'a frame of another size than its planes');
          holds(Number.isInteger(delayMs) && delayMs >= 0, `a frame of ${delayMs} ms`);
        }
        return true;
      },
      usedBytes: async () => process.memoryUsage.rss(),
      close: async () => undefined,
    };
  },
};
