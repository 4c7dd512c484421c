/**
 * How the device opens a model: at once on the best that is ready, and later on what is better still. A TensorRT engine takes
 * minutes to build, so CUDA serves until it is there; the model as it was optimised for this processor is kept for the next
 * start. Both are built in a process of their own.
 */

import path from 'node:path';
import type { CacheLeases } from '../../cache/leases.ts';
import type { BuildProgress, EngineRequest } from '../inference/build-child.ts';
import type { NativeSession } from '../inference/native/native-session.ts';
import type { EnginePlan, ProviderLadder } from '../inference/provider-ladder.ts';
import type { TensorRTCache } from '../inference/tensorrt-cache.ts';

/** A session, and what of the cache it needs as long as it lives. */
export interface HeldModel {
  session: NativeSession;
  /** Whether what had to be prepared was found prepared. */
  cached: boolean;
  close(): Promise<void>;
}

export interface OpenerParts {
  ladder: Pick<ProviderLadder, 'steps' | 'open'>;
  engines: Pick<TensorRTCache, 'findEngine' | 'buildEngine' | 'findOptimised' | 'buildOptimised'>;
  use: Pick<CacheLeases, 'hold'>;
  threads: number;
  /** Loading has to take so long before its result is kept: milliseconds. */
  optimiseAboveMs?: number;
}

type Spec = Parameters<ProviderLadder['open']>[0];

export type OnBuild = (progress: BuildProgress | null) => void;

const OPTIMISE_ABOVE_MS = 1000;

export class ModelOpener {
  readonly #parts: OpenerParts;

  constructor(parts: OpenerParts) {
    this.#parts = parts;
  }

  /** @throws FaceOffError `model_unusable`, `out_of_memory`, `device_lost`. */
  async now(request: EngineRequest): Promise<HeldModel> {
    const { ladder, engines } = this.#parts;
    if (ladder.steps[0] === 'tensorrt') {
      const plan = await engines.findEngine(request);
      if (plan !== null) return await this.#hold(plan.folder, (spec) => ladder.open(spec, plan), request);
    }
    if (ladder.steps[0] === 'cpu') {
      const file = await engines.findOptimised(request);
      // One that cannot be opened after all is no loss: the model itself is there.
      const open = () =>
        this.#hold(path.dirname(file!), (spec) => ladder.open({ ...spec, model: file!, optimised: true }), request);
      const held = file === null ? null : await open().catch(() => null);
      if (held !== null) return held;
    }
    const session = await ladder.open(this.#spec(request));
    return { session, cached: false, close: () => session.close() };
  }

  /**
   * Makes what is better than what `now` opened.
   * @param tookMs how long that took.
   * @param onBuild told how a build gets on, and null when it is over.
   * @returns a better session, or null where there is none to be had in this run.
   * @throws FaceOffError `engine_failed`; the session there is goes on.
   */
  async better(
    ...[request, held, tookMs, onBuild]: [EngineRequest, HeldModel, number, OnBuild]
  ): Promise<HeldModel | null> {
    const { ladder, engines, optimiseAboveMs = OPTIMISE_ABOVE_MS } = this.#parts;
    const { provider } = held.session;
    try {
      if (provider === 'cuda' && ladder.steps[0] === 'tensorrt') {
        const plan: EnginePlan = await engines.buildEngine(request, onBuild);
        return await this.#hold(plan.folder, (spec) => ladder.open(spec, plan), request);
      }
      if (provider === 'cpu' && !held.cached && tookMs > optimiseAboveMs)
        await engines.buildOptimised(request, onBuild);
      return null;
    } finally {
      onBuild(null);
    }
  }

  #spec(request: EngineRequest): Spec {
    const { file, sha256: _, ...model } = request;
    return { ...model, model: file, threads: this.#parts.threads };
  }

  /** Opens what lies in a folder of the cache, which is not cleaned away meanwhile. */
  async #hold(
    ...[folder, open, request]: [...[string, (spec: Spec) => Promise<NativeSession>, EngineRequest]]
  ): Promise<HeldModel> {
    const release = await this.#parts.use.hold(`${path.basename(path.dirname(folder))}/${path.basename(folder)}`);
    try {
      const session = await open(this.#spec(request));
      const close = async (): Promise<void> => {
        await session.close();
        await release();
      };
      return { session, cached: true, close };
    } catch (error) {
      await release();
      throw error;
    }
  }
}
