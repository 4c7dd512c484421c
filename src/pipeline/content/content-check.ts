/** The main thread's end of the content check: which pictures are pornographic, by a model in a process of its own. */

import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { root } from '../../lib/package-root.ts';
import { disableTelemetry } from '../../lib/system/no-telemetry.ts';
import { FaceOffError, fromWire, messageOf } from '../../shared/errors.ts';
import type { ContentReply, ContentRequest, ContentStarted } from './content-protocol.ts';

interface Waiting {
  resolve(score: number): void;
  reject(error: Error): void;
}

/** A check of pictures; tests have their own. */
export interface PictureCheck {
  /**
   * How surely a picture is pornographic, 0..1.
   * @param sample interleaved RGB, 0..255, 224 x 224. @throws FaceOffError when that cannot be told.
   */
  score(sample: Uint8Array<ArrayBuffer>): Promise<number>;
}

/** Receives that the process was lost. Called on the main thread. */
export interface ContentCheckListener {
  /** The process ended by itself, or hung and was killed. @param restarts how often so far. */
  onLost?(cause: FaceOffError, restarts: number): void;
}

/** Interval of the looks at whether the process answers, and looks without an answer after which it hangs. */
const LOOK_MS = 1000;
const HUNG_LOOKS = 5;
/** The same while it loads its model. */
const HUNG_START_LOOKS = 60;
/** Pauses before a start that follows a failure: exponential backoff. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** A process that lived longer than this resets the backoff. */
const HEALTHY_MS = 60_000;
/** Time for the check in hand when the check is closed. */
const EXIT_MS = 4000;

/**
 * Serves the streams of the process. The model has a process of its own because a thread cannot be ended in the middle of
 * a run. A process that ends, hangs or does not start is started again by a later check, after a pause.
 */
export class ContentCheck implements PictureCheck {
  readonly #modelsDir: string;
  readonly #listener: ContentCheckListener;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #child: ChildProcess | null = null;
  /** The current start, or the last one where that failed or its process is gone. */
  #start: Promise<ChildProcess> | null = null;
  /** Whether `start` gives a process that still runs, or that is coming. */
  #runs = false;
  #startedAtMs = 0;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #pauseMs = FIRST_PAUSE_MS;
  /** Looks since the last answer. */
  #looks = 0;
  #looking: NodeJS.Timeout | undefined;
  #closed = false;
  /** How many times the process was lost. */
  restarts = 0;

  /** @param modelsDir folder of the models. */
  constructor(modelsDir: string, listener: ContentCheckListener = {}) {
    this.#modelsDir = modelsDir;
    this.#listener = listener;
  }

  /** Process id of the process; null while there is none. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Starts the process, as the first check would. @throws FaceOffError what a model that is missing or broken meets. */
  async start(): Promise<void> {
    await this.#started();
  }

  async score(sample: Uint8Array<ArrayBuffer>): Promise<number> {
    const child = await this.#started();
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) this.#looks = 0;
      this.#waiting.set(id, { resolve, reject });
      // A process that takes nothing has ended, or is about to be found hung.
      child.send({ id, sample } satisfies ContentRequest, () => undefined);
    });
  }

  /** Idempotent. Lets the check in hand finish, then ends the process. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const child = this.#child;
    if (child === null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const killing = setTimeout(() => child.kill('SIGKILL'), EXIT_MS);
    if (child.connected) child.disconnect();
    await exited;
    clearTimeout(killing);
  }

  #started(): Promise<ChildProcess> {
    if (this.#closed) return Promise.reject(new FaceOffError('closing', 'FaceOff is being stopped.'));
    if (this.#start !== null && (this.#runs || performance.now() < this.#retryAtMs)) return this.#start;
    this.#runs = true;
    this.#startedAtMs = performance.now();
    this.#start = this.#open();
    // A check that waits for it is told; one that does not come needs no answer.
    this.#start.catch(() => undefined);
    return this.#start;
  }

  async #open(): Promise<ChildProcess> {
    disableTelemetry();
    let child: ChildProcess;
    try {
      child = fork(path.join(root, 'dist/pipeline/content.js'), [this.#modelsDir], {
        execArgv: [],
        env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
    } catch (error) {
      throw this.#lose(null, lost(messageOf(error)));
    }
    this.#child = child;
    this.#look(child);
    const started = await new Promise<ContentStarted>((resolve, reject) => {
      child.once('message', (message) => resolve(message as ContentStarted));
      child.once('exit', (code, signal) =>
        reject(this.#lose(child, lost(`its process ended with ${signal ?? `code ${code}`}`))),
      );
      // Where the system starts no process, there is no `exit`.
      child.once('error', (error) => {
        if (child.pid === undefined) reject(this.#lose(child, lost(messageOf(error))));
      });
    });
    if ('error' in started) throw this.#lose(child, fromWire(started.error));
    child.on('message', (message) => this.#settle(message as ContentReply));
    return child;
  }

  /** Kills the process if it answers nothing for too long. Looks are counted, so that a halt of this process kills nothing. */
  #look(child: ChildProcess): void {
    clearInterval(this.#looking);
    this.#looks = 0;
    let isStarting = true;
    child.once('message', () => {
      isStarting = false;
    });
    const look = (): void => {
      if (!isStarting && this.#waiting.size === 0) return;
      const most = isStarting ? HUNG_START_LOOKS : HUNG_LOOKS;
      if (++this.#looks < most) return;
      this.#lose(child, lost(`its process did not answer for ${(most * LOOK_MS) / 1000} seconds and was killed`));
      child.kill('SIGKILL');
    };
    this.#looking = setInterval(look, LOOK_MS).unref();
  }

  #settle(reply: ContentReply): void {
    this.#looks = 0;
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('error' in reply) waiting?.reject(fromWire(reply.error));
    else waiting?.resolve(reply.score);
  }

  /** Counts once for a process. A check after a pause starts another one; until then checks are refused for this reason. */
  #lose(child: ChildProcess | null, cause: FaceOffError): FaceOffError {
    if (this.#child !== child || this.#closed) return cause;
    this.#child = null;
    this.#runs = false;
    clearInterval(this.#looking);
    if (performance.now() - this.#startedAtMs > HEALTHY_MS) this.#pauseMs = FIRST_PAUSE_MS;
    this.#retryAtMs = performance.now() + this.#pauseMs;
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * this.#pauseMs);
    this.#start = Promise.reject(cause);
    this.#start.catch(() => undefined);
    for (const { reject } of this.#waiting.values()) reject(cause);
    this.#waiting.clear();
    // A model that cannot be used is no loss: the start is refused for it.
    if (cause.code === 'content_check_lost') this.#listener.onLost?.(cause, ++this.restarts);
    return cause;
  }
}

const lost = (why: string): FaceOffError =>
  new FaceOffError('content_check_lost', `The content check was lost: ${why}. It is started again.`);
