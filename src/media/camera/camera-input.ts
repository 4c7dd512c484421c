/** Frames of a camera, a file or a network stream, read by ffmpeg in real time. */

import { setTimeout as pause } from 'node:timers/promises';
import { FaceOffError } from '../../shared/errors.ts';
import type { Frame } from '../../shared/types.ts';
import { readY4m } from '../clip-reader.ts';
import { ffmpegArgument, runFfmpeg, startFfmpeg } from '../ffmpeg.ts';
import { inputError, isDevice, isFile, isStandardInput } from './camera-errors.ts';
import { kindOf } from './camera-source.ts';
import { shownName } from './live-output.ts';

/** What is read, and how. */
export interface InputOptions {
  /** `/dev/video0`, a file, or an address that ffmpeg reads. */
  name: string;
  /** `1280x720`: frames are fitted into that; null keeps the size of the input. */
  size: string | null;
  /** Frames a second. */
  fps: number;
  /** Whether a file begins again at its end. */
  loop: boolean;
}

/** How long an input that is live may take for its first picture, and may then be silent, in milliseconds. */
const FIRST_FRAME_MS = 15_000;
const SILENT_MS = 5000;
/** What is stored catches up where it is late by less than this; what is later, as after a stall, goes on from there, evenly. */
const CATCH_UP_MS = 250;

/**
 * Calls `onFrame` for each frame. Resolves at the end of the input, or when `signal` aborts. A live input that falls silent with
 * its socket open is given up after SILENT_MS, so that it can be opened again.
 * @throws FaceOffError as `inputError`.
 */
export async function readInput(
  options: InputOptions,
  onFrame: (frame: Frame) => void,
  signal: AbortSignal,
): Promise<void> {
  const { name, size, fps } = options;
  const shown = shownName(name);
  const isCompressed = isDevice(name) && offersMjpeg(await describeFormats(name));
  const { isPaced, waits } = await kindOf(name, signal);
  if (signal.aborted) return;
  const ffmpeg = startFfmpeg(
    [...inputArguments(options, { isPaced, isCompressed }), ...outputArguments(size, fps, isPaced)],
    { stdin: isStandardInput(name) ? 'inherit' : 'ignore', stdout: 'pipe' },
  );
  const stop = (): void => ffmpeg.kill('SIGKILL');
  signal.addEventListener('abort', stop);
  const isWatched = !isFile(name);
  let isSilent = false;
  let silence: NodeJS.Timeout | undefined;
  const awaitFrame = (forMs: number): void => {
    clearTimeout(silence);
    if (!isWatched) return;
    silence = setTimeout(() => {
      isSilent = true;
      stop();
    }, forMs);
  };
  if (!waits) awaitFrame(FIRST_FRAME_MS);
  const check = async (): Promise<void> => {
    const exit = await ffmpeg.exit;
    if (isSilent) throw new FaceOffError('input_failed', `${shown} sends no pictures.`);
    if (exit.code !== 0 && !signal.aborted) throw inputError(name, exit);
  };
  try {
    const clip = await readY4m(ffmpeg.stdout!, shown, { finished: check, close: stop });
    const { width, height } = clip;
    let dueMs = performance.now();
    for await (const { data } of clip) {
      awaitFrame(SILENT_MS);
      if (isPaced) {
        const nowMs = performance.now();
        dueMs = Math.max(dueMs, nowMs - CATCH_UP_MS);
        if (dueMs > nowMs) await pause(dueMs - nowMs, undefined, { signal });
        dueMs += 1000 / fps;
      }
      onFrame({ width, height, data, receivedAtMs: performance.now() });
    }
  } catch (error) {
    // Why ffmpeg ended says more than that its output ends in the middle of a frame.
    if (!signal.aborted) await check();
    if (!signal.aborted) throw error;
  } finally {
    clearTimeout(silence);
    signal.removeEventListener('abort', stop);
    stop();
  }
}

/**
 * ffmpeg's arguments for an input.
 * @param isPaced whether its pictures wait for their time in `readInput`.
 * @param isCompressed whether a camera is asked for MJPEG.
 */
export function inputArguments(
  { name, size, fps, loop }: InputOptions,
  { isPaced, isCompressed = false }: { isPaced: boolean; isCompressed?: boolean },
): string[] {
  if (isDevice(name)) {
    const format = isCompressed ? ['-input_format', 'mjpeg'] : [];
    return [
      '-f',
      'v4l2',
      ...format,
      '-framerate',
      String(fps),
      ...(size === null ? [] : ['-video_size', size]),
      '-i',
      name,
    ];
  }
  const source = isStandardInput(name) ? 'pipe:0' : isFile(name) ? ffmpegArgument(name) : name;
  // Without a buffer what was read to find out the format is left out: it is old where others send, and all there is in a pipe.
  const isSent = !isPaced && !isFile(name);
  return [...(isSent ? ['-fflags', 'nobuffer'] : []), ...(loop ? ['-stream_loop', '-1'] : []), '-i', source];
}

/**
 * Whether a camera says that it has MJPEG: many have their full rate in that alone, as plain pictures are too much for
 * USB.
 */
export const offersMjpeg = (formats: string): boolean => /Compressed:\s+mjpeg\b/i.test(formats);

async function describeFormats(device: string): Promise<string> {
  // ffmpeg prints the formats, and then fails.
  const { said } = await runFfmpeg(['-v', 'info', '-f', 'v4l2', '-list_formats', 'all', '-i', device], {
    mostSaid: 1 << 16,
  });
  return said;
}

/** Filters that give `fps` frames a second of the input's own time. */
const atEvenRate = (fps: number): string[] => [`fps=${fps}`];

/**
 * Filters that pass a frame when it comes, at most `fps` a second. The input's own times are not used: those of live sources
 * jump, and a frame would wait for the next one, which tells how long it is to be shown.
 */
function asItComes(fps: number): string[] {
  // Variable 0 is how many frames may follow at once, as after a delay on the network; variable 1 is the last frame's time.
  const allowed = `st(0,min(2,if(n,ld(0),2)+${fps}*max(0,t-ld(1))))`;
  return [
    'settb=1/1000000',
    `setpts=RTCTIME-${Date.now() * 1000}`,
    `select='${allowed};st(1,t);if(gte(ld(0),0.99),st(0,ld(0)-1)*0+1,0)'`,
    // The time of the system may be set back.
    'setpts=N',
  ];
}

/** Arguments for an output of one size, in I420 with a webcam's colours (BT.601, limited range). */
function outputArguments(size: string | null, fps: number, isPaced: boolean): string[] {
  const [width, height] = size?.split('x') ?? [];
  const fit =
    size === null
      ? 'scale=trunc(iw/2)*2:trunc(ih/2)*2'
      : `scale=${width}:${height}:force_original_aspect_ratio=decrease,pad=${width}:${height}:-1:-1`;
  const rate = isPaced ? atEvenRate(fps) : asItComes(fps);
  const filters = [...rate, fit, 'scale=out_color_matrix=bt601:out_range=tv', 'format=yuv420p'].join(',');
  const timing = isPaced ? [] : ['-fps_mode', 'passthrough'];
  return ['-an', '-vf', filters, ...timing, '-f', 'yuv4mpegpipe', '-'];
}
