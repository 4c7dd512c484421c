/**
 * Live pictures of one size into an ffmpeg, each with the time at which it came, and sound if there is any. One is being
 * written and the newest wait, as many as there is room for; the rest are dropped and counted. An ffmpeg that is slow, or
 * stands still, holds nobody up.
 */

import type { Sound } from './sound.ts';
import type { Frame } from '../shared/types.ts';
import { type Ffmpeg, type FfmpegExit, startFfmpeg } from './ffmpeg.ts';
import { matroskaBlock, matroskaHeader, PICTURES, SOUND, type SoundFormat } from './matroska.ts';

export interface FeedOptions {
  /** ffmpeg's arguments from the codec on. */
  output: readonly string[];
  stdout?: 'inherit' | 'ignore';
  /** Room for waiting pictures; one always has some. Live pictures want none, so that they are never old. */
  roomBytes: number;
  /** What its sound is made of; it takes no other. */
  sound?: SoundFormat | null;
  /** ffmpeg went without having been told to. */
  onEnd(exit: FfmpegExit): void;
}

interface Block {
  track: typeof PICTURES | typeof SOUND;
  data: Uint8Array;
  atMs: number;
}

/** How long ffmpeg may take to write what it still has. */
const ENDING_MS = 20_000;
/** Sound that waits for ffmpeg: more than half a minute of it. */
const MOST_PIECES = 4000;
/** Pieces come in bursts, and follow one another. What is so far off its place was lost in between, or comes from a clock of its own. */
const ASTRAY_MS = 40;

/** How ffmpeg is to read its pipe: without looking ahead. */
const INPUT = ['-probesize', '32', '-analyzeduration', '0', '-fpsprobesize', '0', '-f', 'matroska', '-i', 'pipe:0'];

export class FfmpegFeed {
  readonly width: number;
  readonly height: number;
  readonly #ffmpeg: Ffmpeg;
  readonly #most: number;
  readonly #sound: SoundFormat | null;
  /** In the order in which they came. */
  readonly #waiting: Block[] = [];
  #pictures = 0;
  readonly #begunMs = performance.now();
  #lastMs = -1;
  /** Where the next piece of sound belongs. */
  #soundMs = 0;
  #isWriting = false;
  #isOver = false;
  frames = 0;
  dropped = 0;

  constructor({ width, height, data }: Frame, options: FeedOptions) {
    const { output, stdout = 'ignore', roomBytes, sound = null, onEnd } = options;
    this.width = width;
    this.height = height;
    this.#most = Math.max(1, Math.floor(roomBytes / data.length));
    this.#sound = sound;
    this.#ffmpeg = startFfmpeg([...INPUT, ...output], { stdin: 'pipe', stdout, isPatient: true });
    this.#ffmpeg.stdin?.write(matroskaHeader(width, height, sound));
    void this.#ffmpeg.exit.then((exit) => {
      const wasOver = this.#isOver;
      this.#isOver = true;
      this.#waiting.length = 0;
      this.#pictures = 0;
      if (!wasOver) onEnd(exit);
    });
  }

  /** The picture must be of this feed's size, and not be changed any more. */
  show({ data }: Frame): void {
    if (this.#isOver) return;
    // No two have the same time.
    this.#lastMs = Math.max(this.#lastMs + 1, Math.round(performance.now() - this.#begunMs));
    this.#put({ track: PICTURES, data, atMs: this.#lastMs });
  }

  /** Whether its sound is made of that. */
  isFor({ sampleRate, channelCount }: SoundFormat): boolean {
    return this.#sound?.sampleRate === sampleRate && this.#sound.channelCount === channelCount;
  }

  /** @param atMs when it would have come, had it not been behind the pictures, on performance.now(). */
  hear(sound: Sound, atMs: number): void {
    if (this.#isOver || !this.isFor(sound)) return;
    const { samples, numberOfFrames, sampleRate } = sound;
    const wantedMs = atMs - this.#begunMs;
    // Ahead of its time: this piece is left out. Behind: what is missing is silent.
    if (this.#soundMs - wantedMs > ASTRAY_MS) return;
    if (wantedMs - this.#soundMs > ASTRAY_MS) this.#soundMs = wantedMs;
    const data = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    this.#put({ track: SOUND, data, atMs: Math.round(this.#soundMs) });
    this.#soundMs += (1000 * numberOfFrames) / sampleRate;
  }

  #put(block: Block): void {
    const waiting = this.#waiting;
    waiting.push(block);
    if (block.track === PICTURES && ++this.#pictures > this.#most) {
      waiting.splice(
        waiting.findIndex(({ track }) => track === PICTURES),
        1,
      );
      this.#pictures--;
      this.dropped++;
    }
    if (waiting.length - this.#pictures > MOST_PIECES)
      waiting.splice(
        waiting.findIndex(({ track }) => track === SOUND),
        1,
      );
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
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.track === PICTURES) this.#pictures--;
      await this.#write(next);
    }
    this.#isWriting = false;
    if (this.#isOver) this.#ffmpeg.stdin?.end();
  }

  /** Resolves when it is in the pipe, or the pipe is broken. */
  #write({ track, data, atMs }: Block): Promise<void> {
    const { stdin } = this.#ffmpeg;
    return new Promise((resolve) => {
      stdin?.write(matroskaBlock(track, atMs, data.length));
      stdin?.write(data, (error) => {
        if (!error && track === PICTURES) this.frames++;
        resolve();
      });
    });
  }
}
