/** Frames of a camera, a file or a network stream, read by ffmpeg in real time. */

import { FaceOffError } from '../shared/errors.ts';
import type { Frame } from '../shared/types.ts';
import { inputError, isDevice, isFile } from './camera-errors.ts';
import { readY4m } from './clip-reader.ts';
import { ffmpegArgument, runFfmpeg, startFfmpeg } from './ffmpeg.ts';

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

/**
 * Calls `onFrame` for each frame. Resolves at the end of the input, or when `signal` aborts. A live input that falls silent with
 * its socket open is given up after SILENT_MS, so that it can be opened again.
 * @throws FaceOffError as `inputError`.
 */
export async function readInput(
  { name, size, fps, loop }: InputOptions,
  onFrame: (frame: Frame) => void,
  signal: AbortSignal,
): Promise<void> {
  const isCompressed = isDevice(name) && offersMjpeg(await describeFormats(name));
  const input = inputArguments({ name, size, fps, loop }, isCompressed);
  const ffmpeg = startFfmpeg([...input, ...fitted(size, fps)], { stdout: 'pipe' });
  const stop = (): void => ffmpeg.kill('SIGKILL');
  signal.addEventListener('abort', stop);
  let isSilent = false;
  let silence: NodeJS.Timeout | undefined;
  const awaitFrame = (forMs: number): void => {
    clearTimeout(silence);
    if (isFile(name)) return;
    silence = setTimeout(() => {
      isSilent = true;
      stop();
    }, forMs);
  };
  awaitFrame(FIRST_FRAME_MS);
  const check = async (): Promise<void> => {
    const exit = await ffmpeg.exit;
    if (isSilent) throw new FaceOffError('input_failed', `${name} sends no pictures.`);
    if (exit.code !== 0 && !signal.aborted) throw inputError(name, exit);
  };
  try {
    const clip = await readY4m(ffmpeg.stdout!, name, { finished: check, close: stop });
    const { width, height } = clip;
    for await (const { data } of clip) {
      awaitFrame(SILENT_MS);
      onFrame({ width, height, data, receivedAtMs: performance.now() });
    }
  } catch (error) {
    // Why ffmpeg ended says more than that its output ends in the middle of a frame.
    await check();
    if (!signal.aborted) throw error;
  } finally {
    clearTimeout(silence);
    signal.removeEventListener('abort', stop);
    stop();
  }
}

/** ffmpeg's arguments for an input. @param isCompressed whether a camera is asked for MJPEG. */
export function inputArguments({ name, size, fps, loop }: InputOptions, isCompressed = false): string[] {
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
  const again = loop ? ['-stream_loop', '-1'] : [];
  if (isFile(name)) return ['-re', ...again, '-i', ffmpegArgument(name)];
  // What is stored somewhere is read at its own pace; what is live has one, and waiting for it would only add delay.
  if (/^https?:/i.test(name) && !STORED.test(name))
    return ['-fflags', 'nobuffer', '-use_wallclock_as_timestamps', '1', ...again, '-i', name];
  const isLive = /^(rtsp|rtmp|srt|udp|rtp|tcp):/i.test(name);
  return [...(isLive ? ['-fflags', 'nobuffer'] : ['-re']), ...again, '-i', name];
}

/** Addresses of clips, which have an end, and of playlists. */
const STORED = /\.(mp4|m4v|mov|mkv|webm|avi|y4m|flv|m3u8|mpd)(\?|#|$)/i;

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

/** Arguments for an output of one size, in I420 with a webcam's colours (BT.601, limited range). */
function fitted(size: string | null, fps: number): string[] {
  const [width, height] = size?.split('x') ?? [];
  const fit =
    size === null
      ? 'scale=trunc(iw/2)*2:trunc(ih/2)*2'
      : `scale=${width}:${height}:force_original_aspect_ratio=decrease,pad=${width}:${height}:-1:-1`;
  const filters = `fps=${fps},${fit},scale=out_color_matrix=bt601:out_range=tv,format=yuv420p`;
  return ['-an', '-vf', filters, '-f', 'yuv4mpegpipe', '-'];
}
