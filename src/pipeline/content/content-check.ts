/** The main thread's end of the content check: which pictures are pornographic, by a model in a thread of its own. */

import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { root } from '../../lib/package-root.ts';
import { disableTelemetry } from '../../lib/system/no-telemetry.ts';
import { FaceOffError, fromWire, messageOf } from '../../shared/errors.ts';
import type { ContentReply, ContentRequest, ContentStarted, ContentWorkerOptions } from './content-protocol.ts';

interface Waiting {
  resolve(score: number): void;
  reject(error: Error): void;
}

/** A check of pictures; tests have their own. */
export interface PictureCheck {
  /**
   * How surely a picture is pornographic, 0..1.
   * @param sample interleaved RGB, 0..255, 224 x 224; it is moved. @throws FaceOffError when that cannot be told.
   */
  score(sample: Uint8Array<ArrayBuffer>): Promise<number>;
}

/** After a failed start, the next one is made so much later. */
const RETRY_MS = 10_000;

/** Serves the streams of the process. A thread that ends, or does not start, is started again by a later check. */
export class ContentCheck implements PictureCheck {
  readonly #options: ContentWorkerOptions;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #worker: Promise<Worker> | null = null;
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  /** @param modelsDir folder of the models. */
  constructor(modelsDir: string) {
    this.#options = { modelsDir };
  }

  /** Starts the thread, as the first check would. @throws FaceOffError what a model that is missing or broken meets. */
  async start(): Promise<void> {
    await this.#started();
  }

  async score(sample: Uint8Array<ArrayBuffer>): Promise<number> {
    const worker = await this.#started();
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, sample } satisfies ContentRequest, [sample.buffer]);
    });
  }

  /** Idempotent. Lets the check in hand finish, then ends the thread. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const worker = await this.#worker?.catch(() => null);
    if (worker === undefined || worker === null) return;
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.postMessage(null);
    await exited;
  }

  #started(): Promise<Worker> {
    if (this.#closed) return Promise.reject(new FaceOffError('closing', 'FaceOff is being stopped.'));
    if (this.#worker === null || performance.now() - this.#failedAtMs > RETRY_MS) {
      this.#failedAtMs = Number.POSITIVE_INFINITY;
      this.#worker = this.#open();
      this.#worker.catch(() => {
        this.#failedAtMs = performance.now();
      });
    }
    return this.#worker;
  }

  async #open(): Promise<Worker> {
    disableTelemetry();
    const worker = new Worker(path.join(root, 'dist/pipeline/content.js'), { workerData: this.#options });
    const started = await new Promise<ContentStarted>((resolve, reject) => {
      worker.once('message', resolve).once('error', (cause) => reject(lost(cause)));
      worker.once('exit', (code) => reject(lost(new Error(`the thread ended with code ${code} while starting`))));
    });
    if ('error' in started) throw fromWire(started.error);
    worker.on('message', (reply: ContentReply) => this.#settle(reply));
    worker.on('error', (cause) => this.#fail(lost(cause)));
    worker.on('exit', (code) => this.#fail(lost(new Error(`the thread ended with code ${code}`))));
    return worker;
  }

  #settle(reply: ContentReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('error' in reply) waiting?.reject(fromWire(reply.error));
    else waiting?.resolve(reply.score);
  }

  /** The next check starts another thread. */
  #fail(cause: FaceOffError): void {
    this.#worker = null;
    for (const { reject } of this.#waiting.values()) reject(cause);
    this.#waiting.clear();
  }
}

const lost = (cause: unknown): FaceOffError =>
  new FaceOffError('content_check_lost', `The content check was lost: ${messageOf(cause)}. It is started again.`, {
    cause,
  });
