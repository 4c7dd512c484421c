/** The files of added models: digests, and reads that do not block the thread. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, writeFile } from 'node:fs/promises';
import { FaceOffError } from '../../shared/errors.ts';
import type { Catalogue, OptionalEntry } from './catalogue.ts';

/** The sha256 of a file, in hexadecimal. */
export async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** The digest the file must have: the published one, else the one recorded here; null while there is neither. */
export async function expectedDigest(catalogue: Catalogue, entry: OptionalEntry): Promise<string | null> {
  if (entry.sha256 !== null) return entry.sha256;
  const recorded = await readFile(recordOf(catalogue, entry), 'utf8').catch(() => '');
  return /^[0-9a-f]{64}/.exec(recorded)?.[0] ?? null;
}

/** Records the digest of a file without a published one: from then on the file must stay the same. */
export async function recordDigest(catalogue: Catalogue, entry: OptionalEntry, sha256: string): Promise<void> {
  const record = recordOf(catalogue, entry);
  await writeFile(`${record}.part`, `${sha256}  ${entry.file}\n`);
  await rename(`${record}.part`, record);
}

const recordOf = (catalogue: Catalogue, entry: OptionalEntry): string => `${catalogue.fileOf(entry)}.sha256`;

/**
 * The bytes of an added model, hashed while they are read.
 * @throws FaceOffError `model_missing` (409), `model_differs`.
 */
export async function readAdded(catalogue: Catalogue, entry: OptionalEntry): Promise<Uint8Array> {
  const file = catalogue.fileOf(entry);
  const { bytes, sha256 } = await readHashed(file).catch((cause: unknown) => {
    throw missing(catalogue, entry, cause);
  });
  const expected = await expectedDigest(catalogue, entry);
  if (expected !== null && sha256 !== expected) throw differs(file, sha256, expected, entry.name);
  return bytes;
}

/**
 * The bytes and digest of a model file. @param name of the model, for the message. @throws FaceOffError `model_missing`
 * (409), `model_differs`.
 */
export async function readChecked(
  file: string,
  name: string,
  expected: string | null,
): Promise<{ bytes: Uint8Array; sha256: string }> {
  const read = await readHashed(file).catch((cause: unknown) => {
    throw new FaceOffError('model_missing', `The model ${name} cannot be read: ${file}.`, { cause });
  });
  if (expected !== null && read.sha256 !== expected) throw differs(file, read.sha256, expected, name);
  return read;
}

/** Reads half a gigabyte in pieces into one buffer, so that frames go on in between and the file is in memory once. */
async function readHashed(file: string): Promise<{ bytes: Uint8Array; sha256: string }> {
  const hash = createHash('sha256');
  const handle = await open(file);
  try {
    const bytes = Buffer.allocUnsafe((await handle.stat()).size);
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, at, Math.min(PIECE_BYTES, bytes.length - at), at);
      if (bytesRead === 0) throw new Error('it became shorter while it was read');
      hash.update(bytes.subarray(at, at + bytesRead));
      at += bytesRead;
    }
    return { bytes, sha256: hash.digest('hex') };
  } finally {
    await handle.close();
  }
}

const PIECE_BYTES = 2 ** 20;

/** @throws FaceOffError `model_missing` (409) when an added model's file is not there. */
export function requireFile(catalogue: Catalogue, entry: OptionalEntry): void {
  if (!catalogue.has(entry)) throw missing(catalogue, entry);
}

function missing(catalogue: Catalogue, entry: OptionalEntry, cause?: unknown): FaceOffError {
  const how =
    entry.url === null
      ? 'Place it there by hand'
      : `Fetch it with \`faceoff models fetch ${entry.name}\`, or place it there by hand`;
  return new FaceOffError(
    'model_missing',
    `The model ${entry.name} is not on this machine: ${catalogue.fileOf(entry)} cannot be read. ${how}.`,
    { cause },
  );
}

/** The error `model_differs` of an added model, with how to fetch the right file. */
export function differs(file: string, sha256: string, expected: string, name: string): FaceOffError {
  return new FaceOffError(
    'model_differs',
    `${file} is not the file it should be: its sha256 is ${sha256}, not ${expected}. Delete it and run \`faceoff models fetch ${name}\`.`,
  );
}
