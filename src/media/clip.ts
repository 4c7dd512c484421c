/** Clips as streams of I420 frames: what reading and writing share. */

import path from 'node:path';
import { FaceOffError, messageOf } from '../shared/errors.ts';
import type { ClipColour } from './clip-probe.ts';
import { type Ffmpeg, noFfmpeg } from './ffmpeg.ts';

/** One frame of a clip. */
export interface ClipFrame {
  /** When the frame is shown, in milliseconds, where the frames of a video have times of their own. */
  atMs?: number;
  /** I420, in a buffer of its own. */
  data: Uint8Array<ArrayBuffer>;
  /** How long the frame is shown, in milliseconds, where each frame has a time of its own. */
  delayMs?: number;
  /** Opacity of each pixel, 0..255, row by row; left out where every pixel is opaque. */
  alpha?: Uint8Array;
}

/** Frames of one size, one after another. */
export interface Clip extends AsyncIterable<ClipFrame> {
  width: number;
  height: number;
  /** Frames a second. */
  fps: number;
  /** The same rate as the fraction that y4m and ffmpeg write. */
  rate: { numerator: number; denominator: number };
  /** Whether luma is 0 to 255 instead of 16 to 235. */
  fullRange: boolean;
  /** Width over height of a pixel, as y4m has it: `1:1`; `0:0` where the file does not say. */
  pixelAspect?: string;
  /** Colours of a video, where its file says them. */
  colour?: ClipColour;
  /** Whether each frame says when it is shown. */
  hasOwnTimes?: boolean;
  /** Number of frames, as far as it is known before the end; null where it is not. */
  frames: number | null;
  /** How often an animation plays, 0 without end; left out for anything else. */
  loop?: number;
  /** The XMP packet of an animation. */
  xmp?: string;
  /** Lets the source go before its end. Idempotent. */
  close(): void;
}

/** Where the frames of a clip are written to. */
export interface ClipSink {
  write(frame: ClipFrame): Promise<void>;
  /**
   * Resolves when everything is on disk. @throws FaceOffError `bad_clip`.
   * @param isSwapped whether a face was swapped: then the file's XMP says so, where its format has any.
   */
  end(isSwapped?: boolean): Promise<void>;
  /** Stops without finishing the file. */
  abort(): Promise<void>;
}

/** Shortest time of a frame, in milliseconds, that browsers keep to; a shorter one they show for 100 ms. */
export const SHORTEST_MS = 20;
/** How long browsers show a frame with that time, in milliseconds. */
export const shownMs = (delayMs: number): number => (delayMs < SHORTEST_MS ? 100 : delayMs);

/** A file's ending, lower case, without the dot. */
export const endingOf = (file: string): string => path.extname(file).slice(1).toLowerCase();

/** Whether a file of that name is y4m, which FaceOff reads and writes itself. */
export const isY4m = (file: string): boolean => endingOf(file) === 'y4m';

/** Filter: 4:2:0 in the range that the input has, as a conversion would change every pixel. */
export const KEEP_RANGE = 'format=pix_fmts=yuv420p|yuvj420p';

/** The error `bad_output` of a clip whose file cannot be written, as where the disk is full. */
export const unwritable = (cause: unknown): FaceOffError =>
  new FaceOffError('bad_output', `The clip cannot be written: ${messageOf(cause).trim()}`, { cause });

/** The error `no_ffmpeg` of a clip. */
export const noFfmpegForClips = (): FaceOffError =>
  noFfmpeg('This format', 'Install it, or use y4m, png, jpeg or webp files.');

/** Resolves when an ffmpeg has ended without an error. @throws FaceOffError `no_ffmpeg`, `bad_clip`. */
export async function successOf({ exit }: Ffmpeg): Promise<void> {
  const { code, said, isMissing } = await exit;
  if (isMissing) throw noFfmpegForClips();
  if (code !== 0) throw new FaceOffError('bad_clip', `ffmpeg stopped: ${said || `code ${code}`}`);
}

/** The process or file behind the frames. */
export interface ClipSource {
  /** Resolves at its end. Rejects where it ended because of an error. */
  finished(): Promise<void>;
  /** Ends it early. */
  close(): void;
}
