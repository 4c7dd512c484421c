import type { Logger } from '../lib/log.ts';
import { type LiveKitAddress, liveKitUrl } from '../livekit/livekit-api.ts';
import { type ClusterPublisher, jobIdentity, publisherOf } from '../livekit/room-names.ts';
import { jobToken } from '../livekit/stream-tokens.ts';
import type { Session } from '../server/session/session.ts';
import { settingsFrom } from '../server/session/session-settings.ts';
import type { Sessions } from '../server/session/sessions.ts';
import { SETTINGS_ATTRIBUTE, STATE_ATTRIBUTE } from '../shared/cluster/cluster-names.ts';
import { FaceOffError, messageOf } from '../shared/errors.ts';
import type { SettingsPatch, SwapSettings } from '../shared/settings.ts';
import type { AgentMetrics } from './agent-metrics.ts';
import type { RoomLink } from './room-link.ts';
import type { JobEnd, WorkerAssignment, WorkerJob } from './worker-protocol.ts';

/** What the jobs of a worker share. */
export interface SwapJobsParts {
  at: LiveKitAddress;
  sessions: Sessions<RoomLink>;
  /** Settings of a job whose publisher has none. */
  defaults: SettingsPatch;
  /** Takes over faces that other processes added to the shared folder. */
  lookForFaces: () => Promise<void>;
  /** Whether one more job fits. @param jobs number of jobs that run or were accepted. */
  hasRoom: (jobs: number) => boolean;
  onEnd: (job: string, status: JobEnd, error: string) => void;
  /** The number of jobs changed. */
  onChange: () => void;
  metrics: AgentMetrics;
  log: Logger;
}

/** A job from its assignment on. */
interface RunningJob extends ClusterPublisher {
  id: string;
  room: string;
  dispatch: string;
  session: Session<RoomLink>;
  assignedAtMs: number;
  /** Whether its pictures were seen to be published. */
  isShown: boolean;
  /** When its publisher was last told its statistics. */
  statsAtMs: number;
  /** Resolves when another job of the publisher shows pictures, and when the job ended. */
  successor: Promise<void>;
  ended: Promise<void>;
}

/** An accepted job that the server did not assign within this time went to another worker. */
const ASSIGNED_WITHIN_MS = 10_000;
/** A job counts as begun when it is that old: its frames then show in the lanes' share. */
const SETTLED_MS = 2000;
/** Statistics go out about once a second; the worker ticks more often. */
const STATS_MS = 900;
/** A face that was just added may reach this worker's view of a shared folder a little later; how often that is looked at. */
const FACE_WITHIN_MS = 5000;
const FACE_AGAIN_MS = 500;
/** Attributes hold little; an error's sentence is cut. */
const MOST_CHARACTERS = 400;

/** The jobs of a worker: each is a session whose peer is a link to LiveKit. Main thread. */
export class SwapJobs {
  readonly #parts: SwapJobsParts;
  readonly #running = new Map<string, RunningJob>();
  /** Accepted jobs by id, with the time of their acceptance. */
  readonly #accepted = new Map<string, number>();
  /** What each session was last asked for, as text. */
  readonly #asked = new WeakMap<Session<RoomLink>, string>();
  #isDraining = false;

  constructor(parts: SwapJobsParts) {
    this.#parts = parts;
  }

  /** Number of jobs that run. */
  get size(): number {
    return this.#running.size;
  }

