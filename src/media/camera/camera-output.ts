/**
 * The output of `faceoff camera` through ffmpeg: a virtual camera, a file, the standard output, or a stream to another
 * program or service. It keeps the size with which it was opened: frames of another size are fitted into it. A virtual
 * camera or a connection that goes away is opened again.
 */

import { FaceOffError } from '../../shared/errors.ts';
import type { Frame } from '../../shared/types.ts';
import type { FfmpegExit } from '../ffmpeg.ts';
import { FfmpegFeed } from '../ffmpeg-feed.ts';
import { SOUND_PIECE_MS, type Sound } from '../sound.ts';
import { isDevice, outputError } from './camera-errors.ts';
import { isLiveAddress, liveArguments, SILENCE, shownName } from './live-output.ts';

/** Where frames are written to, and how. */
export interface OutputOptions {
  /** `/dev/video10`, a file whose ending tells the format, `-` for y4m on the standard output, or an address of `liveArguments`. */
  name: string;
  /** `1280x720`; null is the size of the first frame. */
  size: string | null;
  /** Frames a second. */
  fps: number;
  /** Whether pieces of sound come with the frames. */
  hasSound: boolean;
  /** Prints a line for people. */
  say(what: string): void;
  /** Called once when the output cannot go on. */
  onError(error: FaceOffError): void;
}

const RETRY_MS = 2000;
/** An output works once so many frames are written. */
const WORKS_AFTER = 30;
/** A connection that takes nothing for so long is made again: the system would wait for a quarter of an hour. */
const STALLED_MS = 10_000;
/** How long what others read live may take to end; a file has to be finished instead. */
const LIVE_ENDING_MS = 3000;
const SOUND = { sampleRate: 48_000, channelCount: 2 };

/** Writes frames through an ffmpeg, and starts a new ffmpeg where that is possible. */
export class CameraOutput {
  readonly #options: OutputOptions;
  #size: string | null;
  #feed: FfmpegFeed | null = null;
  #ending: Promise<unknown> = Promise.resolve();
  #retryAtMs = 0;
  #hasWorked = false;
  /** What was said last of a connection that is lost; empty once it works again. */
  #lastSaid = '';
  #isStalled = false;
  #hasEnded = false;
  #frames = 0;
  #dropped = 0;

  constructor(options: OutputOptions) {
    this.#options = options;
    this.#size = options.size;
  }

  /** Number of frames written. */
  get frames(): number {
    return this.#frames + (this.#feed?.frames ?? 0);
  }

  /** Number of frames left out, as ffmpeg was slow. */
  get dropped(): number {
    return this.#dropped + (this.#feed?.dropped ?? 0);
  }

