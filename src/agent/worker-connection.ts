import { type RawData, WebSocket } from 'ws';
import type { Logger } from '../lib/log.ts';
import { accessToken } from '../livekit/access-token.ts';
import { type LiveKitAddress, liveKitUrl, refusedKey, unreachableLiveKit } from '../livekit/livekit-api.ts';
import { type FaceOffError, messageOf } from '../shared/errors.ts';
import {
  type JobEnd,
  ServerMessageSchema,
  WORKER_PROTOCOL,
  type WorkerAssignment,
  type WorkerClientMessage,
  type WorkerJob,
  type WorkerServerMessage,
} from './worker-protocol.ts';

/** What a worker's connection needs, and what it reports. */
export interface WorkerConnectionParts {
  at: LiveKitAddress;
  agentName: string;
  version: string;
  /** @returns the identity that the job will have; null to refuse it. */
  onOffer: (job: WorkerJob) => string | null;
  onAssignment: (assignment: WorkerAssignment) => void;
  /** The server ends a job. */
  onTermination: (job: string) => void;
  /** The worker was registered, or its connection was lost. */
  onRegistered: (isRegistered: boolean) => void;
  log: Logger;
}

const TOKEN_MS = 60_000;
/** Pause before another attempt; it doubles with each attempt that fails. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** A server that answers no ping for so long is gone. */
const PING_MS = 5000;
/** How long the opening handshake and the registration may take, each. */
const HANDSHAKE_MS = 10_000;

/**
 * A worker's socket: registers, offers and takes jobs, reports the load. A lost socket is opened again without end; jobs that
 * run go on meanwhile. Main thread.
 */
export class WorkerConnection {
  readonly #parts: WorkerConnectionParts;
  #socket: WebSocket | null = null;
  #isRegistered = false;
  #pauseMs = FIRST_PAUSE_MS;
  #retryTimer: NodeJS.Timeout | undefined;
  #pingTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: WorkerConnectionParts) {
    this.#parts = parts;
  }

  /** Whether the server gives this worker jobs. */
  get isRegistered(): boolean {
    return this.#isRegistered;
  }

  /**
   * Connects and registers.
   * @throws FaceOffError `livekit_refused`, `livekit_unreachable`: then nothing is tried again.
   */
  async open(): Promise<void> {
    await this.#connect();
  }

  /** Tells the server how busy the worker is. @param load 0..1; the server draws among workers by what is left to 1. */
  report(load: number, isFull: boolean, jobCount: number): void {
    this.#send({ updateWorker: { status: isFull ? 'WS_FULL' : 'WS_AVAILABLE', load, jobCount } });
  }

  /** Tells the server that a job ended. @param error one sentence; empty for a success. */
  ended(jobId: string, status: JobEnd, error = ''): void {
    this.#send({ updateJob: { jobId, status, error } });
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    clearInterval(this.#pingTimer);
    this.#socket?.close();
  }

  /** Resolves when the worker is registered. */
  #connect(): Promise<void> {
    const { at, log } = this.#parts;
    const token = accessToken(at, { grant: { agent: true }, lifetimeMs: TOKEN_MS });
    const socket = new WebSocket(`${liveKitUrl(at.url, 'ws')}/agent?protocol=${WORKER_PROTOCOL}`, {
      headers: { authorization: `Bearer ${token}` },
      handshakeTimeout: HANDSHAKE_MS,
    });
    this.#socket = socket;
    return new Promise((resolve, reject) => {
      let why: FaceOffError | null = null;
      const late = setTimeout(() => socket.terminate(), 2 * HANDSHAKE_MS);
      socket.on('unexpected-response', (_request, { statusCode }) => {
        const isKey = statusCode === 401 || statusCode === 403;
        why = isKey ? refusedKey() : unreachableLiveKit(at.url, new Error(`it answered ${statusCode}`));
        socket.terminate();
      });
      socket.on('error', (cause) => {
        why ??= unreachableLiveKit(at.url, cause);
      });
      socket.on('open', () => this.#register());
      socket.on('message', (data) => {
        const message = this.#parsed(data);
        if (message?.register !== undefined) {
          clearTimeout(late);
          this.#registered(socket);
          resolve();
        }
        if (message !== null) this.#take(message);
      });
      socket.on('close', () => {
        clearTimeout(late);
        clearInterval(this.#pingTimer);
        const wasRegistered = this.#isRegistered;
        this.#isRegistered = false;
        reject(why ?? unreachableLiveKit(at.url, new Error('it closed the connection')));
        if (!wasRegistered || this.#closed) return;
        log.warn('the connection to LiveKit was lost; jobs that run go on');
        this.#parts.onRegistered(false);
        this.#retryLater();
      });
    });
  }

  #register(): void {
    const { agentName, version } = this.#parts;
    this.#send({
      register: {
        type: 'JT_PUBLISHER',
        agentName,
        version,
        // Of the camera's room: the job subscribes, and shows its settings as an attribute.
        // Statistics are data to the publisher.
        allowedPermissions: { canSubscribe: true, canPublish: false, canPublishData: true, canUpdateMetadata: true },
      },
    });
  }

  #registered(socket: WebSocket): void {
    this.#isRegistered = true;
    this.#pauseMs = FIRST_PAUSE_MS;
    let isAlive = true;
    socket.on('pong', () => {
      isAlive = true;
    });
    clearInterval(this.#pingTimer);
    this.#pingTimer = setInterval(() => {
      if (!isAlive) socket.terminate();
      isAlive = false;
      socket.ping();
    }, PING_MS);
    this.#parts.onRegistered(true);
  }

  #retryLater(): void {
    if (this.#closed) return;
    this.#retryTimer = setTimeout(() => {
      this.#connect().catch((error: unknown) => {
        this.#parts.log.warn({ error: messageOf(error) }, 'LiveKit cannot be reached again yet');
        this.#pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * this.#pauseMs);
        this.#retryLater();
      });
    }, this.#pauseMs);
  }

  #take({ availability, assignment, termination }: WorkerServerMessage): void {
    if (availability !== undefined) {
      const { job } = availability;
      const participantIdentity = this.#parts.onOffer(job);
      const answer = { jobId: job.id, available: participantIdentity !== null };
      this.#send({ availability: participantIdentity === null ? answer : { ...answer, participantIdentity } });
    }
    if (assignment !== undefined) this.#parts.onAssignment(assignment);
    if (termination !== undefined) this.#parts.onTermination(termination.jobId);
  }

  /** Null for a message that this version does not know. */
  #parsed(data: RawData): WorkerServerMessage | null {
    try {
      return ServerMessageSchema.parse(JSON.parse(String(data)));
    } catch (error) {
      this.#parts.log.warn({ error: messageOf(error).slice(0, 300) }, 'a message of LiveKit cannot be read');
      return null;
    }
  }

  #send(message: WorkerClientMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}
