/**
 * Live pictures of one size into an ffmpeg, each with the time at which it came. One is being written and the newest
 * wait, as many as there is room for; the rest are dropped and counted. An ffmpeg that is slow, or stands still, holds
 * nobody up.
 */

import { type Ffmpeg, type FfmpegExit, startFfmpeg } from '../ffmpeg.ts';
import type { Frame } from '../pipeline/types.ts';
import { matroskaHeader, matroskaPicture } from './matroska.ts';

export interface FeedOptions {
  /** ffmpeg's arguments from the codec on. */
  output: readonly string[];
  stdout?: 'inherit' | 'ignore';
  /** Room for waiting pictures; one always has some. Live pictures want none, so that they are never old. */
  roomBytes: number;
  /** ffmpeg went without having been told to. */
  onEnd(exit: FfmpegExit): void;
}

interface Picture {
  data: Uint8Array;
  atMs: number;
}

/** How long ffmpeg may take to write what it still has. */
const ENDING_MS = 20_000;

/** How ffmpeg is to read its pipe: without looking ahead. */
const INPUT = ['-probesize', '32', '-analyzeduration', '0', '-fpsprobesize', '0', '-f', 'matroska', '-i', 'pipe:0'];

export class Feed {
  readonly width: number;
  readonly height: number;
  readonly #ffmpeg: Ffmpeg;
  readonly #most: number;
  readonly #waiting: Picture[] = [];
  readonly #begunMs = performance.now();
  #lastMs = -1;
  #isWriting = false;
  #isOver = false;
  frames = 0;
  dropped = 0;

  constructor({ width, height, data }: Frame, { output, stdout = 'ignore', roomBytes, onEnd }: FeedOptions) {
    this.width = width;
    this.height = height;
    this.#most = Math.max(1, Math.floor(roomBytes / data.length));
    this.#ffmpeg = startFfmpeg([...INPUT, ...output], { stdin: 'pipe', stdout, isPatient: true });
    this.#ffmpeg.stdin?.write(matroskaHeader(width, height));
    void this.#ffmpeg.exit.then((exit) => {
      const wasOver = this.#isOver;
      this.#isOver = true;
      this.#waiting.length = 0;
      if (!wasOver) onEnd(exit);
    });
  }

  /** The picture must be of this feed's size, and not be changed any more. */
  show({ data }: Frame): void {
    if (this.#isOver) return;
    // No two have the same time.
    this.#lastMs = Math.max(this.#lastMs + 1, Math.round(performance.now() - this.#begunMs));
    this.#waiting.push({ data, atMs: this.#lastMs });
    if (this.#waiting.length > this.#most) {
      this.#waiting.shift();
      this.dropped++;
    }
    if (!this.#isWriting) void this.#run();
  }

  /** Idempotent. Resolves when everything is written and ffmpeg is gone. */
  async end(): Promise<FfmpegExit> {
    this.#isOver = true;
    if (!this.#isWriting) this.#ffmpeg.stdin?.end();
    const patience = setTimeout(() => this.#ffmpeg.kill('SIGKILL'), ENDING_MS);
    const exit = await this.#ffmpeg.exit;
    clearTimeout(patience);
    return exit;
  }

  async #run(): Promise<void> {
    this.#isWriting = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) await this.#write(next);
    this.#isWriting = false;
    if (this.#isOver) this.#ffmpeg.stdin?.end();
  }

  /** Resolves when it is in the pipe, or the pipe is broken. */
  #write({ data, atMs }: Picture): Promise<void> {
    const { stdin } = this.#ffmpeg;
    return new Promise((resolve) => {
      stdin?.write(matroskaPicture(atMs, data.length));
      stdin?.write(data, (error) => {
        if (!error) this.frames++;
        resolve();
      });
    });
  }
}
