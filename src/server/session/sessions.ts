import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../../config.ts';
import { RETRY_AFTER_MS } from '../../lib/error-body.ts';
import type { Logger } from '../../lib/log.ts';
import { residentBytes } from '../../lib/system/resident-memory.ts';
import type { Metrics } from '../../metrics.ts';
import type { PictureCheck } from '../../pipeline/content/content-check.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { Cause } from '../../shared/messages.ts';
import type { SettingsPatch, SwapSettings } from '../../shared/settings.ts';
import type { Frame, Swapping } from '../../shared/types.ts';
import type { Badge } from '../disclosure/badge.ts';
import type { DisclosureRecord } from '../disclosure/disclosure-record.ts';
import type { OffAirCard } from '../disclosure/off-air-card.ts';
import type { ServerEvents } from '../hooks/server-events.ts';
import { CAUSES, type MachineFigures } from '../monitor/verdict.ts';
import { requireDescriptors } from '../webrtc/descriptors.ts';
import type { IceCandidate } from '../webrtc/ice-fragment.ts';
import type { MediaLink, MediaPeer, PeerSource } from '../webrtc/peer.ts';
import { Session } from './session.ts';
import type { Streams } from './streams.ts';

/** What the opener of a session is told about it. */
export interface SessionHooks {
  onCandidate?: (candidate: IceCandidate | null) => void;
  /** The settings were changed, and not by the publisher. */
  onSettings?: (settings: SwapSettings) => void;
  onClose?: (why: string) => void;
  /** The publisher began or stopped to speak. */
  onSpeaking?: (speaking: boolean) => void;
  /** Whether the publisher looks at its own picture only to see itself, as a page does: then it has no mark. */
  isPreview?: boolean;
}

/** What all sessions share. */
export interface SessionsParts<P extends MediaLink = MediaPeer> {
  config: Config;
  pool: Swapping;
  streams: Streams;
  peers: PeerSource<P>;
  /** The mark, and the record of choices to leave it off. */
  badge: Badge;
  /** What viewers see of a session that is off air. */
  offAirCard: OffAirCard;
  disclosure: DisclosureRecord;
  metrics: Metrics;
  /** Checks what goes out; null where safety.contentCheck is off. */
  contentCheck: PictureCheck | null;
  events: ServerEvents;
  log: Logger;
  /** Figures of the machine over the last seconds; null before the first sample. */
  machine: () => MachineFigures | null;
}

/** What a publisher that comes back goes on with. */
export interface Continuation {
  settings: SwapSettings;
  /** What its viewers see; null before the first frame. */
  still: Frame | null;
}

/** How long a publisher that comes back waits for the server to see that its old session is silent. */
const PROBE_MS = 1200;

/** Causes that one more session would make worse. */
const SHARED: ReadonlySet<Cause> = new Set(['processor', 'lane', 'memory']);

/** All open sessions; decides whether the server has room for one more. */
export class Sessions<P extends MediaLink = MediaPeer> {
  readonly #parts: SessionsParts<P>;
  readonly #open = new Map<string, Session<P>>();
  #isDraining = false;

  constructor(parts: SessionsParts<P>) {
    this.#parts = parts;
  }

  /** Number of open sessions. */
  get size(): number {
    return this.#open.size;
  }

