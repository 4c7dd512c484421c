/** Entry point of the builder process: builds one TensorRT engine or one optimised model (build-child.ts) and ends. */

import { toWire } from '../../shared/errors.ts';
import type { BuildAnswer, BuildJob } from './build-child.ts';
import { openNative } from './native/native-session.ts';
import { providerFor } from './provider-ladder.ts';

process.once('message', (job: BuildJob) => {
  void build(job).then(
    () => answer({ error: null }),
    (error: unknown) => answer({ error: toWire(error) }),
  );
});
// The parent has ended, so the result has no use.
process.on('disconnect', () => process.exit(1));

/** TensorRT builds an engine when the session opens if shapes are fixed, else at the first run of a shape. */
async function build({ kind, request, settings, folder, into }: BuildJob): Promise<void> {
  const { file, sha256: _, maxBatch = 1, ...model } = request;
  const spec = { ...model, model: file, folder, maxBatch };
  if (kind === 'optimised') {
    await (await openNative({ ...spec, threads: 1, saveOptimised: into })).close();
    return;
  }
  const session = await openNative({ ...spec, provider: providerFor('tensorrt', settings, request, { folder: into }) });
  for (const batch of new Set([1, maxBatch])) await session.run(batch);
  await session.close();
}

function answer(message: BuildAnswer): void {
  process.send!(message, () => process.exit(0));
}
