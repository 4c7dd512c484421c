/**
 * Where a camera's pictures go: a virtual camera, a file, or the standard output. A virtual camera keeps the size that
 * programs found it with: pictures of another size are fitted into it. One that goes away is tried again.
 */

import { FaceOffError } from '../shared/errors.ts';
import type { Frame } from '../shared/types.ts';
import { isDevice, outputError } from './camera-errors.ts';
import type { FfmpegExit } from './ffmpeg.ts';
import { FfmpegFeed } from './ffmpeg-feed.ts';

export interface OutputOptions {
  /** `/dev/video10`, a file whose ending tells the format, or `-` for y4m on the standard output. */
  name: string;
  /** `1280x720`; null is that of the first picture. */
  size: string | null;
  fps: number;
  say(what: string): void;
  /** It cannot go on. */
  onError(error: FaceOffError): void;
}

const RETRY_MS = 2000;

export class CameraOutput {
  readonly #options: OutputOptions;
  #size: string | null;
  #feed: FfmpegFeed | null = null;
  #ending: Promise<unknown> = Promise.resolve();
  #retryAtMs = 0;
  #hasWorked = false;
  #isOver = false;
  #frames = 0;
  #dropped = 0;

  constructor(options: OutputOptions) {
    this.#options = options;
    this.#size = options.size;
  }

  get frames(): number {
    return this.#frames + (this.#feed?.frames ?? 0);
  }

  get dropped(): number {
    return this.#dropped + (this.#feed?.dropped ?? 0);
  }

  /** The picture must not be changed any more. */
  show(frame: Frame): void {
    if (this.#isOver || performance.now() < this.#retryAtMs) return;
    const { width, height } = frame;
    if (this.#feed !== null && (this.#feed.width !== width || this.#feed.height !== height)) this.#resize(frame);
    this.#feed ??= this.#open(frame);
    this.#feed?.show(frame);
  }

  /** Idempotent. Resolves when everything is written. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#drop();
    await this.#ending;
  }

  #open(frame: Frame): FfmpegFeed | null {
    const { name, fps, say } = this.#options;
    if (this.#isOver) return null;
    this.#size ??= `${frame.width}x${frame.height}`;
    const feed: FfmpegFeed = new FfmpegFeed(frame, {
      output: outputArguments(name, this.#size, fps),
      stdout: name === '-' ? 'inherit' : 'ignore',
      roomBytes: 0,
      onEnd: (exit) => this.#lost(feed, exit),
    });
    say(`writing ${this.#size} to ${name}`);
    return feed;
  }

  /** Only what is no file can be opened a second time without a loss. */
  #resize({ width, height }: Frame): void {
    if (isDevice(this.#options.name)) {
      this.#drop();
      return;
    }
    const message = `The picture is ${width}x${height} now, and ${this.#options.name} cannot change its size. A virtual camera can.`;
    this.#fail(new FaceOffError('size_changed', message));
  }

  #lost(feed: FfmpegFeed, exit: FfmpegExit): void {
    if (this.#feed !== feed) return;
    const { name, say } = this.#options;
    this.#hasWorked ||= feed.frames > 30;
    this.#drop();
    const error = outputError(name, exit);
    if (!this.#hasWorked || !isDevice(name)) {
      this.#fail(error);
      return;
    }
    say(`${error.message} Trying again.`);
    this.#retryAtMs = performance.now() + RETRY_MS;
  }

  #fail(error: FaceOffError): void {
    this.#isOver = true;
    this.#options.onError(error);
  }

  #drop(): void {
    const feed = this.#feed;
    if (feed === null) return;
    this.#feed = null;
    this.#frames += feed.frames;
    this.#dropped += feed.dropped;
    this.#ending = Promise.all([this.#ending, feed.end()]);
  }
}

function outputArguments(name: string, size: string, fps: number): string[] {
  const [width, height] = size.split('x');
  const fit = `scale=${width}:${height}:force_original_aspect_ratio=decrease,pad=${width}:${height}:-1:-1,format=yuv420p`;
  const picture = ['-vf', fit, '-fps_mode', 'cfr', '-r', String(fps)];
  if (isDevice(name)) return [...picture, '-c:v', 'rawvideo', '-f', 'v4l2', name];
  if (name === '-') return [...picture, '-f', 'yuv4mpegpipe', 'pipe:1'];
  return [...picture, '-y', name];
}
