import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { defaultConfig } from '../../../src/config.ts';
import { FileSeal, isKeyError, isSealed } from '../../../src/faces/sealed-files.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-seal-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FILE = '/data/faces/ann/photo.webp';
const sealOf = (faces: { key?: string; keyFile?: string }) =>
  FileSeal.of({ faces: { ...defaultConfig().faces, ...faces } });
const newKey = (): string => randomBytes(32).toString('base64');

test('what is encrypted is read again, and holds nothing of the plain bytes', async () => {
  const seal = await sealOf({ key: newKey() });
  const plain = Buffer.from('a photo of a person, and its name');
  const sealed = Buffer.from(seal.seal(plain, FILE));
  expect(isSealed(sealed)).toBe(true);
  expect(sealed.includes('photo of a person')).toBe(false);
  expect(seal.open(sealed, FILE)).toEqual(plain);
  // A nonce of its own for each file.
  expect(Buffer.from(seal.seal(plain, FILE))).not.toEqual(sealed);
});

test('without a key plain files are written, and plain ones are read with a key too', async () => {
  const plain = Buffer.from('{}');
  expect(Buffer.from((await sealOf({})).seal(plain, FILE))).toEqual(plain);
  expect((await sealOf({ key: newKey() })).open(plain, FILE)).toEqual(plain);
});

test('another key and no key are told apart, each with what to do', async () => {
  const sealed = Buffer.from((await sealOf({ key: newKey() })).seal('x', FILE));
  const other = await sealOf({ key: newKey() });
  const none = await sealOf({});
  expect(() => other.open(sealed, FILE)).toThrow(/another key\. Set FACEOFF_FACES_KEY/);
  expect(() => none.open(sealed, FILE)).toThrow(/no key is set\. Set FACEOFF_FACES_KEY/);
  for (const seal of [other, none])
    try {
      seal.open(sealed, FILE);
    } catch (error) {
      expect(isKeyError(error)).toBe(true);
    }
});

test('a changed byte, and a file in another face’s folder, are refused', async () => {
  const seal = await sealOf({ key: newKey() });
  const sealed = Buffer.from(seal.seal('a photo', FILE));
  for (const at of [12, 24, sealed.length - 1]) {
    const changed = Buffer.from(sealed);
    changed[at]! ^= 1;
    expect(() => seal.open(changed, FILE)).toThrow();
  }
  expect(() => seal.open(sealed, '/data/faces/bob/photo.webp')).toThrow();
  expect(() => seal.open(sealed.subarray(0, 30), FILE)).toThrow();
  // A face is written into a folder that is renamed at the end.
  expect(seal.open(sealed, '/data/faces/ann.part/photo.webp').toString()).toBe('a photo');
});

test('a key is 32 bytes, from the setting or from a file, as base64 or hexadecimal digits', async () => {
  const bytes = randomBytes(32);
  const file = path.join(folder, 'key');
  writeFileSync(file, `${bytes.toString('hex')}\n`);
  const sealed = Buffer.from((await sealOf({ key: bytes.toString('base64') })).seal('x', FILE));
  expect((await sealOf({ keyFile: file })).open(sealed, FILE).toString()).toBe('x');
  await expect(sealOf({ key: 'short' })).rejects.toThrow(/faces\.key: must hold 32 bytes.*openssl rand -base64 32/);
  await expect(sealOf({ keyFile: path.join(folder, 'none') })).rejects.toThrow(/faces\.keyFile: .*cannot be read/);
});
