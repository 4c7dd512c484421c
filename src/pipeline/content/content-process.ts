/** Entry point of the content check's process: one model, one check at a time. It ends with its parent. */

import { SerialQueue } from '../../lib/serial.ts';
import { toWire } from '../../shared/errors.ts';
import { type ModelSession, openSession } from '../inference/model-session.ts';
import { readCatalogue } from '../models/catalogue.ts';
import type { ContentReply, ContentRequest, ContentStarted } from './content-protocol.ts';

const [modelsDir = ''] = process.argv.slice(2);
const checks = new SerialQueue();
/** Among drawing, hentai, neutral, porn and sexy, the kinds that are blocked: what is merely revealing is not. */
const BLOCKED = [1, 3];

const post = (message: ContentStarted | ContentReply): void => void process.send?.(message);

async function scoreOf(session: ModelSession, sample: Uint8Array): Promise<number> {
  const image = session.inputs.image!;
  for (const [i, value] of sample.entries()) image[i] = value / 255;
  await session.run();
  return BLOCKED.reduce((sum, kind) => sum + session.outputs.kinds![kind]!, 0);
}

async function serve(session: ModelSession, { id, sample }: ContentRequest): Promise<void> {
  try {
    post({ id, score: await scoreOf(session, sample) });
  } catch (error) {
    post({ id, error: toWire(error) });
  }
}

// Ctrl-C reaches the whole process group; the parent ends this process when it is done with it.
process.on('SIGINT', () => undefined);
try {
  const catalogue = readCatalogue(modelsDir);
  const entry = catalogue.forRole('content-check');
  const session = await openSession(entry, catalogue.read(entry), { threads: 1 });
  process.on('message', (request: ContentRequest) => void checks.run(() => serve(session, request)));
  // The parent has ended, or closes the check.
  process.once('disconnect', () => void checks.run(() => process.exit(0)));
  post({ model: entry.name });
} catch (error) {
  process.send?.({ error: toWire(error) } satisfies ContentStarted, () => process.exit(1));
}
