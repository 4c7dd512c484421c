import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

const INTERVAL_MS = 1000;

/**
 * Tells when the content of a small file has changed. It compares what can be read under the path, so that a file that is
 * replaced by a rename, or behind a link that is (an editor, a ConfigMap of Kubernetes), is seen as one that is written
 * in place. What is still being written is waited for: a change counts when it stays the same from one look to the next.
 */
export class FileWatch {
  readonly #file: string;
  readonly #onChange: () => void;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  /** Content that was last taken; null where there was no file. */
  #taken: string | null;
  #seen: string | null;
  #isLooking = false;

  /**
   * Takes what the file holds now.
   * @param onChange called after each change, also when the file is gone; it calls `take`.
   */
  constructor(file: string, onChange: () => void, intervalMs: number = INTERVAL_MS) {
    this.#file = file;
    this.#onChange = onChange;
    this.#intervalMs = intervalMs;
    this.#taken = contentOf(file);
    this.#seen = this.#taken;
  }

  /** Looks from now on; a change since the file was taken counts. */
  start(): void {
    this.#timer ??= setInterval(() => void this.#look(), this.#intervalMs).unref();
  }

  /** What the file holds now is known: it is no change any more. */
  take(): void {
    this.#taken = contentOf(this.#file);
    this.#seen = this.#taken;
  }

  /** Idempotent. */
  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const content = await readFile(this.#file, 'utf8').catch(() => null);
    this.#isLooking = false;
    const isSettled = content === this.#seen;
    this.#seen = content;
    if (isSettled && content !== this.#taken) this.#onChange();
  }
}

function contentOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
