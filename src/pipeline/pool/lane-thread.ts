/** The main thread's end of one lane: starts the worker, asks and is answered, notices when it dies. */

import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { root } from '../../lib/package-root.ts';
import { FaceOffError, fromWire } from '../../shared/errors.ts';
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

export interface LaneListener {
  /** Called once if the thread dies without having been asked to end. */
  onDeath(cause: FaceOffError): void;
  /** An error cost a frame its swap. */
  onFault(error: FaceOffError): void;
  /** A model was loaded, or was not. */
  onNews(news: ModelNews): void;
}

export class LaneThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #over: FaceOffError | null = null;
  readonly loads: readonly ModelLoad[];

  private constructor(worker: Worker, loads: readonly ModelLoad[], { onDeath, onFault, onNews }: LaneListener) {
    this.#worker = worker;
    this.loads = loads;
    worker.on('message', (message: LaneReply | LaneFault | LaneNews) => {
      if ('fault' in message) onFault(fromWire(message.fault));
      else if ('news' in message) onNews(message.news);
      else this.#hear(message);
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
   * @throws FaceOffError what the lane met while starting, for instance a model that is not the released one.
   */
  static async start(options: LaneOptions, listener: LaneListener): Promise<LaneThread> {
    const worker = new Worker(path.join(root, 'dist/pipeline/worker.js'), { workerData: options });
    const started = await new Promise<Started>((resolve, reject) => {
      const early = (code: number) => reject(lost(new Error(`the thread ended with code ${code} while starting`)));
      worker.once('error', reject);
      worker.once('exit', early);
      const hear = (message: Started | LaneFault | LaneNews) => {
        // A model that could be done without may have failed before the lane is ready.
        if ('fault' in message) return listener.onFault(fromWire(message.fault));
        if ('news' in message) return listener.onNews(message.news);
        worker.off('error', reject).off('exit', early).off('message', hear);
        resolve(message);
      };
      worker.on('message', hear);
    });
    if (!started.ready) throw fromWire(started.error);
    return new LaneThread(worker, started.loads, listener);
  }

  /** @param move buffers that are handed over, not copied. */
  ask<K extends CallName>(call: K, ask: Calls[K]['ask'], move: ArrayBuffer[] = []): Promise<Calls[K]['answer']> {
    if (this.#over !== null) return Promise.reject(this.#over);
    const id = this.#nextId++;
    return new Promise<Calls[K]['answer']>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.#worker.postMessage({ id, call, ask }, move);
    });
  }

  /** Lets the work in hand finish, then ends the thread. Idempotent. */
  async end(): Promise<void> {
    if (this.#over !== null) return;
    const gone = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
    const ended = this.ask('end', undefined);
    this.#over = new FaceOffError('lane_ended', 'The lane was ended.');
    await ended.catch(() => undefined);
    await gone;
  }

  #hear(message: LaneReply): void {
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
  const why = cause instanceof Error ? cause.message : String(cause);
  return new FaceOffError('lane_lost', `A worker thread was lost: ${why}. It is being replaced.`, { cause });
}
