/**
 * Fetches one large file over HTTP. What has come is kept beside the target as `.part` and continued by a range request,
 * as long as the server still has the same file (its ETag says so, RFC 9110); only a whole and checked file takes the
 * target's name.
 */

import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { FaceOffError } from '../../shared/errors.ts';
import { digestOf } from './model-store.ts';

export interface Download {
  url: string;
  /** Where the file goes; its folder exists. */
  file: string;
  /** The digest it must have; null takes what comes. */
  sha256: string | null;
  /** @param total null where the server does not tell. */
  onProgress?: (bytes: number, total: number | null) => void;
  /** How often a broken connection is taken up again without any progress in between. */
  retries?: number;
  /** Pause before the first retry; doubled each time. */
  pauseMs?: number;
}

/** A connection that says nothing for so long is broken. */
const SILENT_MS = 30_000;

/**
 * @returns the file's sha256.
 * @throws FaceOffError `no_network` when the server cannot be reached or the connection breaks again and again (what has
 *   come is kept), `not_served` when it answers with an error, `model_differs` when the file is another (nothing is kept).
 */
export async function download(job: Download): Promise<string> {
  const { file, sha256, retries = 4, pauseMs = 500 } = job;
  const part = `${file}.part`;
  let most = await sizeOf(part);
  for (let failures = 0; ; ) {
    try {
      await attempt(job, part);
      break;
    } catch (cause) {
      if (cause instanceof FaceOffError) throw cause;
      const has = await sizeOf(part);
      failures = has > most ? 1 : failures + 1;
      most = Math.max(most, has);
      if (failures > retries) throw unreachable(job, cause);
      await pause(pauseMs * 2 ** (failures - 1));
    }
  }
  const digest = await digestOf(part);
  if (sha256 !== null && digest !== sha256) {
    await forget(part);
    throw new FaceOffError(
      'model_differs',
      `What ${job.url} serves is not the expected file: its sha256 is ${digest}, not ${sha256}. Nothing was kept.`,
    );
  }
  await rename(part, file);
  await rm(tagOf(part), { force: true });
  return digest;
}

/** One request; throws plain errors for what may go better next time. */
async function attempt(job: Download, part: string): Promise<void> {
  const tag = await readFile(tagOf(part), 'utf8').catch(() => '');
  // Without its tag nobody knows whether the server's file is still the one that was begun.
  const had = tag === '' ? 0 : await sizeOf(part);
  const cut = new AbortController();
  let silence = setTimeout(() => cut.abort(new Error('the server went silent')), SILENT_MS);
  const heard = (): void => {
    clearTimeout(silence);
    silence = setTimeout(() => cut.abort(new Error('the server went silent')), SILENT_MS);
  };
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (had > 0) Object.assign(headers, { range: `bytes=${had}-`, 'if-range': tag });
  try {
    const response = await fetch(job.url, { headers, signal: cut.signal });
    if (response.status === 416) {
      // Either everything has come already or the part is longer than the file: the digest tells the one, a new start the other.
      const total = Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1] ?? Number.NaN);
      if (total === had) return;
      await forget(part);
      throw new Error('the part did not fit the file');
    }
    if (!response.ok || response.body === null) await refuse(job, response);
    const from = response.status === 206 ? startOf(response, had) : 0;
    const length = Number(response.headers.get('content-length') ?? Number.NaN);
    const total = Number.isNaN(length) ? null : from + length;
    await keepTag(part, response);
    await receive(response.body as AsyncIterable<Uint8Array>, part, from, (bytes) => {
      heard();
      job.onProgress?.(bytes, total);
    });
    const has = await sizeOf(part);
    if (total !== null && has !== total) throw new Error(`the connection broke at ${has} of ${total} bytes`);
  } finally {
    clearTimeout(silence);
  }
}

/** A server may only continue where it was asked to. */
function startOf(response: Response, had: number): number {
  const from = Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] ?? Number.NaN);
  if (from !== had) throw new Error('the server continued at another place');
  return from;
}

/** Only a strong tag promises the same bytes. */
async function keepTag(part: string, response: Response): Promise<void> {
  const tag = response.headers.get('etag') ?? '';
  if (tag === '' || tag.startsWith('W/')) await rm(tagOf(part), { force: true });
  else await writeFile(tagOf(part), tag);
}

async function receive(
  ...[body, part, from, onBytes]: [AsyncIterable<Uint8Array>, string, number, (bytes: number) => void]
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
  // 5xx and "too many requests" may pass; the rest will not.
  if (response.status >= 500 || response.status === 429) throw new Error(`the server answered ${response.status}`);
  throw new FaceOffError(
    'not_served',
    `${url} answered ${response.status}. Get the file elsewhere and place it as ${file}.`,
  );
}

function unreachable({ url, file }: Download, cause: unknown): FaceOffError {
  const why =
    cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : String(cause);
  return new FaceOffError(
    'no_network',
    `${url} cannot be fetched: ${why}. Try again later (what has come is kept), or get the file on another machine and place it as ${file}.`,
    { cause },
  );
}

const tagOf = (part: string): string => `${part}.etag`;

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}

async function forget(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(tagOf(part), { force: true });
}
