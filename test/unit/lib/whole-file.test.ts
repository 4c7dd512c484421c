import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeFolder } from '../../../src/lib/system/make-folder.ts';
import { notSaved, writeWhole } from '../../../src/lib/system/whole-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-whole-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a file', () => {
  test('is replaced as a whole, with its permissions, whatever an earlier process left', async () => {
    const file = path.join(folder, 'key.pem');
    writeFileSync(`${file}.part`, 'half of', { mode: 0o644 });
    await writeWhole(file, 'one', 0o600);
    await writeWhole(file, 'two', 0o600);
    expect(readFileSync(file, 'utf8')).toBe('two');
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['key.pem']);
  });

  test('that cannot be written leaves nothing, and the error tells why', async () => {
    // Renaming a file to the name of a folder fails, as late as writing can.
    const file = path.join(folder, 'taken');
    mkdirSync(path.join(file, 'inside'), { recursive: true });
    const error = await writeWhole(file, 'text').catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(Error);
    expect(readdirSync(folder)).toEqual(['taken']);
    expect(notSaved('The presets', error)).toMatchObject({
      code: 'not_saved',
      status: 507,
      message: expect.stringMatching(
        /^The presets could not be written to storage\.dir \(E[A-Z]+\); all is as before\./,
      ),
    });
  });
});

describe('a folder', () => {
  test('is made with those above it, also by several at once', async () => {
    const deep = path.join(folder, 'a/b/c');
    await Promise.all([makeFolder(deep), makeFolder(deep), makeFolder(path.join(folder, 'a/b/d'))]);
    await makeFolder(deep);
    expect(readdirSync(path.join(folder, 'a/b')).sort()).toEqual(['c', 'd']);
  });

  test('below a file is refused with the reason', async () => {
    writeFileSync(path.join(folder, 'file'), '');
    for (const at of ['file', 'file/below'])
      await expect(makeFolder(path.join(folder, at))).rejects.toMatchObject({ code: 'EEXIST' });
  });

  test.skipIf(process.platform !== 'linux')('below /proc is refused, not waited for', async () => {
    await expect(makeFolder('/proc/faceoff/folder')).rejects.toMatchObject({ code: expect.stringMatching(/^E/) });
  });
});
