import { errorBody } from '../../lib/error-body.ts';
import { SerialQueue } from '../../lib/serial.ts';
import { type FfmpegExit, noFfmpeg } from '../../media/ffmpeg.ts';
import { FfmpegFeed } from '../../media/ffmpeg-feed.ts';
import type { SoundFormat } from '../../media/matroska.ts';
import type { Sound } from '../../media/sound.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import type { ErrorBody, RecordingState } from '../../shared/messages.ts';
import type { RecordingFormat } from '../../shared/recording-formats.ts';
import type { Frame } from '../../shared/types.ts';
import { FORMATS } from './recording-format.ts';
import { diskFull, type RecordingsFolder, stampOf } from './recordings-folder.ts';

/** What a recorder writes, and where to. */
export interface RecorderParts {
  folder: RecordingsFolder;
  format: RecordingFormat;
  /** The part of the files' names that follows the time. */
  name: string;
  /** Whether ffmpeg can write sound in this format. */
  hasSound: boolean;
  /** Says in a finished file's metadata that a face was swapped in it, where its format can. Never rejects. */
  mark(path: string): Promise<void>;
  /** Called once, when every file is finished. */
  onEnd(state: RecordingState): void;
}

interface Part {
  feed: FfmpegFeed;
  path: string;
  /** Whether a face was swapped in one of its pictures. */
  isSwapped: boolean;
}

/** Time between two checks of the disk. */
const CHECK_MS = 1000;
/** How long frames have to be larger than the file, and of one size, before another file begins. */
const GROWN_MS = 5000;
/** Size of the queue for frames while ffmpeg starts or is slow for a moment: a second of 1280x720. */
const ROOM_BYTES = 40 * 2 ** 20;

/**
 * One recording of a session: its frames as they are shown, and its sound. A picture that got larger and stays so begins the next file, and so
 * does the first sound; until then, and where it got smaller as when the network gets worse, it is fitted into the file's size. The
 * recording ends when it is stopped, when its session ends, and when the disk or its share of it is full; the session itself goes on. Runs on the main thread; ffmpeg encodes in a process
 * of its own.
 */
export class Recorder {
  readonly #parts: RecorderParts;
  readonly #base: string;
  readonly #begunAt = new Date();
  readonly #begunAtMs = performance.now();
  readonly #checkTimer: NodeJS.Timeout;
  #part: Part | null = null;
  /** The size of frames that are larger than the file, and since when they have it. */
  #larger: { width: number; height: number; sinceMs: number } | null = null;
  /** Format of the sound, once there is any. */
  #sound: SoundFormat | null = null;
  #count = 0;
  /** Finishes the files one after another. */
  readonly #finishing = new SerialQueue();
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
    this.#checkTimer = setInterval(() => void this.#checkDisk(), CHECK_MS);
  }

  /** True until every file is finished. */
  get isActive(): boolean {
    return !this.#isFinished;
  }

  /** The recording as the API shows it. */
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

  /** Queues a frame, which must not be changed any more; never waits for the disk. */
  addFrame(frame: Frame): void {
    if (this.#ended !== null) return;
    const { feed } = this.#part ?? {};
    if (feed === undefined || this.#hasGrown(feed, frame) || (this.#sound !== null && !feed.isFor(this.#sound)))
      this.#beginFile(frame);
    const part = this.#part;
    if (part !== null && frame.isSwapped === true) part.isSwapped = true;
    part?.feed.show(frame);
  }

  /**
   * Whether frames have been larger than the file, and of one size, for GROWN_MS. A connection that gets faster sends larger
   * pictures step by step, each of which would be a file otherwise.
   */
  #hasGrown(feed: FfmpegFeed, frame: Frame): boolean {
    const { width, height } = frame;
    if (!feed.isTooSmallFor(frame)) {
      this.#larger = null;
      return false;
    }
    if (this.#larger?.width !== width || this.#larger.height !== height)
      this.#larger = { width, height, sinceMs: performance.now() };
    return performance.now() - this.#larger.sinceMs >= GROWN_MS;
  }

  /** Queues a piece of sound; never waits for the disk. @param behindMs how far the sound is behind the frames. */
  addSound(sound: Sound, behindMs: number): void {
    if (this.#ended !== null || !this.#parts.hasSound) return;
    this.#sound = sound;
    this.#part?.feed.writeSound(sound, performance.now() - behindMs);
  }

  /**
   * Ends the recording; resolves when every file is finished. Idempotent.
   * @param error why it ends early, if it does.
   */
  stop(error: FaceOffError | null = null): Promise<RecordingState> {
    this.#ended ??= this.#end(error);
    return this.#ended;
  }

  async #end(error: FaceOffError | null): Promise<RecordingState> {
    clearInterval(this.#checkTimer);
    this.#lastedMs = performance.now() - this.#begunAtMs;
    if (error !== null) this.#error = errorBody(error).body;
    this.#finishFile();
    await this.#finishing.idle();
    this.#isFinished = true;
    this.#parts.onEnd(this.state);
    return this.state;
  }

  #beginFile(frame: Frame): void {
    this.#larger = null;
    this.#finishFile();
    const { folder, format } = this.#parts;
    const file = `${this.#base}${++this.#count > 1 ? `-${this.#count}` : ''}.${format}`;
    const path = folder.partOf(file);
    const { output, sound } = FORMATS[format];
    const soundOutput = this.#sound === null ? [] : sound.output;
    const feed: FfmpegFeed = new FfmpegFeed(frame, {
      output: [...soundOutput, ...output(frame.width, frame.height), '-y', path],
      sound: this.#sound,
      roomBytes: ROOM_BYTES,
      onEnd: (exit) => void this.stop(whyItEnded(exit)),
    });
    this.#part = { feed, path, isSwapped: false };
  }

  #finishFile(): void {
    const part = this.#part;
    if (part === null) return;
    this.#part = null;
    void this.#finishing.run(() => this.#keepPart(part));
  }

  async #keepPart({ feed, path, isSwapped }: Part): Promise<void> {
    const { folder, mark } = this.#parts;
    const exit = await feed.end();
    if (isSwapped && exit.code === 0) await mark(path);
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

  async #checkDisk(): Promise<void> {
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
    `The folder of the recordings cannot be used any more: ${messageOf(cause)}`,
    { cause },
  );
