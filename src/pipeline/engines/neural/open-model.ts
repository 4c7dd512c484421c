/** Opens an added model for its profile, with inputs in the memory of the kernels that fill them. */

import { messageOf } from '../../../shared/errors.ts';
import { shapeSize } from '../../../shared/shape-size.ts';
import type { ModelDevice } from '../../inference/model-device.ts';
import { type ModelSession, openSession } from '../../inference/model-session.ts';
import type { Kernels } from '../../kernels/kernels.ts';
import type { Catalogue, OptionalEntry } from '../../models/catalogue.ts';
import type { OnModelNews } from '../../models/model-states.ts';
import { expectedDigest, readAdded, requireFile } from '../../models/model-store.ts';
import { type Graph, readGraph } from '../../models/onnx-graph.ts';
import type { ProfileBinding } from './bind-profile.ts';

/** Where and how added models are opened. */
export interface OpenOptions {
  /** Threads inside one run. */
  threads: number;
  /** Runs before the first real one, as the first are slow. */
  warmupRuns: number;
  /** The device that runs added models; null or absent runs them in this thread. */
  device?: ModelDevice | null;
  /** Receives the states of the model. */
  onModelNews?: OnModelNews;
}

/** A model to open, with its file bound to its profile. */
export interface BoundModel {
  entry: OptionalEntry;
  binding: ProfileBinding;
  /** Kernels in whose memory the input picture is allocated; null allocates it elsewhere. */
  kernels: Kernels | null;
}

/** Number of floats of the input picture, for all pictures of a run. */
export const floatsIn = ({ shape, input }: ProfileBinding): number =>
  shapeSize(shape.inputs.find(({ name }) => name === input)!.shape);

/** Inputs and outputs of an added model's file. @throws FaceOffError `model_missing`, `model_unusable`. */
export function graphOf(catalogue: Catalogue, entry: OptionalEntry): Graph {
  requireFile(catalogue, entry);
  return readGraph(catalogue.fileOf(entry));
}

/**
 * Opens and warms a model, and reports its states.
 * @throws FaceOffError `model_missing`, `model_differs`, `model_unusable`.
 */
export async function openBoundModel(
  catalogue: Catalogue,
  bound: BoundModel,
  options: OpenOptions,
): Promise<ModelSession> {
  const { onModelNews = () => undefined } = options;
  const model = bound.entry.name;
  onModelNews({ model, state: 'loading' });
  try {
    const session = await openWarm(catalogue, bound, options);
    onModelNews({ model, state: 'ready', provider: session.provider });
    const close = session.close.bind(session);
    session.close = () => close().then(() => onModelNews({ model, state: 'verified' }));
    return session;
  } catch (error) {
    onModelNews({ model, state: 'failed', why: messageOf(error) });
    throw error;
  }
}

async function openWarm(
  catalogue: Catalogue,
  { entry, binding, kernels }: BoundModel,
  { threads, warmupRuns, device }: OpenOptions,
): Promise<ModelSession> {
  const bind = kernels === null ? {} : { [binding.input]: kernels.floats(floatsIn(binding)) };
  const { shape, doubles, scalars, open } = binding;
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
