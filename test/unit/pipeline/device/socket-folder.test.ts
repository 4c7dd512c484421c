import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { makeSocketFolder, socketIn } from '../../../../src/pipeline/device/socket-folder.ts';

const made: string[] = [];
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const one = mkdtempSync(path.join(os.tmpdir(), 'f-'));
  made.push(one);
  return one;
}

test.runIf(process.platform !== 'win32')('the folder of a socket is for this user alone, and takes one', async () => {
  const [temporary, cache] = [folder(), folder()];
  const found = makeSocketFolder(cache, temporary);
  expect(path.dirname(found)).toBe(temporary);
  expect(statSync(found).mode & 0o777).toBe(0o700);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(socketIn(found), resolve));
  await new Promise((resolve) => server.close(resolve));
});

test('it is in the cache where the temporary folder is not there, or its path is too long for a socket', () => {
  const cache = folder();
  const deep = path.join(folder(), 'x'.repeat(100));
  mkdirSync(deep);
  for (const temporary of [path.join(cache, 'missing'), ...(process.platform === 'win32' ? [] : [deep])])
    expect(path.dirname(makeSocketFolder(cache, temporary))).toBe(cache);
});

test('where neither will do, a sentence says what to set', () => {
  const missing = path.join(folder(), 'missing');
  expect(() => makeSocketFolder(missing, missing)).toThrow(
    /^No folder can be made for a socket .* Set the variable TMPDIR/,
  );
});
