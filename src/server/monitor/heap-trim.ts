import { type ForeignFunction, openLibrary } from '../../pipeline/inference/native/ffi.ts';

/** Number of observations without a change after which sessions count as gone. */
const SETTLED = 5;
/** While sessions are live, no more often than this: every thread that allocates waits for it, tens of milliseconds. */
const LIVE_EVERY_MS = 300_000;

/**
 * Has freed memory given back to the system once sessions have gone: WebRTC's threads free what they allocated, and the C
 * library keeps it for them. Without it a server that had many guests holds some hundred megabytes that nothing uses.
 */
export class HeapTrim {
  readonly #trim: () => Promise<void>;
  #sessions = 0;
  #isWanted = false;
  #settled = 0;
  #isTrimming = false;
  #trimmedAtMs: number;
  readonly #clock: () => number;

  constructor(trim: () => Promise<void> = trimHeap, clock: () => number = () => performance.now()) {
    this.#trim = trim;
    this.#clock = clock;
    this.#trimmedAtMs = clock();
  }

  /** Takes the number of open sessions, once a second. */
  observe(sessions: number): void {
    this.#isWanted ||= sessions < this.#sessions;
    this.#settled = sessions === this.#sessions ? this.#settled + 1 : 0;
    this.#sessions = sessions;
    const mayPause = sessions === 0 || this.#clock() - this.#trimmedAtMs > LIVE_EVERY_MS;
    if (this.#isWanted && mayPause && this.#settled >= SETTLED) this.trimNow();
  }

  /** Trims now, as memory is short. */
  trimNow(): void {
    if (this.#isTrimming) return;
    this.#isWanted = false;
    this.#isTrimming = true;
    this.#trimmedAtMs = this.#clock();
    void this.#trim().finally(() => {
      this.#isTrimming = false;
    });
  }
}

let mallocTrim: ForeignFunction | null | undefined;

/**
 * Gives freed memory back to the system by glibc's `malloc_trim`, called on another thread. Resolves when it is done; at once where there is no such function, as
 * outside Linux and with musl.
 */
export async function trimHeap(): Promise<void> {
  mallocTrim ??= trimFunction();
  const found = mallocTrim;
  if (found !== null) await new Promise<void>((resolve) => found.async(0, () => resolve()));
}

function trimFunction(): ForeignFunction | null {
  if (process.platform !== 'linux') return null;
  try {
    return openLibrary(null).func('malloc_trim', 'int', ['size_t']);
  } catch {
    return null;
  }
}