  /** Writes a frame, or drops it. Its data must not change after this. */
  show(frame: Frame): void {
    if (this.#hasEnded || performance.now() < this.#retryAtMs) return;
    // A virtual camera is opened again for larger frames; a file cannot be without losing its frames.
    if (this.#feed?.isTooSmallFor(frame) && isDevice(this.#options.name)) this.#closeFeed();
    this.#feed ??= this.#open(frame);
    if (this.#isLive && (this.#feed?.stalledMs ?? 0) > STALLED_MS) {
      this.#isStalled = true;
      this.#feed?.kill();
      return;
    }
    this.#feed?.show(frame);
    if (this.#lastSaid !== '' && (this.#feed?.frames ?? 0) > WORKS_AFTER) {
      this.#sayWriting();
      this.#lastSaid = '';
    }
  }

  /** Writes a piece of sound, where the output has sound. */
  hear(sound: Sound): void {
    if (!this.#hasEnded && this.#carriesSound) this.#feed?.writeSound(inStereo(sound), performance.now());
  }

  get #carriesSound(): boolean {
    const { name, hasSound } = this.#options;
    return hasSound && name !== '-' && !isDevice(name);
  }

  /** Idempotent. Resolves when everything is written. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    this.#closeFeed();
    await this.#ending;
  }

  #open(frame: Frame): FfmpegFeed | null {
    const { name, fps } = this.#options;
    if (this.#hasEnded) return null;
    this.#size ??= `${frame.width}x${frame.height}`;
    const feed: FfmpegFeed = new FfmpegFeed(frame, {
      output: outputArguments(name, this.#size, fps, this.#carriesSound),
      stdout: name === '-' ? 'inherit' : 'ignore',
      roomBytes: 0,
      sound: this.#carriesSound ? SOUND : null,
      onEnd: (exit) => this.#onExit(feed, exit),
    });
    if (this.#lastSaid === '') this.#sayWriting();
    return feed;
  }

  get #isLive(): boolean {
    return isLiveAddress(this.#options.name);
  }

  #sayWriting(): void {
    const { name, say } = this.#options;
    say(`writing ${this.#size} to ${shownName(name)}`);
  }

  #onExit(feed: FfmpegFeed, exit: FfmpegExit): void {
    if (this.#feed !== feed) return;
    const { name, say } = this.#options;
    this.#hasWorked ||= feed.frames > WORKS_AFTER;
    this.#closeFeed();
    const error = this.#isStalled
      ? new FaceOffError('output_failed', `${shownName(name)} takes no more pictures.`)
      : outputError(name, exit);
    this.#isStalled = false;
    if (!this.#hasWorked || !(isDevice(name) || isLiveAddress(name))) {
      this.#fail(error);
      return;
    }
    // Said once for as long as it does not work: what ffmpeg says differs from try to try.
    if (this.#lastSaid === '') say(`${error.message} Trying again.`);
    this.#lastSaid = error.message;
    this.#retryAtMs = performance.now() + RETRY_MS;
  }

  #fail(error: FaceOffError): void {
    this.#hasEnded = true;
    this.#options.onError(error);
  }

  #closeFeed(): void {
    const feed = this.#feed;
    if (feed === null) return;
    this.#feed = null;
    this.#frames += feed.frames;
    this.#dropped += feed.dropped;
    const { name } = this.#options;
    const isFinished = name !== '-' && !isDevice(name) && !this.#isLive;
    this.#ending = Promise.all([this.#ending, isFinished ? feed.end() : feed.end(LIVE_ENDING_MS)]);
  }
}

/** A piece at 48 kHz in stereo. The WebRTC library delivers silence at other rates while no sound arrives. */
function inStereo(sound: Sound): Sound {
  const { sampleRate, channelCount } = SOUND;
  if (sound.sampleRate === sampleRate && sound.channelCount === channelCount) return sound;
  const numberOfFrames = (sampleRate * SOUND_PIECE_MS) / 1000;
  const samples = new Int16Array(numberOfFrames * channelCount);
  if (sound.sampleRate === sampleRate)
    for (let i = 0; i < numberOfFrames; i++) samples.fill(sound.samples[i * sound.channelCount] ?? 0, 2 * i, 2 * i + 2);
  return { samples, sampleRate, channelCount, numberOfFrames, bitsPerSample: 16 };
}

function outputArguments(name: string, size: string, fps: number, hasSound: boolean): string[] {
  // H.264 has no odd sizes.
  const [width, height] = size.split('x').map((side) => (isLiveAddress(name) ? Number(side) & ~1 : Number(side)));
  const fit = `scale=${width}:${height}:force_original_aspect_ratio=decrease,pad=${width}:${height}:-1:-1,format=yuv420p`;
  const picture = ['-vf', fit, '-fps_mode', 'cfr', '-r', String(fps)];
  if (isDevice(name)) return [...picture, '-c:v', 'rawvideo', '-f', 'v4l2', name];
  if (name === '-') return [...picture, '-f', 'yuv4mpegpipe', 'pipe:1'];
  if (isLiveAddress(name))
    return [...(hasSound ? [] : SILENCE), ...picture, ...liveArguments(name, size, fps, hasSound)];
  return [...picture, '-y', name];
}
