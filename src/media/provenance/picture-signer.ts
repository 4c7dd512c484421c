import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { root } from '../../lib/package-root.ts';
import { messageOf } from '../../shared/errors.ts';
import type { PictureOrigin } from './content-credentials.ts';
import type { SigningOptions, SigningReply, SigningRequest } from './signing-protocol.ts';

/** How pictures are signed. */
export interface PictureSignerParts {
  /** `disclosure.sign`; pictures stay unsigned without it, and no key is made. */
  isOn: boolean;
  /** `storage.dir`. */
  folder: string;
  /** Receives a sentence that an operator has to know; why pictures stay unsigned is said once. */
  onNote(note: string): void;
}

interface Waiting {
  resolve(picture: Uint8Array): void;
  reject(error: Error): void;
}

/** How long the thread waits for the next picture; its libraries take 13 MB. */
const IDLE_MS = 60_000;

/** Whether C2PA's library signs the format of the picture: PNG and JPEG. */
const isSignable = (picture: Uint8Array): boolean =>
  (picture[0] === 0x89 && picture[1] === 0x50) || (picture[0] === 0xff && picture[1] === 0xd8);

/**
 * Signs pictures on a thread of its own, which starts with the first picture and ends when there were none for a minute.
 * A picture that cannot be signed stays as it is. Used on the main thread.
 */
export class PictureSigner {
  readonly #parts: PictureSignerParts;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #idleTimer: NodeJS.Timeout | undefined;
  #nextId = 1;
  #isFaultSaid = false;

  constructor(parts: PictureSignerParts) {
    this.#parts = parts;
  }

  /**
   * The picture with a signed C2PA manifest; the picture itself where its format has none, where signing is off, and
   * where it fails. Never rejects.
   * @param picture a whole file, in which a face was swapped; it is copied.
   */
  async sign(picture: Uint8Array, origin: PictureOrigin): Promise<Uint8Array> {
    if (!this.#parts.isOn || !isSignable(picture)) return picture;
    try {
      const signed = await this.#ask(picture, origin);
      this.#isFaultSaid = false;
      return signed;
    } catch (error) {
      if (!this.#isFaultSaid)
        this.#parts.onNote(
          `Pictures stay unsigned: ${messageOf(error)}. Their metadata still say that a face was swapped.`,
        );
      this.#isFaultSaid = true;
      return picture;
    }
  }

  /** Ends the thread; pictures that wait for it stay unsigned. Idempotent. */
  async close(): Promise<void> {
    clearTimeout(this.#idleTimer);
    await this.#worker?.terminate();
  }

  #ask(picture: Uint8Array, origin: PictureOrigin): Promise<Uint8Array> {
    clearTimeout(this.#idleTimer);
    this.#worker ??= this.#start();
    const worker = this.#worker;
    worker.ref();
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, picture, origin } satisfies SigningRequest);
    });
  }

  #start(): Worker {
    const workerData: SigningOptions = { folder: this.#parts.folder };
    const worker = new Worker(path.join(root, 'dist/media/signing-worker.js'), { workerData });
    worker.on('message', (reply: SigningReply) => this.#settle(reply));
    let cause = new Error('the signing thread ended');
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('exit', () => {
      // One that was idle had nothing to do, and may have a successor.
      if (this.#worker !== worker) return;
      this.#worker = null;
      for (const { reject } of this.#waiting.values()) reject(cause);
      this.#waiting.clear();
    });
    return worker;
  }

  #settle({ id, picture, error, note }: SigningReply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (note !== null) this.#parts.onNote(note);
    if (picture !== null) waiting?.resolve(picture);
    else waiting?.reject(new Error(error ?? 'no reason given'));
    if (this.#waiting.size > 0) return;
    // A program that has nothing else to do ends.
    this.#worker?.unref();
    this.#idleTimer = setTimeout(() => this.#endIdle(), IDLE_MS).unref();
  }

  #endIdle(): void {
    const worker = this.#worker;
    this.#worker = null;
    void worker?.terminate();
  }
}