  /** The jobs that run. */
  all(): readonly RunningJob[] {
    return [...this.#running.values()];
  }

  /** Number of jobs that were accepted and do not show in the lanes yet. */
  get pending(): number {
    const nowMs = performance.now();
    for (const [id, atMs] of this.#accepted) if (nowMs - atMs > ASSIGNED_WITHIN_MS) this.#accepted.delete(id);
    return this.#accepted.size + this.size - this.settled;
  }

  /** Number of jobs that show in the lanes. */
  get settled(): number {
    const nowMs = performance.now();
    return this.all().filter(({ assignedAtMs }) => nowMs - assignedAtMs >= SETTLED_MS).length;
  }

  /** Decides on a job that the server offers. @returns the identity that it will have; null to refuse it. */
  offer({ id, room, participant }: WorkerJob): string | null {
    const publisher = publisherOf(room.name);
    // A participant of another identity has no token of ours.
    const isOurs = publisher !== null && participant?.identity === publisher.publisher;
    if (!isOurs || this.#isDraining || !this.#parts.hasRoom(this.size + this.#accepted.size)) {
      this.#parts.metrics.refused();
      return null;
    }
    this.#accepted.set(id, performance.now());
    this.#parts.onChange();
    return jobIdentity(publisher.publisher, id);
  }

  /** Begins a job that was offered before. */
  begin({ job, token, url }: WorkerAssignment): void {
    this.#accepted.delete(job.id);
    const publisher = publisherOf(job.room.name);
    if (publisher === null) return;
    const { at, sessions, defaults, log, onEnd } = this.#parts;
    const [successor, shown] = signal();
    const [ended, end] = signal();
    let session: Session<RoomLink>;
    try {
      session = sessions.open(defaults, {
        onClose: (why) => {
          this.#closed(job.id, why);
          end();
        },
      });
    } catch (error) {
      // Memory or file descriptors became short since the offer.
      log.warn({ error: messageOf(error) }, 'a job cannot begin');
      onEnd(job.id, 'JS_FAILED', messageOf(error));
      return;
    }
    const identity = jobIdentity(publisher.publisher, job.id);
    this.#running.set(job.id, {
      ...publisher,
      id: job.id,
      room: job.room.name,
      dispatch: job.dispatchId,
      session,
      assignedAtMs: performance.now(),
      isShown: false,
      statsAtMs: 0,
      successor,
      ended,
    });
    this.#parts.onChange();
    const base = session.settings;
    const onSettings = (text: string): void => void this.#take(session, base, text);
    onSettings(job.participant?.attributes[SETTINGS_ATTRIBUTE] ?? '');
    session.peer
      .join({
        ...publisher,
        url: liveKitUrl(url || at.url, 'ws'),
        identity,
        cameraToken: token,
        streamToken: jobToken(at, publisher, identity),
        onSettings,
        onSuccessor: shown,
      })
      .catch((error: unknown) => {
        log.warn({ session: session.id, error: messageOf(error) }, 'a job could not enter its rooms');
        session.close('the rooms could not be entered');
      });
  }

  /** The server ends a job. */
  terminate(job: string): void {
    this.#running.get(job)?.session.close('LiveKit ended the job');
  }

  /** Runs a few times a second: bit rates follow the plans, first pictures are noted, and pages are told statistics. */
  tick(): void {
    const nowMs = performance.now();
    for (const job of this.#running.values()) {
      const { peer, stats } = job.session;
      peer.fps = stats.maxFps ?? Number.POSITIVE_INFINITY;
      if (nowMs - job.statsAtMs >= STATS_MS) {
        job.statsAtMs = nowMs;
        peer.sendStats(stats);
      }
      if (job.isShown || !peer.isPublished) continue;
      job.isShown = true;
      this.#parts.metrics.firstPicture(performance.now() - job.assignedAtMs);
    }
  }

  /** Refuses jobs from now on. Idempotent. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Whether jobs are refused because the worker is stopping. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Ends all jobs. Idempotent. */
  close(): void {
    this.#isDraining = true;
    for (const { session } of this.all()) session.close('the worker is stopping');
  }

  /** Uses settings of the publisher's making, as far as they can be used here, and shows the page what holds then. */
  async #take(session: Session<RoomLink>, base: SwapSettings, text: string): Promise<void> {
    this.#asked.set(session, text);
    let problem: string | null = null;
    for (const untilMs = performance.now() + FACE_WITHIN_MS; ; await delay(FACE_AGAIN_MS)) {
      if (session.isClosed || this.#asked.get(session) !== text) return;
      try {
        const patch = settingsFrom(JSON.parse(text === '' ? '{}' : text));
        session.set({ ...base, ...patch });
        problem = null;
        break;
      } catch (error) {
        problem = messageOf(error).slice(0, MOST_CHARACTERS);
        const isMissing = error instanceof FaceOffError && error.code === 'unknown_face';
        if (!isMissing || performance.now() > untilMs) break;
        await this.#parts.lookForFaces().catch(() => undefined);
      }
    }
    if (problem !== null) {
      this.#parts.log.warn({ session: session.id, problem }, 'settings of a publisher cannot be used');
    }
    const state = problem === null ? { settings: session.settings } : { settings: session.settings, problem };
    session.peer.showPublisher({ [STATE_ATTRIBUTE]: JSON.stringify(state) });
  }

  #closed(job: string, why: string): void {
    if (!this.#running.delete(job)) return;
    const failed = /^connection failed|not connected|could not be entered/.test(why);
    this.#parts.onEnd(job, failed ? 'JS_FAILED' : 'JS_SUCCESS', failed ? why : '');
    this.#parts.onChange();
  }
}

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A promise, and what resolves it. */
function signal(): [Promise<void>, () => void] {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return [promise, resolve];
}
