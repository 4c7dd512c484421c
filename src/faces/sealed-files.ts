/**
 * Files of persons on disk, encrypted where a key is set: AES-256-GCM (NIST SP 800-38D), a nonce of its own for each file. The
 * file's place in the folder is authenticated, so that one face's photo cannot be put in place of another's.
 *
 * Layout: `FOE1`, 8 bytes that tell the key, 12 of the nonce, 16 of the tag, the encrypted bytes.
 */

import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../config.ts';
import { FaceOffError, messageOf } from '../shared/errors.ts';

const MAGIC = Buffer.from('FOE1');
const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = MAGIC.length + KEY_ID_BYTES;

const HOW_TO_MAKE = 'Make one with `openssl rand -base64 32`.';

/** Whether a file's content is encrypted. */
export const isSealed = (data: Uint8Array): boolean => MAGIC.equals(data.subarray(0, MAGIC.length));

/** Encrypts and decrypts; without a key it writes plain files, and reads no others. */
export class FileSeal {
  readonly #key: Buffer | null;

  private constructor(key: Buffer | null) {
    this.#key = key;
  }

  /** By `faces.key` or `faces.keyFile`. @throws FaceOffError `bad_config` for a key that is none. */
  static async of({ faces: { key, keyFile } }: Pick<Config, 'faces'>): Promise<FileSeal> {
    if (keyFile === null) return new FileSeal(key === null ? null : keyIn(key, 'faces.key'));
    const text = await readFile(keyFile, 'utf8').catch((cause: unknown) => {
      throw new FaceOffError('bad_config', `faces.keyFile: ${keyFile} cannot be read (${messageOf(cause)}).`, {
        cause,
      });
    });
    return new FileSeal(keyIn(text, 'faces.keyFile'));
  }

  /** Whether files are encrypted. */
  get isOn(): boolean {
    return this.#key !== null;
  }

  /** What a file is to hold. @param file its path. */
  seal(data: string | Uint8Array, file: string): Uint8Array {
    const plain = Buffer.from(data);
    if (this.#key === null) return plain;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(placeOf(file));
    const sealed = [cipher.update(plain), cipher.final()];
    return Buffer.concat([MAGIC, keyIdOf(this.#key), nonce, cipher.getAuthTag(), ...sealed]);
  }

  /** Reads a file, encrypted or plain. @throws FaceOffError as `open` does; Error of the file system. */
  async read(file: string): Promise<Buffer> {
    return this.open(await readFile(file), file);
  }

  /**
   * The content of a file that was read.
   * @throws FaceOffError `faces_key_missing`, `faces_key_wrong`; Error for one that was damaged, or moved here from elsewhere.
   */
  open(data: Buffer, file: string): Buffer {
    if (!isSealed(data)) return data;
    if (this.#key === null)
      throw new FaceOffError(
        'faces_key_missing',
        `${file} is encrypted, and no key is set. Set FACEOFF_FACES_KEY, or faces.keyFile, to the key that it was written with.`,
      );
    if (!keyIdOf(this.#key).equals(data.subarray(MAGIC.length, HEADER_BYTES)))
      throw new FaceOffError(
        'faces_key_wrong',
        `${file} was encrypted with another key. Set FACEOFF_FACES_KEY, or faces.keyFile, to that one.`,
      );
    const [tagAt, dataAt] = [HEADER_BYTES + NONCE_BYTES, HEADER_BYTES + NONCE_BYTES + TAG_BYTES];
    const decipher = createDecipheriv('aes-256-gcm', this.#key, data.subarray(HEADER_BYTES, tagAt), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(placeOf(file)).setAuthTag(data.subarray(tagAt, dataAt));
    return Buffer.concat([decipher.update(data.subarray(dataAt)), decipher.final()]);
  }
}

/** Whether an error says that the key is not the one that files were written with. */
export const isKeyError = (error: unknown): boolean =>
  error instanceof FaceOffError && ['faces_key_missing', 'faces_key_wrong'].includes(error.code);

/** Folder and name of a file. A folder that is being written has `.part` at its end. */
const placeOf = (file: string): Buffer =>
  Buffer.from(`${path.basename(path.dirname(file)).replace(/\.part$/, '')}/${path.basename(file)}`);

/** Tells one key from another, and nothing else of it. */
const keyIdOf = (key: Buffer): Buffer =>
  createHash('sha256').update('FaceOff faces key').update(key).digest().subarray(0, KEY_ID_BYTES);

function keyIn(text: string, setting: string): Buffer {
  const trimmed = text.trim();
  const key = Buffer.from(trimmed, /^[0-9a-f]{64}$/i.test(trimmed) ? 'hex' : 'base64');
  if (key.length === KEY_BYTES) return key;
  throw new FaceOffError(
    'bad_config',
    `${setting}: must hold 32 bytes as base64 or 64 hexadecimal digits. ${HOW_TO_MAKE}`,
  );
}
