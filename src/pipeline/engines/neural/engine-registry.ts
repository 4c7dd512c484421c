/** The neural engines of a lane: each is opened when first wanted, in the background, and closed when nobody wants it. */

import { FaceOffError } from '../../../shared/errors.ts';
import type { Tell } from '../../models/model-states.ts';
import type { NeuralEngine } from './neural-engine.ts';

interface Slot {
  engine: NeuralEngine;
  /** Until then the engine is left alone, because it failed. */
  restUntilMs: number;
  /** Whether it failed since it served last. */
  failed: boolean;
  /** Whether it was told that the engine is too slow. */
  slowTold: boolean;
}

/** An engine that failed is tried again after so long: memory may be free again, a file may be there by then. */
const REST_MS = 10_000;
/** A little slower than the budget may be chance. */
const TOO_SLOW = 1.2;

export class EngineRegistry {
  readonly #slots = new Map<string, Slot>();
  readonly #make: (name: string) => NeuralEngine;
  readonly #onFault: (error: unknown) => void;
  readonly #budgetMs: number;
  readonly #now: () => number;
  readonly #tell: Tell;

  /**
   * @param onFault told of every engine that could not be opened, failed or is too slow.
   * @param budgetMs how long a frame may take: an engine that takes longer is tried but now and then.
   * @param tell told when one serves again that had failed.
   */
  constructor(
    ...[
      make,
      onFault,
      { budgetMs = Number.POSITIVE_INFINITY, now = () => performance.now(), tell = () => undefined } = {},
    ]: [
      (name: string) => NeuralEngine,
      (error: unknown) => void,
      { budgetMs?: number; now?: () => number; tell?: Tell }?,
    ]
  ) {
    this.#make = make;
    this.#onFault = onFault;
    this.#budgetMs = budgetMs;
    this.#now = now;
    this.#tell = tell;
  }

  /** The engine if it can swap now; else it is on its way, or at rest, and null is returned. */
  ready(name: string): NeuralEngine | null {
    const slot = this.#slots.get(name);
    if (slot !== undefined && this.#now() < slot.restUntilMs) return null;
    if (slot?.engine.ready === true) return this.#keepsTime(name, slot) ? this.#back(name, slot) : null;
    void this.want(name);
    return null;
  }

  /** What an engine runs on, too slow or not; null while it is not open. */
  runsOn(name: string): NeuralEngine['runsOn'] {
    return this.#slots.get(name)?.engine.runsOn ?? null;
  }

  /** What an engine that is too slow takes for a face, in milliseconds; null for one that keeps time, or is not open. */
  tooSlowMs(name: string): number | null {
    const slot = this.#slots.get(name);
    return slot?.slowTold === true ? slot.engine.usualMs : null;
  }

  /** Opens an engine; resolves when it is ready or has failed. */
  async want(name: string): Promise<void> {
    let engine: NeuralEngine | null = null;
    try {
      const slot = this.#slots.get(name) ?? {
        engine: this.#make(name),
        restUntilMs: 0,
        failed: false,
        slowTold: false,
      };
      this.#slots.set(name, slot);
      engine = slot.engine;
      if (this.#now() >= slot.restUntilMs) await engine.open();
    } catch (error) {
      this.failed(name, error, engine);
    }
  }

  /**
   * Lets an engine rest; told by whoever saw it fail. One whose device was lost is opened anew.
   * @param engine the one that failed: of one that was let go meanwhile there is nothing to tell, and its successor may
   *   be well. Null for one that could not even be made.
   */
  failed(name: string, error: unknown, engine: NeuralEngine | null): void {
    const slot = this.#slots.get(name);
    if (engine !== null && slot?.engine !== engine) return;
    const code = error instanceof FaceOffError ? error.code : '';
    if (code === 'too_late') return;
    if (code === 'device_lost' && slot?.engine.ready === true) {
      this.#slots.delete(name);
      void slot.engine.close().catch(() => undefined);
    }
    // Of those who wait for the same opening, only the first tells.
    if (slot !== undefined && this.#now() < slot.restUntilMs) return;
    if (slot !== undefined) Object.assign(slot, { restUntilMs: this.#now() + REST_MS, failed: true });
    const why = error instanceof Error ? error.message : String(error);
    this.#onFault(
      new FaceOffError('engine_failed', `The engine ${name} cannot be used, mesh serves: ${why}`, {
        cause: error,
        details: { model: name, why },
      }),
    );
  }

  /** An engine that takes longer than a frame has gets a frame now and then, to see whether it is still so. */
  #keepsTime(name: string, slot: Slot): boolean {
    const { usualMs } = slot.engine;
    if (usualMs <= TOO_SLOW * this.#budgetMs) {
      slot.slowTold = false;
      return true;
    }
    slot.restUntilMs = this.#now() + REST_MS;
    if (slot.slowTold) return true;
    slot.slowTold = true;
    const takes = `takes ${Math.round(usualMs)} ms a face, and a frame has ${Math.round(this.#budgetMs)} ms`;
    const advice = 'Use a GPU, choose a smaller model, or raise pipeline.budgetMs and accept the delay';
    this.#onFault(new FaceOffError('engine_slow', `The engine ${name} ${takes}: mesh serves. ${advice}.`));
    return false;
  }

  /** It had its rest, if it needed one. */
  #back(name: string, slot: Slot): NeuralEngine {
    const { engine } = slot;
    if (slot.failed) this.#tell({ model: name, state: 'ready', provider: engine.runsOn?.provider ?? '' });
    slot.failed = false;
    return engine;
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