  /** All open sessions, in the order in which they were opened. */
  all(): Session<P>[] {
    return [...this.#open.values()];
  }

  /** The open session with this id. */
  get(id: string): Session<P> | undefined {
    return this.#open.get(id);
  }

  /** The session that publishes this stream now. */
  named(stream: string): Session<P> | undefined {
    return this.all().find((session) => session.stream === stream);
  }

  /**
   * Ends the session of a publisher that was cut and comes back before the server noticed, so that it can have its
   * stream's name again. A stream whose publisher still sends is left alone: `open` refuses its name. Takes a second at
   * most.
   * @param again the old session's id, which its publisher alone knows; the session is then ended at once.
   * @returns what the new session goes on with; null if no session was ended.
   */
  async takeOver(stream: string, again?: string): Promise<Continuation | null> {
    const before = this.named(stream);
    if (before === undefined) return null;
    const isSame = (): boolean => before.id === again || before.isCut;
    const askedAtMs = performance.now();
    while (!isSame() && before.lastFrameAtMs < askedAtMs && performance.now() - askedAtMs < PROBE_MS) await delay(50);
    if (before.isClosed || !isSame()) return null;
    const continuation = { settings: before.settings, still: before.picture };
    before.close('its publisher came back');
    return continuation;
  }

  /**
   * Opens a session with its lane state and its stream.
   * @param stream name by which viewers find the stream, besides the session's id.
   * @throws FaceOffError `server_full`, `server_stopping` (503) and `stream_taken` (409), all with retryAfterMs, `bad_name` (400),
   * `unknown_face` (404).
   */
  open(settings: SettingsPatch, hooks: SessionHooks = {}, stream?: string): Session<P> {
    const { config, pool, streams, peers, badge, offAirCard, disclosure, metrics, contentCheck, events, machine } =
      this.#parts;
    this.checkCapacity();
    if (stream !== undefined) streams.check(stream);
    const id = randomUUID();
    const log = this.#parts.log.child({ session: id });
    const session = new Session<P>({
      id,
      swap: pool.open(id, settings),
      stream: streams.claim(id, stream),
      webrtc: config.webrtc,
      peers,
      largestPixels: config.limits.frameWidth * config.limits.frameHeight,
      metrics,
      contentCheck,
      contentThreshold: config.safety.contentThreshold,
      events,
      log,
      machine,
      badge,
      offAirCard,
      isPreview: hooks.isPreview ?? false,
      unmarkedBy: settings.badge === false ? 'publisher' : 'config',
      onUnmarked: (by) => disclosure.note(by, id, log),
      onCandidate: hooks.onCandidate ?? (() => undefined),
      ...(hooks.onSpeaking !== undefined && { onSpeaking: hooks.onSpeaking }),
      onSettings: hooks.onSettings ?? (() => undefined),
      onClose: (closed, why) => {
        this.#open.delete(closed.id);
        streams.release(closed.id);
        log.info({ why, open: this.#open.size }, 'session closed');
        this.measure();
        hooks.onClose?.(why);
      },
    });
    this.#open.set(id, session);
    log.info({ open: this.#open.size }, 'session opened');
    this.measure();
    return session;
  }

  /** Updates the gauges of the metrics. */
  measure(): void {
    const { metrics } = this.#parts;
    metrics.sessions(this.#open.size, Math.max(0, ...this.all().map((session) => session.level)));
    metrics.plans(this.all().map(({ plan }) => plan));
    const causes = this.all().map(({ verdict }) => verdict.cause);
    const counts = CAUSES.map((cause) => [cause, causes.filter((one) => one === cause).length]);
    metrics.verdicts(Object.fromEntries(counts) as Record<Cause, number>);
  }

  /** Number of sessions limited by a resource that all sessions share: processor, lane or memory. */
  get limitedCount(): number {
    return this.all().filter(({ verdict }) => SHARED.has(verdict.cause)).length;
  }

  /**
   * The load of all sessions together: frames per second in total, the longest frame time (p95) and the lowest
   * quality.
   */
  load(): { sessions: number; fps: number; frameMs: number; level: number } {
    const stats = this.all().map((session) => session.stats);
    return {
      sessions: stats.length,
      fps: Math.round(10 * stats.reduce((sum, { fpsOut }) => sum + fpsOut, 0)) / 10,
      frameMs: Math.max(0, ...stats.map(({ frameMs }) => frameMs.p95)),
      level: Math.max(0, ...stats.map(({ level }) => level)),
    };
  }

  /** Refuses new sessions from now on; those that run go on. Idempotent. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Closes all sessions. Idempotent. */
  close(): void {
    for (const session of this.all()) session.close('server stopping');
  }

  /** Refuses what `open` would refuse for lack of room. @throws FaceOffError `server_full`, `server_stopping` (503). */
  checkCapacity(): void {
    const { limits, memory } = this.#parts.config;
    const { sessions } = limits;
    const { rssLimitMb } = memory;
    const options = { details: { retryAfterMs: RETRY_AFTER_MS } };
    if (this.#isDraining)
      throw new FaceOffError('server_stopping', 'The server is stopping and takes no new sessions.', options);
    if (this.#open.size >= sessions) {
      throw new FaceOffError(
        'server_full',
        `${sessions === 1 ? 'The only place is' : `All ${sessions} places are`} taken. Try again in a moment, or raise limits.sessions.`,
        options,
      );
    }
    if (residentBytes() > rssLimitMb * 2 ** 20) {
      throw new FaceOffError(
        'server_full',
        `The server uses more than ${rssLimitMb} MB of memory. Try again in a moment, or raise memory.rssLimitMb.`,
        options,
      );
    }
    requireDescriptors();
  }
}
