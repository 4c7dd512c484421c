/** Frames of a camera, a file or a network stream, read by ffmpeg in real time. */

import type { Frame } from '../shared/types.ts';
import { inputError, isDevice } from './camera-errors.ts';
import { readY4m } from './clip-reader.ts';
import { startFfmpeg } from './ffmpeg.ts';

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

/**
 * Calls `onFrame` for each frame. Resolves at the end of the input, or when `signal` aborts.
 * @throws FaceOffError as `inputError`.
 */
export async function readInput(
  { name, size, fps, loop }: InputOptions,
  onFrame: (frame: Frame) => void,
  signal: AbortSignal,
): Promise<void> {
  const ffmpeg = startFfmpeg([...inputArguments(name, size, fps, loop), ...fitted(size, fps)], { stdout: 'pipe' });
  const stop = (): void => ffmpeg.kill('SIGKILL');
  signal.addEventListener('abort', stop);
  const check = async (): Promise<void> => {
    const exit = await ffmpeg.exit;
    if (exit.code !== 0 && !signal.aborted) throw inputError(name, exit);
  };
  try {
    const clip = await readY4m(ffmpeg.stdout!, name, { finished: check, close: stop });
    const { width, height } = clip;
    for await (const { data } of clip) onFrame({ width, height, data, receivedAtMs: performance.now() });
  } catch (error) {
    // Why ffmpeg ended says more than that its output ends in the middle of a frame.
    await check();
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

function inputArguments(name: string, size: string | null, fps: number, loop: boolean): string[] {
  if (isDevice(name))
    return ['-f', 'v4l2', '-framerate', String(fps), ...(size === null ? [] : ['-video_size', size]), '-i', name];
  // A live stream has a pace of its own; ffmpeg would read anything else as fast as it can.
  const isLive = /^(rtsp|rtmp|srt|udp|rtp|tcp):/i.test(name);
  return [...(isLive ? [] : ['-re']), ...(loop ? ['-stream_loop', '-1'] : []), '-i', name];
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
