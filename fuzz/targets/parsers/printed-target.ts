import { iceServersInLinks } from '../../../src/client/peer/link-header.ts';
import { offersMjpeg } from '../../../src/media/camera/camera-input.ts';
import { hasOwnTimes, parseStreams } from '../../../src/media/clip-probe.ts';
import { readLine } from '../../../src/server/monitor/nvidia-smi.ts';
import { mutatedText } from '../../mutate/mutate-text.ts';
import { holds, type Target } from '../../run/target.ts';

const PRINTED = [
  [
    "Input #0, matroska,webm, from 'clip.webm':",
    '  Duration: 00:01:02.50, start: 0.000000, bitrate: 1205 kb/s',
    '  Stream #0:0(eng): Video: vp8, yuv420p(tv, bt470bg/unknown/unknown, progressive), 640x480, SAR 1:1 DAR 4:3, 29.97 fps, 1k tbr, 1k tbn (default)',
    '  Stream #0:1(eng): Audio: opus, 48000 Hz, stereo, fltp (default)',
    '  Stream #0:2: Subtitle: subrip',
  ].join('\n'),
  'NVIDIA H200, 570.1, 9.0, 1024, 141000, 35',
  '[v4l2] Compressed:       mjpeg :          Motion-JPEG : 640x480 1280x720',
  '<stun:stun.example:3478>; rel="ice-server", <turn:t.example>; rel="ice-server"; username="a\\"b"; credential="c"; credential-type="password"',
];

/** What ffmpeg, nvidia-smi and servers say: titles and names in it are strangers'. */
export const printedTarget: Target = {
  name: 'printed',
  reads: 'parseStreams, readLine (nvidia-smi), offersMjpeg, iceServersInLinks',
  share: 0.5,
  growthBytes: 16 * 2 ** 20,
  open: async () => ({
    make: (random) => Buffer.from(mutatedText(PRINTED, random)),
    feed(input) {
      const text = input.toString();
      const probe = parseStreams(text);
      hasOwnTimes(probe);
      for (const value of [probe.fps, probe.tickRate, probe.durationMs])
        holds(value === null || (Number.isFinite(value) && value >= 0), `a figure of ${value}`);
      holds(
        Object.values(probe.colour).every((name) => name === null || /^[\w-]+$/.test(name)),
        'a colour with other letters',
      );
      readLine(text);
      offersMjpeg(text);
      iceServersInLinks(text);
      return probe.sounds.length > 0;
    },
    close: async () => undefined,
  }),
};
