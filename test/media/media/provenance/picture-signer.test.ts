/** Signed pictures: a real signing thread, manifests as the library reads them. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { WHAT_IT_PROVES } from '../../../../src/media/provenance/content-credentials.ts';
import { PictureSigner } from '../../../../src/media/provenance/picture-signer.ts';
import { SIGNING_KEY_FILE } from '../../../../src/media/provenance/signing-key.ts';
import { manifestOf } from '../../../support/provenance.ts';

vi.setConfig({ testTimeout: 60_000 });

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-signer-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const open: PictureSigner[] = [];
afterEach(async () => {
  for (const signer of open.splice(0)) await signer.close();
});

/** A signer with the key of this folder, and what it said. */
function signerIn(dir: string, isOn = true): { signer: PictureSigner; notes: string[]; key: string } {
  const notes: string[] = [];
  const signer = new PictureSigner({ isOn, folder: path.join(folder, dir), onNote: (note) => void notes.push(note) });
  open.push(signer);
  return { signer, notes, key: path.join(folder, dir, SIGNING_KEY_FILE) };
}

const noise = { type: 'gaussian' as const, mean: 120, sigma: 40 };
const drawn = sharp({ create: { width: 640, height: 360, channels: 3, background: '#7090a0', noise } });
const png = await drawn.clone().png().toBuffer();
const jpeg = await drawn.clone().jpeg().toBuffer();
const decoded = async (file: Uint8Array): Promise<Buffer> => sharp(file).raw().toBuffer();

describe('a signed picture', () => {
  test.each([
    ['png', png],
    ['jpeg', jpeg],
  ])('as %s is valid, says what was done and by what, and shows the same', async (_, picture) => {
    const { signer, notes } = signerIn('valid');
    const signed = await signer.sign(picture, 'created');
    expect(notes).toEqual([]);
    expect(await manifestOf(signed)).toMatchObject({
      isValid: true,
      failures: [],
      subject: 'O=FaceOff, CN=FaceOff on one machine',
    });
    const { actions, generator } = (await manifestOf(signed))!;
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(generator).toBe(`FaceOff ${version}`);
    expect(actions).toMatchObject([
      {
        action: 'c2pa.created',
        digitalSourceType: 'http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia',
        parameters: { description: WHAT_IT_PROVES },
      },
    ]);
    expect(await decoded(signed)).toEqual(await decoded(picture));
    // Nothing of the machine is told.
    for (const name of [os.hostname(), folder])
      expect(Buffer.from(signed).subarray(0, 4000).includes(name), name).toBe(false);
  });

  test('that was edited names the picture before as opened', async () => {
    const manifest = (await manifestOf(await signerIn('valid').signer.sign(jpeg, 'edited')))!;
    expect(manifest.isValid).toBe(true);
    expect(manifest.actions.map(({ action }) => action)).toEqual(['c2pa.opened', 'c2pa.edited']);
  });

  test.each([
    ['png', png],
    ['jpeg', jpeg],
  ])('as %s is not valid with one byte changed', async (_, picture) => {
    const signed = await signerIn('valid').signer.sign(picture, 'created');
    for (const at of [signed.length >> 1, signed.length - 40]) {
      const changed = signed.slice();
      changed[at]! ^= 1;
      expect((await manifestOf(changed))!.failures).toEqual(['assertion.dataHash.mismatch']);
    }
    // The text of the manifest.
    const changed = Buffer.from(signed);
    changed[changed.indexOf(WHAT_IT_PROVES)]! ^= 1;
    expect((await manifestOf(changed))!.isValid).toBe(false);
  });

  test('has a signature of the form that COSE asks for', async () => {
    const signed = Buffer.from(await signerIn('valid').signer.sign(png, 'created'));
    // The COSE_Sign1 ends with its signature: a byte string of 64, r and s.
    const at = signed.lastIndexOf(Buffer.from([0x58, 64]), signed.indexOf('IDAT'));
    expect(signed.indexOf('IDAT') - at).toBeLessThan(80);
  });
});

