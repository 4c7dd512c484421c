import { randomUUID } from 'node:crypto';
import type { Config } from '../../config.ts';
import { RETRY_AFTER_MS } from '../../lib/error-body.ts';
import type { Logger } from '../../lib/log.ts';
import type { Metrics } from '../../metrics.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { Peers } from '../h264/peers.ts';
import type { ServerEvents } from '../hooks/server-events.ts';
import { requireDescriptors } from '../webrtc/descriptors.ts';
import { NamedStream } from './named-stream.ts';
import { Viewer } from './viewer.ts';

/** The names a publisher may give its stream: the name is part of an address that people type. */
export const STREAM_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** Name of the stream of the first page (studio) that asks for no other name. */
export const STUDIO_STREAM = 'studio';

/** Suggested delay before a player asks again for a stream that has no publisher yet, in milliseconds. */
const COMES_SOON_MS = 2000;

/** Refuses a stream's or room's name in an address. @throws FaceOffError `unknown_stream` (404). */
export function checkName(name: string): void {
  if (!STREAM_NAME.test(name))
    throw new FaceOffError('unknown_stream', 'No stream can have that name: it has 1 to 64 letters, digits, - and _.');
}

/** What all streams share. */
export interface StreamsParts {
  config: Config;
  metrics: Metrics;
  events: ServerEvents;
  log: Logger;
  peers: Peers;
}

/** All streams by name, and all viewers. */
export class Streams {
  readonly #parts: StreamsParts;
  readonly #streams = new Map<string, NamedStream>();
  /** Live streams by the ids of their sessions; a viewer can ask for either. */
  readonly #bySession = new Map<string, NamedStream>();
  readonly #viewers = new Map<string, Viewer>();

  constructor(parts: StreamsParts) {
    this.#parts = parts;
  }

  /** Whether no live stream has this name. */
  isFree(name: string): boolean {
    return this.#find(name) === undefined;
  }

  /**
   * Gives a session its stream; viewers that wait under the name get its pictures.
   * @param name what the publisher calls its stream; the session's id by default.
   * @throws FaceOffError `bad_name` (400), `stream_taken` (409, details: retryAfterMs).
   */
  claim(session: string, name = session): NamedStream {
    this.check(name);
    const stream = this.#streams.get(name) ?? new NamedStream(name, () => this.#parts.metrics.viewerSkip());
    stream.begin(session);
    this.#streams.set(name, stream);
    this.#bySession.set(session, stream);
    return stream;
  }

  /**
   * Refuses a name that `claim` would refuse.
   * @throws FaceOffError `bad_name` (400), `stream_taken` (409, details: retryAfterMs).
   */
  check(name: string): void {
    if (!STREAM_NAME.test(name))
      throw new FaceOffError('bad_name', 'A stream’s name has 1 to 64 letters, digits, - and _.');
    if (this.isFree(name)) return;
    throw new FaceOffError(
      'stream_taken',
      `The name ${name} is in use. Choose another one, or wait until it is free.`,
      {
        details: { retryAfterMs: RETRY_AFTER_MS },
      },
    );
  }

  /** The publisher left. Viewers wait `webrtc.idleTimeoutMs` for the next publisher under the name. */
  release(session: string): void {
    const stream = this.#bySession.get(session);
    if (stream === undefined) return;
    this.#bySession.delete(session);
    // A session's id is never used again.
    if (stream.name === session || stream.viewers.size === 0) this.#end(stream, 'the stream ended');
    else stream.pause(this.#parts.config.webrtc.idleTimeoutMs, () => this.#end(stream, 'the stream did not come back'));
  }

  /** Ends a stream without a publisher at once: no publisher will use its name again. */
  forget(name: string): void {
    const stream = this.#streams.get(name);
    if (stream !== undefined && !stream.isLive) this.#end(stream, 'the stream ended');
  }

  /**
   * Adds a viewer to a live stream.
   * @throws FaceOffError `unknown_stream` (404), `no_publisher` (409), `viewers_full` and `server_full` (503),
   *   all but the first with retryAfterMs.
   */
  watch(name: string): Viewer {
    const stream = this.#published(name);
    this.#checkCapacity();
    requireDescriptors();
    const { config, peers, events } = this.#parts;
    const id = randomUUID();
    const log = this.#parts.log.child({ session: stream.session, viewer: id });
    const viewer = new Viewer(
      id,
      config.webrtc,
      (listener) => peers.open(listener, { stream, log }),
      (closed, why) => this.#onViewerClosed(stream, closed, why),
    );
    stream.add(viewer);
    this.#viewers.set(id, viewer);
    this.#countViewers();
    log.info({ open: this.#viewers.size }, 'viewer opened');
    events.tell('viewer.joined', { stream: stream.name, session: stream.session!, viewer: id });
    return viewer;
  }

  /** The open viewer with this id. */
  viewer(id: string): Viewer | undefined {
    return this.#viewers.get(id);
  }

  /** Ends all streams with their viewers. Idempotent. */
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
    // The WHEP draft's status: unlike 404 it tells a player to come back.
    throw new FaceOffError('no_publisher', `Nobody publishes ${name} just now. Try again in a moment.`, {
      details: { retryAfterMs: COMES_SOON_MS },
    });
  }

  #checkCapacity(): void {
    const { viewers } = this.#parts.config.limits;
    if (this.#viewers.size < viewers) return;
    throw new FaceOffError('viewers_full', `All ${viewers} viewers’ places are taken. Raise limits.viewers.`, {
      details: { retryAfterMs: RETRY_AFTER_MS },
    });
  }

  #onViewerClosed(stream: NamedStream, viewer: Viewer, why: string): void {
    const { log, events } = this.#parts;
    stream.viewers.delete(viewer);
    this.#viewers.delete(viewer.id);
    this.#countViewers();
    log.info({ session: stream.session, viewer: viewer.id, why, open: this.#viewers.size }, 'viewer closed');
    events.tell('viewer.left', { stream: stream.name, session: stream.session, viewer: viewer.id, cause: why });
    if (!stream.isLive && stream.viewers.size === 0) this.#end(stream, why);
  }

  #end(stream: NamedStream, why: string): void {
    if (this.#streams.get(stream.name) === stream) this.#streams.delete(stream.name);
    stream.end(why);
  }

  #countViewers(): void {
    this.#parts.metrics.viewers(this.#viewers.size);
  }
}
