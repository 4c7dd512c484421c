/**
 * Downloads one large file over HTTP. Received bytes are kept beside the target as `.part` and continued by a range
 * request as long as the server has the same file by its ETag (RFC 9110); only a complete and checked file takes the
 * target's name.
 */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { digestOf } from './model-store.ts';

/** One download. */
export interface Download {
  url: string;
  /** Path of the target; its folder exists. */
  file: string;
  /** The expected digest; null accepts any file. */
  sha256: string | null;
  /** Another digest to check, as npm's registry gives it: `sha512-` and base64. */
  integrity?: string;
  /** @param total size of the file in bytes; null where the server does not send it. */
  onProgress?: (bytes: number, total: number | null) => void;
  /** How often a broken connection is retried without any progress in between. */
  retries?: number;
  /** Pause before the first retry; doubled each time. */
  pauseMs?: number;
}

/** A connection without data for this long counts as broken. */
const SILENT_MS = 30_000;

/**
 * Downloads, or continues a download.
 * @returns the file's sha256.
 * @throws FaceOffError `no_network` when the server cannot be reached or the connection keeps breaking (received bytes
 *   are kept), `not_served` when the server answers with an error, `model_differs` for a wrong digest (nothing is
 *   kept).
 */
export async function download(job: Download): Promise<string> {
  const { file, sha256, integrity, retries = 4, pauseMs = 500 } = job;
  const part = `${file}.part`;
  let furthest = await sizeOf(part);
  for (let failures = 0; ; ) {
    try {
      await attempt(job, part);
      break;
    } catch (cause) {
      if (cause instanceof FaceOffError) throw cause;
      const has = await sizeOf(part);
      failures = has > furthest ? 1 : failures + 1;
      furthest = Math.max(furthest, has);
      if (failures > retries) throw unreachable(job, cause);
      await pause(pauseMs * 2 ** (failures - 1));
    }
  }
  const digest = await digestOf(part);
  if (sha256 !== null && digest !== sha256) {
    await discard(part);
    throw new FaceOffError(
      'model_differs',
      `What ${job.url} serves is not the expected file: its sha256 is ${digest}, not ${sha256}. Nothing was kept.`,
    );
  }
  if (integrity !== undefined && (await integrityOf(part)) !== integrity) {
    await discard(part);
    throw new FaceOffError(
      'model_differs',
      `What ${job.url} serves is not the expected file: its digest is not ${integrity}. Nothing was kept.`,
    );
  }
  await rename(part, file);
  await rm(etagFileOf(part), { force: true });
  return digest;
}

/** One request. @throws Error for what a retry may solve, FaceOffError for what it cannot. */
async function attempt(job: Download, part: string): Promise<void> {
  const tag = await readFile(etagFileOf(part), 'utf8').catch(() => '');
  // Without the ETag it is unknown whether the server's file is still the same.
  const had = tag === '' ? 0 : await sizeOf(part);
  const abort = new AbortController();
  const onSilence = () => abort.abort(new Error('the server went silent'));
  let silence = setTimeout(onSilence, SILENT_MS);
  const restartTimeout = (): void => {
    clearTimeout(silence);
    silence = setTimeout(onSilence, SILENT_MS);
  };
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (had > 0) Object.assign(headers, { range: `bytes=${had}-`, 'if-range': tag });
  try {
    const response = await fetch(job.url, { headers, signal: abort.signal });
    if (response.status === 416) {
      // Either the part is complete, which the digest confirms, or it is longer than the file, which needs a new start.
      const total = Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1] ?? Number.NaN);
      if (total === had) return;
      await discard(part);
      throw new Error('the part did not fit the file');
    }
    if (!response.ok || response.body === null) await refuse(job, response);
    const from = response.status === 206 ? startOf(response, had) : 0;
    const length = Number(response.headers.get('content-length') ?? Number.NaN);
    const total = Number.isNaN(length) ? null : from + length;
    await saveEtag(part, response);
    await receive(response.body as AsyncIterable<Uint8Array>, part, from, (bytes) => {
      restartTimeout();
      job.onProgress?.(bytes, total);
    });
    const has = await sizeOf(part);
    if (total !== null && has !== total) throw new Error(`the connection broke at ${has} of ${total} bytes`);
  } finally {
    clearTimeout(silence);
  }
}

/** Offset of a partial response. @throws Error unless it continues at the requested byte. */
function startOf(response: Response, had: number): number {
  const from = Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] ?? Number.NaN);
  if (from !== had) throw new Error('the server continued at another place');
  return from;
}

/** Saves a strong ETag; a weak one does not guarantee the same bytes. */
async function saveEtag(part: string, response: Response): Promise<void> {
  const tag = response.headers.get('etag') ?? '';
  if (tag === '' || tag.startsWith('W/')) await rm(etagFileOf(part), { force: true });
  else await writeFile(etagFileOf(part), tag);
}

/** Writes the body to the part file, from an offset. @param onBytes receives the size of the part after each chunk. */
async function receive(
  body: AsyncIterable<Uint8Array>,
  part: string,
  from: number,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const handle = await open(part, from > 0 ? 'r+' : 'w');
  try {
    let at = from;
    for await (const chunk of body) {
      await handle.write(chunk, 0, chunk.length, at);
      at += chunk.length;
      onBytes(at);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function refuse({ url, file }: Download, response: Response): Promise<never> {
  await response.body?.cancel();
  // A retry may solve 5xx and "too many requests", but no other status.
  if (response.status >= 500 || response.status === 429) throw new Error(`the server answered ${response.status}`);
  throw new FaceOffError(
    'not_served',
    `${url} answered ${response.status}. Get the file elsewhere and place it as ${file}.`,
  );
}

function unreachable({ url, file }: Download, cause: unknown): FaceOffError {
  // fetch wraps the network error.
  const why = messageOf(cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause);
  return new FaceOffError(
    'no_network',
    `${url} cannot be fetched: ${why}. Try again later (what has come is kept), or get the file on another machine and place it as ${file}.`,
    { cause },
  );
}

async function integrityOf(file: string): Promise<string> {
  const hash = createHash('sha512');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return `sha512-${hash.digest('base64')}`;
}

const etagFileOf = (part: string): string => `${part}.etag`;

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}

async function discard(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(etagFileOf(part), { force: true });
}
