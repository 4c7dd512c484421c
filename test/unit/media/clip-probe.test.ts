import { expect, test } from 'vitest';
import { parseStreams } from '../../../src/media/clip-probe.ts';

const said = (duration: string, rate: string): string =>
  `  Duration: ${duration}, start: 0.000000\n  Stream #0:0: Video: vp8, yuv420p, 640x480, ${rate} fps, 1k tbr, 1k tbn\n`;

test('the duration and the rates of a clip are read', () => {
  expect(parseStreams(said('00:01:02.50', '29.97'))).toMatchObject({ durationMs: 62_500, fps: 29.97, tickRate: 1000 });
});

test.each([
  ['1:01:..', '30'],
  ['N/A', '30'],
  ['00:00:01.00', '...'],
])('a figure that is none is not read: %s, %s fps', (duration, rate) => {
  const { durationMs, fps } = parseStreams(said(duration, rate));
  for (const value of [durationMs, fps]) expect(value === null || Number.isFinite(value)).toBe(true);
});

test.each([
  [
    'h264 (High 4:4:4 Predictive), gbrp(pc, gbr/unknown/unknown, progressive), 320x216',
    { isRgb: true, isInterlaced: false },
  ],
  ['png, rgb24(pc), 640x480', { isRgb: true }],
  ['rawvideo (BGR[24] / 0x18524742), bgr24, 64x64', { isRgb: true }],
  ['h264 (High 4:2:2) (avc1 / 0x31637661), yuv422p(top first), 320x216', { isRgb: false, isInterlaced: true }],
  ['mpeg2video (Main), yuv420p(tv, bt470bg, bottom coded first (swapped)), 720x576', { isInterlaced: true }],
  ['prores (4444) (ap4h / 0x68347061), yuva444p12le(tv, progressive), 320x216', { isRgb: false, isInterlaced: false }],
])('what pictures are made of is read: %s', (video, expected) => {
  expect(parseStreams(`  Stream #0:0[0x1](und): Video: ${video}, 30 fps, 30 tbr\n`)).toMatchObject(expected);
});

test('a file of sound alone is told from one that ffmpeg cannot read', () => {
  expect(parseStreams('  Stream #0:0: Audio: aac (LC), 44100 Hz, mono\n').hasVideo).toBe(false);
  expect(parseStreams('x.mp4: Invalid data found when processing input\n').hasVideo).toBeNull();
});

test('what is no sound and no moving picture is counted, and how subtitles are shown is read', () => {
  const lines = [
    '  Duration: 00:00:02.00, start: 1.500000, bitrate: 1 kb/s',
    '  Stream #0:0[0x1](jpn): Video: vp9 (Profile 0), yuv420p(tv), 320x240, 12 fps, 12 tbr, 1k tbn (default)',
    '      alpha_mode      : 1',
    '      timecode        : 01:00:00;12',
    '  Stream #0:1[0x0]: Video: mjpeg (Baseline), yuvj420p(pc), 512x512, 90k tbr (attached pic)',
    '  Stream #0:2(spa): Subtitle: subrip (forced)',
    '  Stream #0:3: Subtitle: ass (default)',
    '  Stream #0:4: Attachment: ttf',
  ];
  expect(parseStreams(`${lines.join('\n')}\n`)).toMatchObject({
    ...{
      startMs: 1500,
      hasAlpha: true,
      language: 'jpn',
      timecode: '01:00:00;12',
      videos: 1,
      covers: 1,
      attachments: 1,
    },
    subtitles: [
      { codec: 'subrip', isDefault: false, isForced: true },
      { codec: 'ass', isDefault: true, isForced: false },
    ],
  });
});

test.each([
  ['prores (4444), yuva444p12le(tv, progressive), 320x240', true],
  ['qtrle (rle  / 0x20656C72), argb(progressive), 320x240', true],
  ['h264 (High), yuv420p(progressive), 320x240', false],
  // ffmpeg calls every GIF so.
  ['gif, bgra, 320x240', false],
])('whether pictures may be transparent is read: %s', (video, hasAlpha) => {
  expect(parseStreams(`  Stream #0:0: Video: ${video}, 30 fps, 30 tbr\n`).hasAlpha).toBe(hasAlpha);
});
