/** Pictures of a camera, a file or a network stream, as ffmpeg reads them, at the pace at which they are taken. */

import type { Frame } from '../shared/types.ts';
import { inputError, isDevice } from './camera-errors.ts';
import { readY4m } from './clip.ts';
import { startFfmpeg } from './ffmpeg.ts';

export interface InputOptions {
  name: string;
  /** `1280x720`: fitted into it; without one as it comes. */
  size: string | null;
  fps: number;
  /** Begins a file again at its end. */
  loop: boolean;
}

/**
 * Resolves at the end of the input, or when it is called off.
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
    // What was cut off in the middle of a picture is no clip; why it was is the better reason.
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
  // What is live comes at its own pace; anything else would come as fast as it can be read.
  const isLive = /^(rtsp|rtmp|srt|udp|rtp|tcp):/i.test(name);
  return [...(isLive ? [] : ['-re']), ...(loop ? ['-stream_loop', '-1'] : []), '-i', name];
}

/** I420 in the colours of a webcam, of one size to the end. */
function fitted(size: string | null, fps: number): string[] {
  const [width, height] = size?.split('x') ?? [];
  const fit =
    size === null
      ? 'scale=trunc(iw/2)*2:trunc(ih/2)*2'
      : `scale=${width}:${height}:force_original_aspect_ratio=decrease,pad=${width}:${height}:-1:-1`;
  const filters = `fps=${fps},${fit},scale=out_color_matrix=bt601:out_range=tv,format=yuv420p`;
  return ['-an', '-vf', filters, '-f', 'yuv4mpegpipe', '-'];
}
