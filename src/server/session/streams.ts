/** The streams there are, by name, and who looks on. */

import { randomUUID } from 'node:crypto';
import type { Config } from '../../config.ts';
import type { Logger } from '../../lib/log.ts';
import type { Metrics } from '../../metrics.ts';
import { FaceOffError } from '../../shared/errors.ts';
import { RETRY_AFTER_MS } from '../http/error-reply.ts';
import { NamedStream } from './named-stream.ts';
import { Viewer } from './viewer.ts';

/** What a publisher may call its stream: it is part of an address that people type. */
export const STREAM_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** What the studio's stream is called, unless told. */
export const STUDIO = 'studio';

/** How soon a player asks again for a stream that is not there yet. */
const COMES_SOON_MS = 2000;

/** @throws FaceOffError `unknown_stream` (404). */
export function checkName(name: string): void {
  if (!STREAM_NAME.test(name))
    throw new FaceOffError('unknown_stream', 'No stream can have that name: it has 1 to 64 letters, digits, - and _.', {
      status: 404,
    });
}

export class Streams {
  readonly #config: Config;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #streams = new Map<string, NamedStream>();
  /** A live stream can also be asked for by the id of its session. */
  readonly #bySession = new Map<string, NamedStream>();
  readonly #viewers = new Map<string, Viewer>();

  constructor(config: Config, metrics: Metrics, log: Logger) {
    this.#config = config;
    this.#metrics = metrics;
    this.#log = log;
  }

  isFree(name: string): boolean {
    return this.#find(name) === undefined;
  }

  /**
   * @param name what the publisher calls its stream; without one the id of the session does.
   * @throws FaceOffError `bad_name` (400), `stream_taken` (409, details: retryAfterMs).
   */
  claim(session: string, name = session): NamedStream {
    this.check(name);
    const stream = this.#streams.get(name) ?? new NamedStream(name, () => this.#metrics.viewerSkip());
    stream.begin();
    this.#streams.set(name, stream);
    this.#bySession.set(session, stream);
    return stream;
  }

  /** @throws FaceOffError `bad_name` (400), `stream_taken` (409, details: retryAfterMs). */
  check(name: string): void {
    if (!STREAM_NAME.test(name))
      throw new FaceOffError('bad_name', 'A stream’s name has 1 to 64 letters, digits, - and _.', { status: 400 });
    if (this.isFree(name)) return;
    throw new FaceOffError(
      'stream_taken',
      `The name ${name} is in use. Choose another one, or wait until it is free.`,
      {
        status: 409,
        details: { retryAfterMs: RETRY_AFTER_MS },
      },
    );
  }

  /** The publisher is gone; whoever looks on waits for the next one of that name. */
  release(session: string): void {
    const stream = this.#bySession.get(session);
    if (stream === undefined) return;
    this.#bySession.delete(session);
    // An id never comes back.
    if (stream.name === session || stream.viewers.size === 0) this.#end(stream, 'the stream ended');
    else stream.pause(this.#config.webrtc.idleTimeoutMs, () => this.#end(stream, 'the stream did not come back'));
  }

  /** That name does not come back: nobody waits for it. */
  forget(name: string): void {
    const stream = this.#streams.get(name);
    if (stream !== undefined && !stream.isLive) this.#end(stream, 'the stream ended');
  }

  /**
   * One more who looks on.
   * @throws FaceOffError `unknown_stream` (404), `no_publisher` (409) and `viewers_full` (503), both with retryAfterMs.
   */
  watch(name: string): Viewer {
    const stream = this.#published(name);
    this.#checkRoom();
    const viewer = new Viewer(randomUUID(), this.#config.webrtc, (closed, why) => this.#left(stream, closed, why));
    stream.add(viewer);
    this.#viewers.set(viewer.id, viewer);
    this.#tell(viewer, 'viewer opened');
    return viewer;
  }

  viewer(id: string): Viewer | undefined {
    return this.#viewers.get(id);
  }

  close(): void {
    for (const stream of [...this.#streams.values()]) this.#end(stream, 'server stopping');
  }

  #find(name: string): NamedStream | undefined {
    const stream = this.#streams.get(name) ?? this.#bySession.get(name);
    return stream?.isLive ? stream : undefined;
  }

  #published(name: string): NamedStream {
    checkName(name);
    const stream = this.#find(name);
    if (stream !== undefined) return stream;
    // The draft's answer: unlike 404 it tells a player to come back.
    throw new FaceOffError('no_publisher', `Nobody publishes ${name} just now. Try again in a moment.`, {
      status: 409,
      details: { retryAfterMs: COMES_SOON_MS },
    });
  }

  #checkRoom(): void {
    const { viewers } = this.#config.limits;
    if (this.#viewers.size < viewers) return;
    throw new FaceOffError('viewers_full', `All ${viewers} viewers’ places are taken. Raise limits.viewers.`, {
      status: 503,
      details: { retryAfterMs: RETRY_AFTER_MS },
    });
  }

  #left(stream: NamedStream, viewer: Viewer, why: string): void {
    stream.viewers.delete(viewer);
    this.#viewers.delete(viewer.id);
    this.#tell(viewer, 'viewer closed', why);
    if (!stream.isLive && stream.viewers.size === 0) this.#end(stream, why);
  }

  #end(stream: NamedStream, why: string): void {
    if (this.#streams.get(stream.name) === stream) this.#streams.delete(stream.name);
    stream.end(why);
  }

  #tell(viewer: Viewer, what: string, why?: string): void {
    this.#metrics.viewers(this.#viewers.size);
    this.#log.info({ viewer: viewer.id, ...(why !== undefined && { why }), open: this.#viewers.size }, what);
  }
}
