/** Opens an added model for its profile, with the tensors that kernels fill in their memory. */

import type { Kernels } from '../../kernels/kernels.ts';
import type { Catalogue, OptionalEntry } from '../../models/catalogue.ts';
import { type Graph, readGraph } from '../../models/graph.ts';
import { type ModelSession, openSession } from '../../models/session.ts';
import { readAdded, requireFile } from '../../models/store.ts';
import type { Fit } from './fit.ts';

export interface OpenOptions {
  /** Threads inside one run. */
  threads: number;
  /** Runs before the first real one, as the first are slow. */
  warmupRuns: number;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Floats of the picture that goes in. */
export const floatsIn = ({ shape, input }: Fit): number =>
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
export async function openFitted(
  ...[catalogue, entry, fit, kernels, options]: [Catalogue, OptionalEntry, Fit, Kernels | null, OpenOptions]
): Promise<ModelSession> {
  const bind = kernels === null ? {} : { [fit.input]: kernels.floats(floatsIn(fit)) };
  const { threads, warmupRuns } = options;
  const bytes = await readAdded(catalogue, entry);
  const session = await openSession(fit.shape, bytes, { threads, bind, doubles: fit.doubles });
  for (const [name, value] of Object.entries(fit.scalars)) session.inputs[name]!.fill(value);
  try {
    for (let run = 0; run < warmupRuns; run++) await session.run();
  } catch (error) {
    await session.close();
    throw error;
  }
  return session;
}
