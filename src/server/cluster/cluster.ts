import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../../config.ts';
import type { Logger } from '../../lib/log.ts';
import { LiveKitApi, type LiveKitParticipant } from '../../livekit/livekit-api.ts';
import { issuerOf, liveKitOf } from '../../livekit/livekit-settings.ts';
import { cameraRoom, checkPublisher, checkStreamName, publisherOf } from '../../livekit/room-names.ts';
import {
  type PublisherTickets,
  publisherTickets,
  type RoomTicket,
  type TicketIssuer,
  viewerTicket,
} from '../../livekit/stream-tokens.ts';
import { isJob, jobsOf } from '../../shared/cluster/cluster-names.ts';
import { messageOf } from '../../shared/errors.ts';
import type { SettingsPatch } from '../../shared/settings.ts';
import { WaitingList } from './waiting-list.ts';
import { WorkerStreams } from './worker-streams.ts';

/** Time between two looks for publishers without a worker. */
const LOOK_MS = 2000;
/** A publisher without a worker for so long has none coming: a job begins within a second. */
const MISSED_MS = 1500;
/** How long a dispatch may take to find a worker, as LiveKit does not say that none was found; how often that is looked at. */
const TAKEN_WITHIN_MS = 2000;
const POLL_MS = 100;
/**
 * A room whose publisher asks again within this time is answered without another dispatch: the job that began may need seconds
 * to its first picture on a busy machine, and another dispatch would end it.
 */
const ASKED_AGAIN_MS = 5000;
/**
 * For so long the page of a publisher is believed that its worker is gone: it asks every second as long as it sees no picture, and
 * one that was only late must not take the place of those that have none.
 */
const BELIEVED_MS = 2500;
/** Those that wait are tried so often. */
const SERVE_MS = 500;
/** A job that is so young shows its first picture soon: another one would only take its place. */
const BEGINS_MS = 3000;
/** How long a job stays for the one that replaces it to show pictures, how often that is looked at, and beside it from then on. */
const SHOWN_WITHIN_MS = 10_000;
const SHOWN_POLL_MS = 500;
const OVERLAP_MS = 1000;
/** Rooms that are looked into at once. */
const AT_ONCE = 8;

/** What an order for a job came to: a worker took it, all workers are full, or the publisher is not in its room. */
type Ordered = 'taken' | 'full' | 'absent';

/** What a dispatch came to. */
export interface DispatchAnswer {
  /** Place among the publishers that wait for a worker, from 1 on; null if a worker has the job. */
  place: number | null;
}

/**
 * What the server does for a LiveKit cluster: gives out tokens, and sees to it that every publisher has a worker, as LiveKit
 * gives a job out once, and again only where a room's node is lost. Publishers that find all workers full wait in line. Its
 * only memory is that line, so that several servers can do the same. Main thread.
 */
export class Cluster {
  readonly #api: LiveKitApi;
  readonly #issuer: TicketIssuer;
  readonly #url: string;
  readonly #log: Logger;
  readonly #waiting = new WaitingList();
  /** When each room was last dispatched on request. */
  readonly #askedAtMs = new Map<string, number>();
  readonly #ending = new AbortController();
  /** Whether no worker took the job that was ordered last. */
  #areFull = false;
  #isReachable = true;

  /** @throws FaceOffError `no_livekit` (409). */
  constructor(config: Config, log: Logger) {
    const at = liveKitOf(config);
    this.#api = new LiveKitApi(at);
    this.#issuer = issuerOf(config);
    this.#url = at.url;
    this.#log = log;
    void this.#watch();
  }

