/** The worker thread of the content check: one model, one check at a time. */

import { parentPort, workerData } from 'node:worker_threads';
import { SerialQueue } from '../../lib/serial.ts';
import { toWire } from '../../shared/errors.ts';
import { type ModelSession, openSession } from '../inference/model-session.ts';
import { readCatalogue } from '../models/catalogue.ts';
import type { ContentReply, ContentRequest, ContentStarted, ContentWorkerOptions } from './content-protocol.ts';

const port = parentPort!;
const checks = new SerialQueue();
/** Among drawing, hentai, neutral, porn and sexy, the kinds that are blocked: what is merely revealing is not. */
const BLOCKED = [1, 3];

const post = (message: ContentStarted | ContentReply): void => port.postMessage(message);

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

try {
  const catalogue = readCatalogue((workerData as ContentWorkerOptions).modelsDir);
  const entry = catalogue.forRole('content-check');
  const session = await openSession(entry, catalogue.read(entry), { threads: 1 });
  // Null ends the thread, once the checks in hand are answered.
  port.on('message', (request: ContentRequest | null) => {
    void checks.run(async () => {
      if (request !== null) return await serve(session, request);
      await session.close();
      port.close();
    });
  });
  post({ model: entry.name });
} catch (error) {
  post({ error: toWire(error) });
  port.close();
}
