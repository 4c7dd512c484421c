/**
 * Live pictures of one size into an ffmpeg: one is being written, the newest waits, the rest are dropped and counted, so
 * that an ffmpeg that is slow, or stands still, holds nobody up. Each picture has the time at which it comes.
 */

import { type Ffmpeg, type FfmpegExit, startFfmpeg } from '../ffmpeg.ts';
import type { Frame } from '../pipeline/types.ts';
import { Latest } from './latest.ts';

/** How long ffmpeg may take to write what it still has. */
const ENDING_MS = 10_000;

export class Feed {
  readonly width: number;
  readonly height: number;
  readonly #ffmpeg: Ffmpeg;
  readonly #latest: Latest<Frame>;
  #isOver = false;
  frames = 0;
  dropped = 0;

  /**
   * @param output ffmpeg's arguments from the codec on.
   * @param onEnd ffmpeg went without having been told to.
   */
  constructor(
    { width, height }: Pick<Frame, 'width' | 'height'>,
    output: readonly string[],
    onEnd: (exit: FfmpegExit) => void,
    stdout: 'inherit' | 'ignore' = 'ignore',
  ) {
    this.width = width;
    this.height = height;
    this.#ffmpeg = startFfmpeg([...inputOf(width, height), ...output], { stdin: 'pipe', stdout, isPatient: true });
    this.#latest = new Latest(
      (frame) => this.#write(frame),
      // Those that come while ffmpeg is being started are before the beginning.
      () => {
        if (this.frames > 0) this.dropped++;
      },
    );
    void this.#ffmpeg.exit.then((exit) => {
      const wasOver = this.#isOver;
      this.#close();
      if (!wasOver) onEnd(exit);
    });
  }

  get pid(): number | undefined {
    return this.#ffmpeg.pid;
  }

  /** The picture must be of this feed's size, and not be changed any more. */
  show(frame: Frame): void {
    if (!this.#isOver) this.#latest.put(frame);
  }

  /** Idempotent. Resolves when everything is written and ffmpeg is gone. */
  async end(): Promise<FfmpegExit> {
    this.#close();
    const patience = setTimeout(() => this.#ffmpeg.kill('SIGKILL'), ENDING_MS);
    const exit = await this.#ffmpeg.exit;
    clearTimeout(patience);
    return exit;
  }

  #close(): void {
    this.#isOver = true;
    this.#latest.clear();
    this.#ffmpeg.stdin?.end();
  }

  /** Resolves when it is in the pipe, or the pipe is broken. */
  #write({ data }: Frame): Promise<void> {
    return new Promise((resolve) => {
      this.#ffmpeg.stdin!.write(data, (error) => {
        if (!error) this.frames++;
        resolve();
      });
    });
  }
}

/** The time base of pictures that come when they come; the frame rate is only what an encoder plans with. */
function inputOf(width: number, height: number): string[] {
  return [
    ...['-use_wallclock_as_timestamps', '1', '-probesize', '32', '-analyzeduration', '0'],
    ...[
      '-f',
      'rawvideo',
      '-pix_fmt',
      'yuv420p',
      '-video_size',
      `${width}x${height}`,
      '-framerate',
      '30',
      '-i',
      'pipe:0',
    ],
  ];
}
