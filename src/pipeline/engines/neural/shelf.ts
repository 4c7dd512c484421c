/** The neural engines of a lane: each is opened when first wanted, in the background, and closed when nobody wants it. */

import { FaceOffError } from '../../../errors.ts';
import type { NeuralEngine } from '../neural.ts';

interface Slot {
  engine: NeuralEngine;
  /** Until then the engine is left alone, because it failed. */
  restUntilMs: number;
}

/** An engine that failed is tried again after so long: memory may be free again, a file may be there by then. */
const REST_MS = 10_000;

export class Shelf {
  readonly #slots = new Map<string, Slot>();
  readonly #make: (name: string) => NeuralEngine;
  readonly #onFault: (error: unknown) => void;
  readonly #now: () => number;

  /** @param onFault told of every engine that could not be opened or failed. */
  constructor(
    make: (name: string) => NeuralEngine,
    onFault: (error: unknown) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#make = make;
    this.#onFault = onFault;
    this.#now = now;
  }

  /** The engine if it can swap now; else it is on its way, or at rest, and null is returned. */
  ready(name: string): NeuralEngine | null {
    const slot = this.#slots.get(name);
    if (slot !== undefined && this.#now() < slot.restUntilMs) return null;
    if (slot?.engine.ready === true) return slot.engine;
    void this.want(name);
    return null;
  }

  /** Opens an engine; resolves when it is ready or has failed. */
  async want(name: string): Promise<void> {
    try {
      const slot = this.#slots.get(name) ?? { engine: this.#make(name), restUntilMs: 0 };
      this.#slots.set(name, slot);
      if (this.#now() >= slot.restUntilMs) await slot.engine.open();
    } catch (error) {
      this.failed(name, error);
    }
  }

  /** Lets an engine rest; told by whoever saw it fail. */
  failed(name: string, error: unknown): void {
    const slot = this.#slots.get(name);
    // Of those who wait for the same opening, only the first tells.
    if (slot !== undefined && this.#now() < slot.restUntilMs) return;
    if (slot !== undefined) slot.restUntilMs = this.#now() + REST_MS;
    const why = error instanceof Error ? error.message : String(error);
    this.#onFault(
      new FaceOffError('engine_failed', `The engine ${name} cannot be used, mesh serves: ${why}`, { cause: error }),
    );
  }

  /** Closes the engines that are not among those wanted. */
  async keep(wanted: ReadonlySet<string>): Promise<void> {
    const others = [...this.#slots].filter(([name]) => !wanted.has(name));
    for (const [name] of others) this.#slots.delete(name);
    for (const [, { engine }] of others) await engine.close().catch((error: unknown) => this.#onFault(error));
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.keep(new Set());
  }
}
