/**
 * Encoders of H.264 that FFmpeg may have, as data: what each is named and how it is told to give one picture out for each
 * picture in, without delay, with keyframes that carry their parameter sets.
 */

import { AV } from './codec-library.ts';

/** Profiles to encode in: those that offers name by the first byte of `profile-level-id`. */
export type H264Profile = 'baseline' | 'main' | 'high';

/** An encoder of FFmpeg. */
export interface EncoderKind {
  /** FFmpeg's name. */
  name: string;
  /** Layout of its pictures in this process's memory. */
  pixelFormat: typeof AV.YUV420P | typeof AV.NV12;
  /** Its private options. What it does not know it ignores. */
  options(profile: H264Profile): Record<string, string>;
}

/** Quality (x264's constant rate factor, NVENC's constant quality) where the bit rate allows. */
const QUALITY = '24';

/** The encoder that is there wherever the package is. */
export const X264: EncoderKind = {
  name: 'libx264',
  pixelFormat: AV.YUV420P,
  // No keyframes at cuts: each is a burst of packets, and no viewer needs it.
  options: (profile) => ({
    preset: 'superfast',
    tune: 'zerolatency',
    profile,
    crf: QUALITY,
    'forced-idr': '1',
    sc_threshold: '0',
  }),
};

/**
 * Encoders in hardware that take pictures from this process's memory, in the order in which they are tried. VAAPI is not
 * among them: its pictures have to be in the GPU's memory already. None of them was run by FaceOff's authors; what does not
 * open or does not give pictures is replaced by x264.
 */
const HARDWARE: readonly EncoderKind[] = [
  {
    name: 'h264_nvenc',
    pixelFormat: AV.YUV420P,
    options: (profile) => ({
      preset: 'p2',
      tune: 'ull',
      profile,
      rc: 'vbr',
      cq: QUALITY,
      zerolatency: '1',
      delay: '0',
      'forced-idr': '1',
    }),
  },
  {
    name: 'h264_videotoolbox',
    pixelFormat: AV.YUV420P,
    options: (profile) => ({ profile, realtime: '1', prio_speed: '1', allow_sw: '0' }),
  },
  {
    name: 'h264_qsv',
    pixelFormat: AV.NV12,
    options: (profile) => ({ preset: 'veryfast', profile, async_depth: '1', forced_idr: '1', look_ahead: '0' }),
  },
  {
    name: 'h264_amf',
    pixelFormat: AV.YUV420P,
    options: (profile) => ({
      usage: 'ultralowlatency',
      quality: 'speed',
      profile: profile === 'baseline' ? 'constrained_baseline' : profile,
      forced_idr: '1',
      header_insertion_mode: 'idr',
    }),
  },
];

/** The encoders that are tried for a value of `webrtc.h264Encoder`, best first. */
export const encodersFor = (choice: 'auto' | 'x264'): readonly EncoderKind[] =>
  choice === 'auto' ? [...HARDWARE, X264] : [X264];
