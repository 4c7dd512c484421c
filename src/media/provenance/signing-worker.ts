/**
 * The signing thread. C2PA's library takes a third of a second of a core to load, and a signature some milliseconds: on
 * the main thread, frames would wait for it.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { root } from '../../lib/package-root.ts';
import { SerialQueue } from '../../lib/serial.ts';
import { messageOf } from '../../shared/errors.ts';
import { withManifest } from './content-credentials.ts';
import { type SigningKey, signingKeyIn } from './signing-key.ts';
import type { SigningOptions, SigningReply, SigningRequest } from './signing-protocol.ts';

const { folder } = workerData as SigningOptions;
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
const queue = new SerialQueue();
let key: SigningKey | null = null;

async function reply({ id, picture, origin }: SigningRequest): Promise<SigningReply> {
  let note: string | null = null;
  try {
    key ??= await signingKeyIn(folder, (text) => {
      note = text;
    });
    return { id, picture: await withManifest(picture, { origin, version, key }), error: null, note };
  } catch (cause) {
    return { id, picture: null, error: messageOf(cause), note };
  }
}

parentPort!.on('message', (request: SigningRequest) => {
  void queue.run(async () => parentPort!.postMessage(await reply(request)));
});
