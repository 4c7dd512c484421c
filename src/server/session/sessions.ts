/** The sessions there are, and whether there may be one more. */

import { randomUUID } from 'node:crypto';
import type { Config } from '../../config.ts';
import type { Logger } from '../../lib/log.ts';
import type { Metrics } from '../../metrics.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { Cause } from '../../shared/messages.ts';
import type { Swapping, SwapSettings } from '../../shared/types.ts';
import { RETRY_AFTER_MS } from '../http/error-reply.ts';
import { CAUSES, type MachineFigures } from '../monitor/verdict.ts';
import type { IceCandidate } from '../webrtc/ice-fragment.ts';
import { Session } from './session.ts';
import type { Streams } from './streams.ts';

export interface SessionHooks {
  onCandidate?: (candidate: IceCandidate | null) => void;
  /** The settings were changed by someone else than whoever publishes. */
  onSettings?: (settings: SwapSettings) => void;
  onClose?: (why: string) => void;
  /** The person began or ceased to speak. */
  onSpeaking?: (speaking: boolean) => void;
}

/** Causes that one more session would make worse. */
const SHARED: ReadonlySet<Cause> = new Set(['processor', 'lane', 'memory']);

export class Sessions {
  readonly #config: Config;
  readonly #pool: Swapping;
  readonly #streams: Streams;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #machine: () => MachineFigures | null;
  readonly #open = new Map<string, Session>();

  /** @param machine over the last seconds; null before the first look at it. */
  constructor(
    ...[config, pool, streams, metrics, log, machine]: [
      ...[Config, Swapping, Streams, Metrics, Logger, () => MachineFigures | null],
    ]
  ) {
    this.#config = config;
    this.#pool = pool;
    this.#streams = streams;
    this.#metrics = metrics;
    this.#log = log;
    this.#machine = machine;
  }

  get size(): number {
    return this.#open.size;
  }

  all(): Session[] {
    return [...this.#open.values()];
  }

  get(id: string): Session | undefined {
    return this.#open.get(id);
  }

  /** The session that publishes a stream now. */
  named(stream: string): Session | undefined {
    return this.all().find((session) => session.stream === stream);
  }

  /**
   * @param stream what others find it by, besides its id.
   * @throws FaceOffError `server_full` (503) and `stream_taken` (409), both with retryAfterMs, `bad_name` (400),
   * `unknown_face` (404).
   */
  open(settings: Partial<SwapSettings>, hooks: SessionHooks = {}, stream?: string): Session {
    this.#checkRoom();
    if (stream !== undefined) this.#streams.check(stream);
    const id = randomUUID();
    const session = new Session({
      id,
      swap: this.#pool.open(id, settings),
      stream: this.#streams.claim(id, stream),
      webrtc: this.#config.webrtc,
      largestPixels: this.#config.limits.frameWidth * this.#config.limits.frameHeight,
      metrics: this.#metrics,
      log: this.#log,
      machine: this.#machine,
      onCandidate: hooks.onCandidate ?? (() => undefined),
      ...(hooks.onSpeaking !== undefined && { onSpeaking: hooks.onSpeaking }),
      onSettings: hooks.onSettings ?? (() => undefined),
      onClose: (closed, why) => {
        this.#open.delete(closed.id);
        this.#streams.release(closed.id);
        this.#log.info({ session: id, why, open: this.#open.size }, 'session closed');
        this.measure();
        hooks.onClose?.(why);
      },
    });
    this.#open.set(id, session);
    this.#log.info({ session: id, open: this.#open.size }, 'session opened');
    this.measure();
    return session;
  }

  /** Brings the gauges up to date. */
  measure(): void {
    this.#metrics.sessions(this.#open.size, Math.max(0, ...this.all().map((session) => session.level)));
    const causes = this.all().map(({ verdict }) => verdict.cause);
    const counts = CAUSES.map((cause) => [cause, causes.filter((one) => one === cause).length]);
    this.#metrics.verdicts(Object.fromEntries(counts) as Record<Cause, number>);
  }

  /** How many are short of what all share. */
  get short(): number {
    return this.all().filter(({ verdict }) => SHARED.has(verdict.cause)).length;
  }

  /** What they do just now, together. */
  load(): { sessions: number; fps: number; frameMs: number; level: number } {
    const stats = this.all().map((session) => session.stats);
    return {
      sessions: stats.length,
      fps: Math.round(10 * stats.reduce((sum, { fpsOut }) => sum + fpsOut, 0)) / 10,
      frameMs: Math.max(0, ...stats.map(({ frameMs }) => frameMs.p95)),
      level: Math.max(0, ...stats.map(({ level }) => level)),
    };
  }

  close(): void {
    for (const session of this.all()) session.close('server stopping');
  }

  #checkRoom(): void {
    const { sessions } = this.#config.limits;
    const { rssLimitMb } = this.#config.memory;
    const options = { status: 503, details: { retryAfterMs: RETRY_AFTER_MS } };
    if (this.#open.size >= sessions) {
      throw new FaceOffError(
        'server_full',
        `${sessions === 1 ? 'The only place is' : `All ${sessions} places are`} taken. Try again in a moment, or raise limits.sessions.`,
        options,
      );
    }
    if (process.memoryUsage.rss() > rssLimitMb * 2 ** 20) {
      throw new FaceOffError(
        'server_full',
        `The server uses more than ${rssLimitMb} MB of memory. Try again in a moment, or raise memory.rssLimitMb.`,
        options,
      );
    }
  }
}
