/** Opens an added model for its profile, with the tensors that kernels fill in their memory. */

import type { ModelSpec } from '../../device/device-protocol.ts';
import { type ModelSession, openSession } from '../../inference/model-session.ts';
import type { Kernels } from '../../kernels/kernels.ts';
import type { Catalogue, OptionalEntry } from '../../models/catalogue.ts';
import type { Tell } from '../../models/model-states.ts';
import { expectedDigest, readAdded, requireFile } from '../../models/model-store.ts';
import { type Graph, readGraph } from '../../models/onnx-graph.ts';
import type { ProfileBinding } from './bind-profile.ts';

export interface OpenOptions {
  /** Threads inside one run. */
  threads: number;
  /** Runs before the first real one, as the first are slow. */
  warmupRuns: number;
  /** Where big models run; null or left out runs them in this thread. */
  device?: ModelDevice | null;
  /** Told what becomes of the model. */
  tell?: Tell;
}

/** Opens models somewhere else than in this thread. */
export interface ModelDevice {
  /** @param bind see SessionOptions. @throws FaceOffError what opening met. */
  open(spec: ModelSpec, bind: Record<string, Float32Array>): Promise<ModelSession>;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Floats of the picture that goes in. */
export const floatsIn = ({ shape, input }: ProfileBinding): number =>
  sizeOf(shape.inputs.find(({ name }) => name === input)!.shape);

/** What an added model's file says of itself. @throws FaceOffError `model_missing`, `model_unusable`. */
export function graphOf(catalogue: Catalogue, entry: OptionalEntry): Graph {
  requireFile(catalogue, entry);
  return readGraph(catalogue.fileOf(entry));
}

/**
 * @param kernels whose memory takes the picture that goes in.
 * @throws FaceOffError `model_missing`, `model_differs`, `model_unusable`.
 */
export async function openBound(
  ...[catalogue, entry, fit, kernels, options]: [Catalogue, OptionalEntry, ProfileBinding, Kernels | null, OpenOptions]
): Promise<ModelSession> {
  const { tell = () => undefined } = options;
  const model = entry.name;
  tell({ model, state: 'loading' });
  try {
    const session = await openWarm(catalogue, entry, fit, kernels, options);
    tell({ model, state: 'ready', provider: session.provider });
    const close = session.close.bind(session);
    session.close = () => close().then(() => tell({ model, state: 'verified' }));
    return session;
  } catch (error) {
    tell({ model, state: 'failed', why: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}

async function openWarm(
  ...[catalogue, entry, fit, kernels, options]: [Catalogue, OptionalEntry, ProfileBinding, Kernels | null, OpenOptions]
): Promise<ModelSession> {
  const bind = kernels === null ? {} : { [fit.input]: kernels.floats(floatsIn(fit)) };
  const { shape, doubles, scalars, open } = fit;
  const { threads, warmupRuns, device } = options;
  if (device != null) {
    const sha256 = await expectedDigest(catalogue, entry);
    return await device.open({ file: catalogue.fileOf(entry), sha256, shape, doubles, scalars, open }, bind);
  }
  const bytes = await readAdded(catalogue, entry);
  const session = await openSession(shape, bytes, { threads, bind, doubles, scalars });
  try {
    for (let run = 0; run < warmupRuns; run++) await session.run();
  } catch (error) {
    await session.close();
    throw error;
  }
  return session;
}
