/** The main thread's end of one lane worker. */

import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { root } from '../../lib/package-root.ts';
import { disableTelemetry } from '../../lib/system/no-telemetry.ts';
import { FaceOffError, fromWire, messageOf } from '../../shared/errors.ts';
import type { ModelNews } from '../models/model-states.ts';
import type {
  CallName,
  Calls,
  LaneFault,
  LaneNews,
  LaneOptions,
  LaneReply,
  ModelLoad,
  Started,
} from './lane-protocol.ts';

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** Receives what a lane reports unasked. Called on the main thread. */
export interface LaneListener {
  /** Called once if the thread dies before `end` was called. */
  onDeath(cause: FaceOffError): void;
  /** An error cost a frame its swap, or a model its use. @param session whose frame it was, if it was a frame. */
  onFault(error: FaceOffError, session?: string): void;
  /** A model of the thread was loaded, failed or is gone. */
  onNews(news: ModelNews): void;
}

/** Starts a lane worker, matches its answers to the calls, and notices when it dies. */
export class LaneThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  /** Why the thread answers no more; null while it does. */
  #over: FaceOffError | null = null;
  /** How each model was loaded at the start. */
  readonly loads: readonly ModelLoad[];

  private constructor(worker: Worker, loads: readonly ModelLoad[], { onDeath, onFault, onNews }: LaneListener) {
    this.#worker = worker;
    this.loads = loads;
    worker.on('message', (message: LaneReply | LaneFault | LaneNews) => {
      if ('fault' in message) onFault(fromWire(message.fault), message.session);
      else if ('news' in message) onNews(message.news);
      else this.#settle(message);
    });
    worker.on('error', (cause) => this.#fail(lost(cause)));
    worker.on('exit', (code) => {
      const ended = this.#over !== null && this.#over.code === 'lane_ended';
      this.#fail(lost(new Error(`the thread ended with code ${code}`)));
      if (!ended) onDeath(this.#over!);
    });
  }

  /**
   * Resolves when the lane's models are loaded and warm.
   * @throws FaceOffError the lane's error while starting, for instance `model_differs`.
   */
  static async start(options: LaneOptions, listener: LaneListener): Promise<LaneThread> {
    // Benches and tests start lanes without the program.
    disableTelemetry();
    const worker = new Worker(path.join(root, 'dist/pipeline/worker.js'), { workerData: options });
    const started = await new Promise<Started>((resolve, reject) => {
      const early = (code: number) => reject(lost(new Error(`the thread ended with code ${code} while starting`)));
      worker.once('error', reject);
      worker.once('exit', early);
      const onMessage = (message: Started | LaneFault | LaneNews) => {
        // A model that the lane can do without may fail before the lane is ready.
        if ('fault' in message) return listener.onFault(fromWire(message.fault), message.session);
        if ('news' in message) return listener.onNews(message.news);
        worker.off('error', reject).off('exit', early).off('message', onMessage);
        resolve(message);
      };
      worker.on('message', onMessage);
    });
    if (!started.ready) throw fromWire(started.error);
    return new LaneThread(worker, started.loads, listener);
  }

  /**
   * Sends a call to the worker.
   * @param move buffers that are moved, not copied.
   * @throws FaceOffError what the lane answers; `lane_lost`, `lane_ended` when there is no thread to answer.
   */
  ask<K extends CallName>(call: K, ask: Calls[K]['ask'], move: ArrayBuffer[] = []): Promise<Calls[K]['answer']> {
    if (this.#over !== null) return Promise.reject(this.#over);
    const id = this.#nextId++;
    return new Promise<Calls[K]['answer']>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.#worker.postMessage({ id, call, ask }, move);
    });
  }

  /** Lets the calls in hand finish, then ends the thread. Idempotent. */
  async end(): Promise<void> {
    if (this.#over !== null) return;
    const exited = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
    const ended = this.ask('end', undefined);
    this.#over = new FaceOffError('lane_ended', 'The lane was ended.');
    await ended.catch(() => undefined);
    await exited;
  }

  /** Resolves or rejects the call that a reply belongs to. */
  #settle(message: LaneReply): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ('error' in message) waiting?.reject(fromWire(message.error));
    else waiting?.resolve(message.answer);
  }

  #fail(cause: FaceOffError): void {
    this.#over ??= cause;
    for (const { reject } of this.#waiting.values()) reject(cause);
    this.#waiting.clear();
  }
}

function lost(cause: unknown): FaceOffError {
  const why = messageOf(cause);
  return new FaceOffError('lane_lost', `A worker thread was lost: ${why}. It is being replaced.`, { cause });
}
