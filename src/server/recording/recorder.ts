/**
 * One recording of a session's pictures as they are shown, and of its sound. A picture of another size begins the next file,
 * and so does sound where there was none. It ends when
 * it is stopped, when its session ends, and when there is no more room: that ends the recording, and nothing else.
 */

import type { FfmpegExit } from '../../media/ffmpeg.ts';
import { noFfmpeg } from '../../media/ffmpeg.ts';
import { FfmpegFeed } from '../../media/ffmpeg-feed.ts';
import type { SoundFormat } from '../../media/matroska.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { ErrorBody, RecordingState } from '../../shared/messages.ts';
import type { Frame } from '../../shared/types.ts';
import type { Sound } from '../audio/sound.ts';
import { errorBody } from '../http/error-reply.ts';
import { FORMATS, type RecordingFormat } from './recording-format.ts';
import { diskFull, type RecordingsFolder, stampOf } from './recordings-folder.ts';

export interface RecorderParts {
  folder: RecordingsFolder;
  format: RecordingFormat;
  /** What the files are called, after the time. */
  name: string;
  /** Whether sound can be written. */
  isHeard: boolean;
  /** Told once, when every file is finished. */
  onEnd(state: RecordingState): void;
}

interface Part {
  feed: FfmpegFeed;
  path: string;
}

const WATCH_MS = 1000;
/** Pictures that wait while ffmpeg starts, or is slow for a moment: a second of 1280x720. */
const ROOM_BYTES = 40 * 2 ** 20;

export class Recorder {
  readonly #parts: RecorderParts;
  readonly #base: string;
  readonly #begunAt = new Date();
  readonly #begunAtMs = performance.now();
  readonly #watch: NodeJS.Timeout;
  #part: Part | null = null;
  /** What the sound is made of, once there is any. */
  #sound: SoundFormat | null = null;
  #count = 0;
  /** Files are finished one after another. */
  #finishing: Promise<void> = Promise.resolve();
  #files: string[] = [];
  #bytes = 0;
  #openBytes = 0;
  #frames = 0;
  #dropped = 0;
  #lastedMs: number | null = null;
  #error: ErrorBody | null = null;
  #ended: Promise<RecordingState> | null = null;
  #isFinished = false;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#base = `${stampOf(this.#begunAt)}-${parts.name}`;
    this.#watch = setInterval(() => void this.#look(), WATCH_MS);
  }

  /** Until every file is finished. */
  get isActive(): boolean {
    return !this.#isFinished;
  }

  get state(): RecordingState {
    const feed = this.#part?.feed;
    return {
      active: this.isActive,
      startedAt: this.#begunAt.toISOString(),
      lastedMs: Math.round(this.#lastedMs ?? performance.now() - this.#begunAtMs),
      folder: this.#parts.folder.dir,
      files: this.#files,
      bytes: this.#bytes + this.#openBytes,
      frames: this.#frames + (feed?.frames ?? 0),
      dropped: this.#dropped + (feed?.dropped ?? 0),
      error: this.#error,
    };
  }

  /** Takes a moment, however slow the disk is. The picture must not be changed any more. */
  show(frame: Frame): void {
    if (this.#ended !== null) return;
    const { feed } = this.#part ?? {};
    const isOdd = feed === undefined || feed.width !== frame.width || feed.height !== frame.height;
    if (isOdd || (this.#sound !== null && !feed.isFor(this.#sound))) this.#next(frame);
    this.#part?.feed.show(frame);
  }

  /** Takes a moment, too. @param behindMs how far the sound is behind the pictures. */
  hear(sound: Sound, behindMs: number): void {
    if (this.#ended !== null || !this.#parts.isHeard) return;
    this.#sound = sound;
    this.#part?.feed.writeSound(sound, performance.now() - behindMs);
  }

  /** Idempotent; resolves when every file is finished. */
  stop(error: FaceOffError | null = null): Promise<RecordingState> {
    this.#ended ??= this.#end(error);
    return this.#ended;
  }

  async #end(error: FaceOffError | null): Promise<RecordingState> {
    clearInterval(this.#watch);
    this.#lastedMs = performance.now() - this.#begunAtMs;
    if (error !== null) this.#error = errorBody(error).body;
    this.#finish();
    await this.#finishing;
    this.#isFinished = true;
    this.#parts.onEnd(this.state);
    return this.state;
  }

  #next(frame: Frame): void {
    this.#finish();
    const { folder, format } = this.#parts;
    const file = `${this.#base}${++this.#count > 1 ? `-${this.#count}` : ''}.${format}`;
    const path = folder.partOf(file);
    const { output, sound } = FORMATS[format];
    const heard = this.#sound === null ? [] : sound.output;
    const feed: FfmpegFeed = new FfmpegFeed(frame, {
      output: [...heard, ...output(frame.width, frame.height), '-y', path],
      sound: this.#sound,
      roomBytes: ROOM_BYTES,
      onEnd: (exit) => void this.stop(whyItEnded(exit)),
    });
    this.#part = { feed, path };
  }

  #finish(): void {
    const part = this.#part;
    if (part === null) return;
    this.#part = null;
    this.#finishing = this.#finishing.then(() => this.#put(part));
  }

  async #put({ feed, path }: Part): Promise<void> {
    const { folder } = this.#parts;
    const exit = await feed.end();
    this.#frames += feed.frames;
    this.#dropped += feed.dropped;
    this.#openBytes = 0;
    this.#bytes += await folder.sizeOf(path);
    try {
      const name = await folder.keep(path);
      if (name !== null) this.#files = [...this.#files, name];
      if (exit.code !== 0) throw whyItEnded(exit);
    } catch (error) {
      this.#error ??= errorBody(error).body;
    }
  }

  async #look(): Promise<void> {
    const { folder } = this.#parts;
    const part = this.#part;
    try {
      if (part !== null) this.#openBytes = await folder.sizeOf(part.path);
      if (part !== this.#part) this.#openBytes = 0;
      await folder.checkRoom();
    } catch (error) {
      void this.stop(error instanceof FaceOffError ? error : unwritable(error));
    }
  }
}

function whyItEnded({ isMissing, said, code }: FfmpegExit): FaceOffError {
  if (isMissing) return noFfmpeg('A recording');
  if (/No space left on device|Disk quota exceeded/i.test(said)) return diskFull();
  return new FaceOffError('recording_failed', `ffmpeg stopped the recording: ${said || `code ${code}`}`);
}

const unwritable = (cause: unknown): FaceOffError =>
  new FaceOffError(
    'recordings_unwritable',
    `The folder of the recordings cannot be used any more: ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause },
  );
