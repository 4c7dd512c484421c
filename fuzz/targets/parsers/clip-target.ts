import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openClip } from '../../../src/media/clip-reader.ts';
import { runFfmpeg } from '../../../src/media/ffmpeg.ts';
import { matroskaBlock, matroskaHeader, PICTURES, SOUND } from '../../../src/media/matroska.ts';
import { planesOf } from '../../../src/shared/i420.ts';
import { mutatedBytes } from '../../mutate/mutate-bytes.ts';
import { holds, type Target } from '../../run/target.ts';

const SIZE = { width: 32, height: 24 };

/** Pictures with sound at uneven times, as FaceOff writes them itself. */
function ownMatroska(): Buffer {
  const { bytes } = planesOf(SIZE);
  const sound = Buffer.alloc(960);
  const parts = [matroskaHeader(SIZE.width, SIZE.height, { sampleRate: 48_000, channelCount: 1 })];
  for (const atMs of [0, 33, 80, 130]) {
    parts.push(matroskaBlock(PICTURES, atMs, bytes), Buffer.alloc(bytes, atMs));
    parts.push(matroskaBlock(SOUND, atMs, sound.length), sound);
  }
  return Buffer.concat(parts);
}

/** Files that ffmpeg makes itself, by their endings. */
const CODINGS: Record<string, readonly string[]> = {
  webm: ['-c:v', 'libvpx', '-deadline', 'realtime'],
  mp4: ['-c:v', 'libx264', '-preset', 'ultrafast'],
  avi: ['-c:v', 'mjpeg'],
};

/** Clips of `faceoff render`, through ffmpeg, which reads each in a process of its own. */
export const clipTarget: Target = {
  name: 'clip',
  reads: 'openClip, probeClip (ffmpeg): Matroska, WebM, MP4, AVI',
  share: 0.6,
  growthBytes: 24 * 2 ** 20,
  async open(folder) {
    const samples: Record<string, Buffer> = { mkv: ownMatroska() };
    for (const [ending, coding] of Object.entries(CODINGS)) {
      const file = path.join(folder, `sample.${ending}`);
      const picture = ['-f', 'lavfi', '-i', 'testsrc=size=32x24:rate=10', '-t', '0.5'];
      const { code, said } = await runFfmpeg(['-y', ...picture, ...coding, file]);
      if (code !== 0) throw new Error(`ffmpeg makes no ${ending}: ${said}`);
      samples[ending] = await readFile(file);
    }
    return {
      make(random) {
        const ending = random.one(['mkv', 'mkv', ...Object.keys(CODINGS)]);
        return Buffer.concat([Buffer.from(`${ending}\n`), mutatedBytes([samples[ending]!], random)]);
      },
      async feed(input) {
        const end = input.indexOf(10);
        const file = path.join(folder, `clip.${input.subarray(0, end)}`);
        await writeFile(file, input.subarray(end + 1));
        const { width, height, fps, ...clip } = await openClip(file);
        holds(Number.isFinite(fps) && fps > 0, `${fps} frames a second`);
        try {
          let left = 50;
          for await (const { data, delayMs = 1 } of clip) {
            holds(data.length === planesOf({ width, height }).bytes, 'a frame of another size than its planes');
            holds(Number.isFinite(delayMs), `a frame of ${delayMs} ms`);
            if (--left === 0) break;
          }
        } finally {
          clip.close();
        }
        return true;
      },
      close: async () => undefined,
    };
  },
};
