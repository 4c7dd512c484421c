/**
 * How the device opens a model: at once on the best session that is ready, later on a better one. A TensorRT engine
 * takes minutes to build, so CUDA serves until it is there; on the CPU, the graph as optimised for this processor is
 * kept for the next start. Both are built in a process of their own.
 */

import path from 'node:path';
import type { CacheLeases } from '../../cache/leases.ts';
import type { BuildProgress, EngineRequest } from '../inference/build-child.ts';
import type { NativeSession } from '../inference/native/native-session.ts';
import type { EnginePlan, ProviderLadder } from '../inference/provider-ladder.ts';
import type { TensorRTCache } from '../inference/tensorrt-cache.ts';

/** A session together with the lease of the cache entry that it is open on. */
export interface HeldModel {
  session: NativeSession;
  /** Whether an engine or an optimised model was found in the cache. */
  cached: boolean;
  /** Closes the session, then ends the lease. */
  close(): Promise<void>;
}

/** What a ModelOpener works with. */
export interface OpenerParts {
  ladder: Pick<ProviderLadder, 'steps' | 'open'>;
  engines: Pick<TensorRTCache, 'findEngine' | 'buildEngine' | 'findOptimised' | 'buildOptimised'>;
  leases: Pick<CacheLeases, 'hold'>;
  /** Threads inside one run on the CPU. */
  threads: number;
  /** A model whose loading took longer than this is kept optimised: milliseconds, 1000 by default. */
  optimiseAboveMs?: number;
}

type Spec = Parameters<ProviderLadder['open']>[0];

/** Receives the progress of a build, and null when the build is over. */
export type OnBuild = (progress: BuildProgress | null) => void;

const OPTIMISE_ABOVE_MS = 1000;

/** Opens sessions for the models of the device process. */
export class ModelOpener {
  readonly #parts: OpenerParts;

  constructor(parts: OpenerParts) {
    this.#parts = parts;
  }

  /**
   * Opens the best session that needs no build. @throws FaceOffError `model_unusable`, `out_of_memory`, `device_lost`.
   */
  async openNow(request: EngineRequest): Promise<HeldModel> {
    const { ladder, engines } = this.#parts;
    if (ladder.steps[0] === 'tensorrt') {
      const plan = await engines.findEngine(request);
      if (plan !== null) return await this.#openLeased(plan.folder, request, (spec) => ladder.open(spec, plan));
    }
    if (ladder.steps[0] === 'cpu') {
      const file = await engines.findOptimised(request);
      // Where the optimised model cannot be opened, the original one is.
      const open = () =>
        this.#openLeased(path.dirname(file!), request, (spec) =>
          ladder.open({ ...spec, model: file!, optimised: true }),
        );
      const held = file === null ? null : await open().catch(() => null);
      if (held !== null) return held;
    }
    const session = await ladder.open(this.#spec(request));
    return { session, cached: false, close: () => session.close() };
  }

  /**
   * Builds a better session than the one that `openNow` opened.
   * @param tookMs how long `openNow` took.
   * @returns null where no better session comes of it in this process.
   * @throws FaceOffError `engine_failed`; the session that is open keeps serving.
   */
  async openBetter(
    request: EngineRequest,
    held: HeldModel,
    tookMs: number,
    onBuild: OnBuild,
  ): Promise<HeldModel | null> {
    const { ladder, engines, optimiseAboveMs = OPTIMISE_ABOVE_MS } = this.#parts;
    const { provider } = held.session;
    try {
      if (provider === 'cuda' && ladder.steps[0] === 'tensorrt') {
        const plan: EnginePlan = await engines.buildEngine(request, onBuild);
        return await this.#openLeased(plan.folder, request, (spec) => ladder.open(spec, plan));
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

  /** Opens a session on a folder of the cache, with a lease so that the sweeper leaves the folder alone. */
  async #openLeased(
    folder: string,
    request: EngineRequest,
    open: (spec: Spec) => Promise<NativeSession>,
  ): Promise<HeldModel> {
    const release = await this.#parts.leases.hold(`${path.basename(path.dirname(folder))}/${path.basename(folder)}`);
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