describe('the key', () => {
  test('is made at its first use, is for its owner alone, and serves the next signer', async () => {
    const first = signerIn('kept');
    const { serial } = (await manifestOf(await first.signer.sign(png, 'created')))!;
    expect(statSync(first.key).mode & 0o777).toBe(0o600);
    const kept = readFileSync(first.key, 'utf8');
    expect((await manifestOf(await signerIn('kept').signer.sign(png, 'created')))!.serial).toBe(serial);
    expect(readFileSync(first.key, 'utf8')).toBe(kept);
  });

  test('has a certificate as C2PA asks for, of a root that is in the file', async () => {
    const { signer, key } = signerIn('certificate');
    await signer.sign(png, 'created');
    const [, leaf, root] = readFileSync(key, 'utf8').split(/(?=-----BEGIN)/);
    const text = (pem: string): string =>
      spawnSync('openssl', ['x509', '-noout', '-text'], { input: pem, encoding: 'utf8' }).stdout;
    writeFileSync(path.join(folder, 'leaf.pem'), leaf!);
    writeFileSync(path.join(folder, 'root.pem'), root!);
    const check = ['verify', '-x509_strict', '-CAfile', path.join(folder, 'root.pem'), path.join(folder, 'leaf.pem')];
    expect(spawnSync('openssl', check, { encoding: 'utf8' }).stdout).toContain('leaf.pem: OK');
    expect(text(leaf!)).toMatch(/Key Usage: critical\s+Digital Signature\s/);
    expect(text(leaf!)).toMatch(/Extended Key Usage:\s+E-mail Protection\s/);
    expect(text(leaf!)).toContain('CA:FALSE');
    expect(text(leaf!)).toContain('NIST CURVE: P-256');
    expect(text(leaf!)).toContain('Authority Key Identifier');
  });

  test.each([
    ['cut off', (kept: string) => kept.slice(0, kept.length >> 1)],
    ['cut off in the key', (kept: string) => kept.slice(0, 90)],
    ['no text', () => '\0\x01\xff'],
    ['empty', () => ''],
  ])('that is %s is set aside with a sentence, and a new one signs', async (name, damage) => {
    const { key, ...before } = signerIn(name);
    const { serial } = (await manifestOf(await before.signer.sign(png, 'created')))!;
    const damaged = damage(readFileSync(key, 'utf8'));
    writeFileSync(key, damaged);
    const { signer, notes } = signerIn(name);
    const after = (await manifestOf(await signer.sign(png, 'created')))!;
    expect(after).toMatchObject({ isValid: true });
    expect(after.serial).not.toBe(serial);
    expect(notes).toEqual([expect.stringMatching(/signing-key\.pem, was damaged: it is set aside/)]);
    expect(readFileSync(`${key}.damaged`, 'utf8')).toBe(damaged);
    expect(statSync(key).mode & 0o777).toBe(0o600);
    await signer.sign(png, 'created');
    expect(notes).toHaveLength(1);
  });

  test('of another certificate counts as damaged', async () => {
    const [one, other] = [signerIn('one'), signerIn('other')];
    await one.signer.sign(png, 'created');
    await other.signer.sign(png, 'created');
    const partsOf = (file: string): string[] => readFileSync(file, 'utf8').split(/(?=-----BEGIN)/);
    writeFileSync(one.key, [partsOf(other.key)[0], ...partsOf(one.key).slice(1)].join(''));
    const { signer, notes } = signerIn('one');
    expect(await manifestOf(await signer.sign(png, 'created'))).toMatchObject({ isValid: true });
    expect(notes).toHaveLength(1);
  });

  test('that cannot be kept leaves pictures unsigned, said once, until it can', async () => {
    writeFileSync(path.join(folder, 'in-the-way'), '');
    const { signer, notes } = signerIn('in-the-way');
    expect(await signer.sign(png, 'created')).toBe(png);
    expect(await signer.sign(jpeg, 'created')).toBe(jpeg);
    expect(notes).toEqual([expect.stringMatching(/^Pictures stay unsigned: .*(EEXIST|ENOTDIR)/)]);
    rmSync(path.join(folder, 'in-the-way'));
    expect(await manifestOf(await signer.sign(png, 'created'))).toMatchObject({ isValid: true });
    expect(notes).toHaveLength(1);
  });
});

describe('a picture stays as it is', () => {
  test('with disclosure.sign off, and no key is made', async () => {
    const { signer, key } = signerIn('off', false);
    expect(await signer.sign(png, 'created')).toBe(png);
    expect(existsSync(key)).toBe(false);
  });

  test('in a format without manifests', async () => {
    const { signer, notes, key } = signerIn('webp');
    const webp = await drawn.clone().webp().toBuffer();
    expect(await signer.sign(webp, 'created')).toBe(webp);
    expect([notes, existsSync(key)]).toEqual([[], false]);
  });

  test('where it is damaged, said once', async () => {
    const { signer, notes } = signerIn('damaged');
    const damaged = png.subarray(0, 100);
    expect(await signer.sign(damaged, 'created')).toBe(damaged);
    expect(notes).toHaveLength(1);
  });

  test('where the thread ends in the middle', async () => {
    const { signer, notes } = signerIn('ended');
    const asked = signer.sign(png, 'created');
    await signer.close();
    expect(await asked).toBe(png);
    expect(notes).toHaveLength(1);
  });
});

test('twenty pictures at once are all signed', async () => {
  const { signer } = signerIn('many');
  const signed = await Promise.all(Array.from({ length: 20 }, () => signer.sign(jpeg, 'created')));
  for (const one of signed) expect((await manifestOf(one))!.isValid).toBe(true);
});
