/**
 * The neural engines of a lane: each is opened in the background when first asked for, and closed when no longer used.
 */

import { FaceOffError, messageOf } from '../../../shared/errors.ts';
import type { OnModelNews } from '../../models/model-states.ts';
import type { NeuralEngine } from './neural-engine.ts';

interface Slot {
  engine: NeuralEngine;
  /** The engine is not used until then, after a failure or because it is too slow. */
  pausedUntilMs: number;
  /** Whether the engine failed since it last served. */
  failed: boolean;
  /** Whether the engine was reported as too slow. */
  isSlow: boolean;
}

/** Pause after a failure: by then memory may be free again, or a missing file may be there. */
const PAUSE_MS = 10_000;
/** Factor of the budget above which an engine is too slow; a smaller excess may be noise. */
const TOO_SLOW = 1.2;

/** Limits and listeners of an EngineRegistry. */
export interface EngineRegistryOptions {
  /** Time of a frame: a slower engine gets a frame every PAUSE_MS only. No limit by default. */
  budgetMs?: number;
  now?: () => number;
  /** Called with `ready` when an engine serves again after a failure. */
  onModelNews?: OnModelNews;
}

/** Opens, pauses and closes a lane's neural engines by name. Runs in the lane worker. */
export class EngineRegistry {
  readonly #slots = new Map<string, Slot>();
  readonly #make: (name: string) => NeuralEngine;
  readonly #onFault: (error: unknown) => void;
  readonly #budgetMs: number;
  readonly #now: () => number;
  readonly #onModelNews: OnModelNews;

  /**
   * @param make constructs an engine, which is not open yet.
   * @param onFault called with `engine_failed` or `engine_slow` for every engine that cannot be opened, fails or is too
   *   slow.
   */
  constructor(
    make: (name: string) => NeuralEngine,
    onFault: (error: unknown) => void,
    options: EngineRegistryOptions = {},
  ) {
    const {
      budgetMs = Number.POSITIVE_INFINITY,
      now = () => performance.now(),
      onModelNews = () => undefined,
    } = options;
    this.#make = make;
    this.#onFault = onFault;
    this.#budgetMs = budgetMs;
    this.#now = now;
    this.#onModelNews = onModelNews;
  }

  /** The engine if it can swap now; null while it is being opened, which this call starts, or paused. */
  ready(name: string): NeuralEngine | null {
    const slot = this.#slots.get(name);
    if (slot !== undefined && this.#now() < slot.pausedUntilMs) return null;
    if (slot?.engine.ready === true) return this.#isFastEnough(name, slot) ? this.#serving(name, slot) : null;
    void this.open(name);
    return null;
  }

  /** The provider of an engine, even of one that is too slow; null while it is not open. */
  runsOn(name: string): NeuralEngine['runsOn'] {
    return this.#slots.get(name)?.engine.runsOn ?? null;
  }

  /** Milliseconds a face of an engine that is too slow; null for one that is fast enough, or not open. */
  tooSlowMs(name: string): number | null {
    const slot = this.#slots.get(name);
    return slot?.isSlow === true ? slot.engine.usualMs : null;
  }

  /** Opens an engine, unless it is paused; resolves when it is ready or has failed. Never throws. */
  async open(name: string): Promise<void> {
    let engine: NeuralEngine | null = null;
    try {
      const slot = this.#slots.get(name) ?? {
        engine: this.#make(name),
        pausedUntilMs: 0,
        failed: false,
        isSlow: false,
      };
      this.#slots.set(name, slot);
      engine = slot.engine;
      if (this.#now() >= slot.pausedUntilMs) await engine.open();
    } catch (error) {
      this.markFailed(name, error, engine);
    }
  }

  /**
   * Pauses an engine after a failure, and reports the failure. An engine whose device was lost is closed, to be
   * reopened.
   * @param engine the instance that failed: the call is ignored if another one has replaced it, which may work. Null
   *   when it could not be constructed.
   */
  markFailed(name: string, error: unknown, engine: NeuralEngine | null): void {
    const slot = this.#slots.get(name);
    if (engine !== null && slot?.engine !== engine) return;
    const code = error instanceof FaceOffError ? error.code : '';
    if (code === 'too_late') return;
    if (code === 'device_lost' && slot?.engine.ready === true) {
      this.#slots.delete(name);
      void slot.engine.close().catch(() => undefined);
    }
    // Of several frames that await the same opening, the first one reports the failure.
    if (slot !== undefined && this.#now() < slot.pausedUntilMs) return;
    if (slot !== undefined) Object.assign(slot, { pausedUntilMs: this.#now() + PAUSE_MS, failed: true });
    const why = messageOf(error);
    this.#onFault(
      new FaceOffError('engine_failed', `The engine ${name} cannot be used, mesh serves: ${why}`, {
        cause: error,
        details: { model: name, why },
      }),
    );
  }

  /** False for an engine that is too slow, except for one frame every PAUSE_MS, which measures it again. */
  #isFastEnough(name: string, slot: Slot): boolean {
    const { usualMs } = slot.engine;
    if (usualMs <= TOO_SLOW * this.#budgetMs) {
      slot.isSlow = false;
      return true;
    }
    slot.pausedUntilMs = this.#now() + PAUSE_MS;
    if (slot.isSlow) return true;
    slot.isSlow = true;
    const takes = `takes ${Math.round(usualMs)} ms a face, and a frame has ${Math.round(this.#budgetMs)} ms`;
    const advice = 'Use a GPU, choose a smaller model, or raise pipeline.budgetMs and accept the delay';
    this.#onFault(new FaceOffError('engine_slow', `The engine ${name} ${takes}: mesh serves. ${advice}.`));
    return false;
  }

  /** Notes that an engine serves, and reports it where it had failed before. */
  #serving(name: string, slot: Slot): NeuralEngine {
    const { engine } = slot;
    if (slot.failed) this.#onModelNews({ model: name, state: 'ready', provider: engine.runsOn?.provider ?? '' });
    slot.failed = false;
    return engine;
  }

  /** Closes all engines but those named. */
  async closeExcept(used: ReadonlySet<string>): Promise<void> {
    const others = [...this.#slots].filter(([name]) => !used.has(name));
    for (const [name] of others) this.#slots.delete(name);
    for (const [, { engine }] of others) await engine.close().catch((error: unknown) => this.#onFault(error));
  }

  /** Closes all engines. Idempotent. */
  close(): Promise<void> {
    return this.closeExcept(new Set());
  }
}
