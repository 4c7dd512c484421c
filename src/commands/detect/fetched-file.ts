/** A file that a person names, or that an address of the web names. */

import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { FaceOffError, messageOf } from '../../shared/errors.ts';

/** Most bytes that are fetched. */
const MOST_BYTES = 512 * 2 ** 20;
const TIMEOUT_MS = 120_000;

/**
 * Runs work on a file; one from the web is fetched first, and deleted afterwards.
 * @throws FaceOffError `no_input` where it cannot be had.
 */
export async function withFile<T>(source: string, work: (file: string) => Promise<T>): Promise<T> {
  if (!/^https?:\/\//i.test(source)) {
    const info = await stat(source).catch(() => null);
    if (info === null) throw new FaceOffError('no_input', `${source} does not exist.`);
    if (!info.isFile()) throw new FaceOffError('no_input', `${source} is not a file. Name a picture or a video.`);
    return work(source);
  }
  const folder = await mkdtemp(path.join(os.tmpdir(), 'faceoff-detect-'));
  try {
    const file = path.join(folder, `fetched${path.extname(new URL(source).pathname)}`);
    await fetchTo(source, file);
    return await work(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fetchTo(url: string, file: string): Promise<void> {
  try {
    const reply = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!reply.ok || reply.body === null) throw new Error(`the server answered ${reply.status}`);
    await pipeline(Readable.fromWeb(reply.body), limited, createWriteStream(file));
  } catch (cause) {
    throw new FaceOffError('no_input', `${url} cannot be fetched: ${messageOf(cause)}.`, { cause });
  }
}

async function* limited(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    if (bytes > MOST_BYTES) throw new Error(`it has more than ${MOST_BYTES / 2 ** 20} MB`);
    yield chunk;
  }
}
