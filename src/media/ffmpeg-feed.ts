/** Live frames and sound into the standard input of an ffmpeg. */

import type { Frame } from '../shared/types.ts';
import { type Ffmpeg, type FfmpegExit, startFfmpeg } from './ffmpeg.ts';
import { fitFrame } from './fit-frame.ts';
import { matroskaBlock, matroskaHeader, PICTURES, SOUND, type SoundFormat } from './matroska.ts';
import type { Sound } from './sound.ts';

/** What a feed starts its ffmpeg with. */
export interface FeedOptions {
  /** ffmpeg's arguments from the codec on. */
  output: readonly string[];
  /** Where ffmpeg's standard output goes; nowhere where it is left out. */
  stdout?: 'inherit' | 'ignore';
  /** Bytes for waiting frames; one frame may always wait. 0 keeps live frames from getting old. */
  roomBytes: number;
  /** The format of its sound; sound of another format is ignored. Null or left out: no sound. */
  sound?: SoundFormat | null;
  /** Called when ffmpeg ended before `end` was called. */
  onEnd(exit: FfmpegExit): void;
}

interface Block {
  track: typeof PICTURES | typeof SOUND;
  data: Uint8Array;
  atMs: number;
}

/** How long ffmpeg may take to finish its output, in milliseconds, where the caller does not say. */
const ENDING_MS = 20_000;
/** Most pieces of sound that wait for ffmpeg: more than half a minute. */
const MOST_PIECES = 4000;
/**
 * Pieces of sound come in bursts and follow one another without a gap. A piece that is further than this from its place
 * follows lost ones, or comes from a clock that runs at another rate.
 */
const GAP_MS = 40;

/** Arguments that make ffmpeg read its pipe without looking ahead. */
const INPUT = ['-probesize', '32', '-analyzeduration', '0', '-fpsprobesize', '0', '-f', 'matroska', '-i', 'pipe:0'];

/**
 * Writes live frames into an ffmpeg, as pictures of one size, each with the time at which it came, and sound if there is any. One
 * block is being written and the newest wait, within `roomBytes`; older frames are dropped and counted. A slow ffmpeg,
 * or one that stands still, delays no caller.
 */
export class FfmpegFeed {
  readonly width: number;
  readonly height: number;
  readonly #ffmpeg: Ffmpeg;
  readonly #mostFrames: number;
  readonly #sound: SoundFormat | null;
  /** Blocks in the order in which they came. */
  readonly #waiting: Block[] = [];
  /** Number of frames among the waiting blocks. */
  #waitingFrames = 0;
  readonly #startedMs = performance.now();
  #lastMs = -1;
  /** Place of the next piece of sound, in milliseconds since the start. */
  #soundMs = 0;
  #isWriting = false;
  #writingSinceMs = 0;
  #hasEnded = false;
  /** Number of frames written. */
  frames = 0;
  /** Number of frames dropped, as ffmpeg was slow. */
  dropped = 0;

  constructor({ width, height, data }: Frame, options: FeedOptions) {
    const { output, stdout = 'ignore', roomBytes, sound = null, onEnd } = options;
    this.width = width;
    this.height = height;
    this.#mostFrames = Math.max(1, Math.floor(roomBytes / data.length));
    this.#sound = sound;
    this.#ffmpeg = startFfmpeg([...INPUT, ...output], { stdin: 'pipe', stdout, isPatient: true });
    this.#ffmpeg.stdin?.write(matroskaHeader(width, height, sound));
    void this.#ffmpeg.exit.then((exit) => {
      const wasEnded = this.#hasEnded;
      this.#hasEnded = true;
      this.#waiting.length = 0;
      this.#waitingFrames = 0;
      if (!wasEnded) onEnd(exit);
    });
  }

  /** Whether a frame would lose detail in this feed: it has more pixels. */
  isTooSmallFor({ width, height }: Frame): boolean {
    return width * height > this.width * this.height;
  }

  /** Writes a frame, fitted into this feed's size where it has another one. Its data must not change after this. */
  show(frame: Frame): void {
    if (this.#hasEnded) return;
    const isOwnSize = frame.width === this.width && frame.height === this.height;
    const { data } = isOwnSize ? frame : fitFrame(frame, this.width, this.height);
    // No two frames have the same time.
    this.#lastMs = Math.max(this.#lastMs + 1, Math.round(performance.now() - this.#startedMs));
    this.#enqueue({ track: PICTURES, data, atMs: this.#lastMs });
  }

  /** For how long ffmpeg has not taken what is being written to it, in milliseconds; 0 while nothing is. */
  get stalledMs(): number {
    return this.#isWriting ? performance.now() - this.#writingSinceMs : 0;
  }

  /** Ends an ffmpeg that is not going to take more; `onEnd` is called as for any that ends by itself. */
  kill(): void {
    this.#ffmpeg.kill('SIGKILL');
  }

  /** Whether its sound has that format. */
  isFor({ sampleRate, channelCount }: SoundFormat): boolean {
    return this.#sound?.sampleRate === sampleRate && this.#sound.channelCount === channelCount;
  }

  /** Writes a piece of sound. @param atMs when it was heard, delayed as the frames are, on performance.now(). */
  writeSound(sound: Sound, atMs: number): void {
    if (this.#hasEnded || !this.isFor(sound)) return;
    const { samples, numberOfFrames, sampleRate } = sound;
    const wantedMs = atMs - this.#startedMs;
    // A piece ahead of its time is left out; a gap before a late piece is silent.
    if (this.#soundMs - wantedMs > GAP_MS) return;
    if (wantedMs - this.#soundMs > GAP_MS) this.#soundMs = wantedMs;
    const data = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    this.#enqueue({ track: SOUND, data, atMs: Math.round(this.#soundMs) });
    this.#soundMs += (1000 * numberOfFrames) / sampleRate;
  }

  #enqueue(block: Block): void {
    const waiting = this.#waiting;
    waiting.push(block);
    if (block.track === PICTURES && ++this.#waitingFrames > this.#mostFrames) {
      waiting.splice(
        waiting.findIndex(({ track }) => track === PICTURES),
        1,
      );
      this.#waitingFrames--;
      this.dropped++;
    }
    if (waiting.length - this.#waitingFrames > MOST_PIECES)
      waiting.splice(
        waiting.findIndex(({ track }) => track === SOUND),
        1,
      );
    if (!this.#isWriting) void this.#drain();
  }

  /**
   * Closes ffmpeg's input. Idempotent. Resolves when everything is written and ffmpeg has ended.
   * @param withinMs an ffmpeg that takes longer is ended, with what it has not written.
   */
  async end(withinMs = ENDING_MS): Promise<FfmpegExit> {
    this.#hasEnded = true;
    if (!this.#isWriting) this.#ffmpeg.stdin?.end();
    const timeout = setTimeout(() => this.#ffmpeg.kill('SIGKILL'), withinMs);
    const exit = await this.#ffmpeg.exit;
    clearTimeout(timeout);
    return exit;
  }

  async #drain(): Promise<void> {
    this.#isWriting = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.track === PICTURES) this.#waitingFrames--;
      this.#writingSinceMs = performance.now();
      await this.#write(next);
    }
    this.#isWriting = false;
    if (this.#hasEnded) this.#ffmpeg.stdin?.end();
  }

  /** Resolves when the block is in the pipe, or the pipe is broken. */
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