  /** Tickets of a new publisher. @throws FaceOffError `bad_name` (400). */
  publisher(stream: string, settings: SettingsPatch): PublisherTickets & { url: string } {
    return { url: this.#url, ...publisherTickets(this.#issuer, { stream, publisher: newIdentity() }, settings) };
  }

  /** Ticket of a new viewer. @throws FaceOffError `bad_name` (400). */
  viewer(stream: string): RoomTicket & { url: string } {
    return { url: this.#url, ...viewerTicket(this.#issuer, stream, newIdentity()) };
  }

  /**
   * Gives a publisher's job to another worker: its page has seen no picture for a second.
   * @throws FaceOffError `bad_name` (400), `livekit_refused`, `livekit_unreachable` (502).
   */
  async dispatchAgain(stream: string, publisher: string): Promise<DispatchAnswer> {
    checkStreamName(stream);
    checkPublisher(publisher);
    const room = cameraRoom({ stream, publisher });
    const nowMs = performance.now();
    const isFresh = nowMs - (this.#askedAtMs.get(room) ?? Number.NEGATIVE_INFINITY) < ASKED_AGAIN_MS;
    const isWaiting = this.#waiting.placeOf(room) !== null;
    if (isWaiting || !isFresh) this.#askedAtMs.set(room, nowMs);
    if (isWaiting || isFresh) return { place: this.#waiting.placeOf(room) };
    let ordered: Ordered = 'full';
    try {
      // Those that were refused before go first. Others in the line have a job that is about to begin.
      if (!this.#areFull || this.#waiting.rooms.length === 0) ordered = await this.#dispatch(room);
    } catch (error) {
      this.#askedAtMs.delete(room);
      throw error;
    }
    if (ordered === 'full') this.#waiting.add(room, nowMs - MISSED_MS);
    // Its connection comes back, or never: the next question finds out.
    if (ordered === 'absent') this.#askedAtMs.delete(room);
    return { place: this.#waiting.placeOf(room) };
  }

  /** Number of publishers that wait for a worker, without those whose job is about to begin. */
  get waiting(): number {
    return this.#waiting.waitingFor(MISSED_MS, performance.now()).length;
  }

  /** The streams that workers swap. */
  get streams(): WorkerStreams {
    return new WorkerStreams(this.#api);
  }

  /** Idempotent. */
  close(): void {
    this.#ending.abort();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#ending;
    let lookedAtMs = performance.now();
    while (!signal.aborted) {
      await delay(SERVE_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        const nowMs = performance.now();
        if (nowMs - lookedAtMs >= LOOK_MS) {
          lookedAtMs = nowMs;
          await this.#look();
          this.#isReachable = true;
        }
        await this.#serve();
      } catch (error) {
        // One line is enough: LiveKit may be away for long.
        if (this.#isReachable)
          this.#log.warn({ error: messageOf(error) }, 'publishers without a worker cannot be found');
        this.#isReachable = false;
      }
    }
  }

  /** Finds the publishers without a worker. */
  async #look(): Promise<void> {
    const nowMs = performance.now();
    for (const [room, atMs] of this.#askedAtMs) if (nowMs - atMs > ASKED_AGAIN_MS) this.#askedAtMs.delete(room);
    const cameras = (await this.#api.rooms()).map(({ name }) => name).filter((name) => publisherOf(name) !== null);
    const alone = new Set<string>();
    for (let at = 0; at < cameras.length; at += AT_ONCE) {
      const some = cameras.slice(at, at + AT_ONCE);
      const answers = await Promise.all(some.map(async (room) => [room, await this.#api.participants(room)] as const));
      for (const [room, participants] of answers) if (lacksWorker(room, participants)) alone.add(room);
    }
    // The job of a worker that was killed is a participant still.
    const asked = [...this.#askedAtMs].filter(([, atMs]) => performance.now() - atMs < BELIEVED_MS);
    this.#waiting.keep(new Set([...alone, ...asked.map(([room]) => room)]));
    for (const room of alone) this.#waiting.add(room, nowMs);
  }

  /** Dispatches those that wait, in their order, until one finds no worker. */
  async #serve(): Promise<void> {
    for (const room of this.#waiting.waitingFor(MISSED_MS, performance.now())) {
      try {
        const ordered = await this.#dispatch(room);
        if (ordered === 'full') return;
        this.#waiting.remove(room);
        if (ordered === 'taken')
          this.#log.info({ waiting: this.#waiting.rooms.length }, 'a publisher without a worker got one');
      } catch (error) {
        // The node of the room is lost. LiveKit lists such a room without end, and the others must not wait for it.
        this.#waiting.postpone(room, performance.now());
        this.#log.debug({ error: messageOf(error) }, 'a publisher without a worker cannot be reached');
      }
    }
  }

  /**
   * Dispatches a room anew. Once a worker took the job, the room's earlier dispatches and jobs end soon; if none did, they stay.
   */
  async #dispatch(room: string): Promise<Ordered> {
    const api = this.#api;
    const [before, participants] = await Promise.all([api.dispatches(room), api.participants(room)]);
    if (publisherIn(room, participants) === undefined) return 'absent';
    const jobs = jobsIn(room, participants);
    // Where the clocks differ, none is young.
    if (jobs.some(({ joined_at_ms }) => Math.abs(Date.now() - joined_at_ms) < BEGINS_MS)) return 'taken';
    const { id } = await api.dispatch(room, this.#issuer.agentName);
    this.#areFull = !(await this.#isTaken(room, id));
    if (this.#areFull) {
      await api.removeDispatch(room, id);
      return 'full';
    }
    void this.#retire(room, {
      dispatches: before.map((dispatch) => dispatch.id),
      jobs: jobs.map(({ identity }) => identity),
    });
    return 'taken';
  }

  /**
   * Ends what was replaced, once the new job shows pictures: a page may have asked for another worker although the first one was
   * well. The job of a worker that was killed would stay for twenty seconds, with a track that shows nothing.
   */
  async #retire(room: string, { dispatches, jobs }: { dispatches: string[]; jobs: string[] }): Promise<void> {
    const api = this.#api;
    const { stream, publisher } = publisherOf(room)!;
    const isShown = ({ identity, tracks }: LiveKitParticipant): boolean =>
      identity.startsWith(jobsOf(publisher)) && !jobs.includes(identity) && tracks.length > 0;
    const { signal } = this.#ending;
    // A server that ends does not wait for it.
    const pause = (ms: number): Promise<void> => delay(ms, undefined, { signal }).catch(() => undefined);
    for (const untilMs = performance.now() + SHOWN_WITHIN_MS; performance.now() < untilMs && !signal.aborted; ) {
      await pause(SHOWN_POLL_MS);
      const there = await api.participants(stream).catch(() => []);
      if (there.some(isShown)) break;
    }
    await pause(OVERLAP_MS);
    const ends = [
      ...dispatches.map((id) => api.removeDispatch(room, id)),
      ...jobs.flatMap((job) => [api.removeParticipant(room, job), api.removeParticipant(stream, job)]),
    ];
    for (const end of await Promise.allSettled(ends))
      if (end.status === 'rejected')
        this.#log.warn({ error: messageOf(end.reason) }, 'a job that was replaced could not be ended');
  }

  async #isTaken(room: string, id: string): Promise<boolean> {
    for (const untilMs = performance.now() + TAKEN_WITHIN_MS; performance.now() < untilMs; ) {
      const dispatch = (await this.#api.dispatches(room)).find((one) => one.id === id);
      if (dispatch?.state?.jobs.some(({ state }) => state?.status === 'JS_RUNNING')) return true;
      await delay(POLL_MS);
    }
    return false;
  }
}

/** The publisher of a camera's room, if it is there. */
function publisherIn(room: string, participants: readonly LiveKitParticipant[]): LiveKitParticipant | undefined {
  const { publisher } = publisherOf(room)!;
  return participants.find(({ identity }) => identity === publisher);
}

/**
 * The jobs of a camera's room. A job begins when its publisher is there: LiveKit also lists those of a lost node, whose
 * publisher has joined anew since.
 */
function jobsIn(room: string, participants: readonly LiveKitParticipant[]): readonly LiveKitParticipant[] {
  const sinceMs = publisherIn(room, participants)?.joined_at_ms ?? 0;
  return participants.filter(({ identity, joined_at_ms }) => isJob(identity) && joined_at_ms >= sinceMs);
}

/** Whether a camera's room has a publisher that sends pictures, and no job. */
function lacksWorker(room: string, participants: readonly LiveKitParticipant[]): boolean {
  const camera = publisherIn(room, participants);
  const sends = camera?.tracks.some(({ source, muted }) => source === 'CAMERA' && !muted) ?? false;
  return sends && jobsIn(room, participants).length === 0;
}

const newIdentity = (): string => `p-${randomBytes(8).toString('hex')}`;
