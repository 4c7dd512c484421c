import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { FileWatch } from '../../../src/lib/system/file-watch.ts';
import { until } from '../../support/server.ts';

const LOOK_MS = 20;
const left: (() => void)[] = [];
afterEach(() => {
  for (const clean of left.splice(0)) clean();
});

const folder = (): string => {
  const made = mkdtempSync(path.join(os.tmpdir(), 'faceoff-watch-'));
  left.push(() => rmSync(made, { recursive: true, force: true }));
  return made;
};

/** Watches a file; `seen` gets its content at each change, null where it is gone. */
function watch(file: string): (string | null)[] {
  const seen: (string | null)[] = [];
  const watching = new FileWatch(
    file,
    () => {
      watching.take();
      try {
        seen.push(readFileSync(file, 'utf8'));
      } catch {
        seen.push(null);
      }
    },
    LOOK_MS,
  );
  watching.start();
  left.push(() => watching.close());
  return seen;
}

test('a file that is written in place, and one that is put in its place, are seen', async () => {
  const file = path.join(folder(), 'config.yaml');
  writeFileSync(file, 'a');
  const seen = watch(file);
  writeFileSync(file, 'b');
  await until(() => seen.length === 1, 'the first change');
  writeFileSync(`${file}~`, 'c');
  renameSync(`${file}~`, file);
  await until(() => seen.length === 2, 'the second change');
  expect(seen).toEqual(['b', 'c']);
});

test.skipIf(process.platform === 'win32')('a ConfigMap is seen, in which a link to a folder is replaced', async () => {
  const at = folder();
  const version = (name: string, text: string): void => {
    mkdirSync(path.join(at, name));
    writeFileSync(path.join(at, name, 'config.yaml'), text);
    symlinkSync(name, path.join(at, '..data_tmp'));
    renameSync(path.join(at, '..data_tmp'), path.join(at, '..data'));
  };
  version('..2026_11_29_1', 'a');
  symlinkSync('..data/config.yaml', path.join(at, 'config.yaml'));
  const seen = watch(path.join(at, 'config.yaml'));
  version('..2026_11_29_2', 'b');
  rmSync(path.join(at, '..2026_11_29_1'), { recursive: true });
  await until(() => seen.length > 0, 'the change');
  expect(seen).toEqual(['b']);
});

test('what is still being written is waited for', async () => {
  const file = path.join(folder(), 'config.yaml');
  writeFileSync(file, 'a');
  const seen = watch(file);
  let text = '';
  // Longer than several looks, and never the same at two of them.
  for (let n = 0; n < 40; n++) {
    text += n;
    writeFileSync(file, text);
    await delay(LOOK_MS / 4);
  }
  expect(seen).toEqual([]);
  await until(() => seen.length > 0, 'the change');
  expect(seen).toEqual([text]);
});

test('a change before the watch begins counts, and a file that comes or goes', async () => {
  const file = path.join(folder(), 'config.yaml');
  let changes = 0;
  const watching = new FileWatch(
    file,
    () => {
      changes++;
      watching.take();
    },
    LOOK_MS,
  );
  left.push(() => watching.close());
  writeFileSync(file, 'a');
  watching.start();
  await until(() => changes === 1, 'the file to be seen');
  rmSync(file);
  await until(() => changes === 2, 'its end to be seen');
});

test('a file that is written again as it was, and one that was taken by request, are no change', async () => {
  const file = path.join(folder(), 'config.yaml');
  writeFileSync(file, 'a');
  let changes = 0;
  const watching = new FileWatch(file, () => changes++, LOOK_MS);
  left.push(() => watching.close());
  watching.start();
  writeFileSync(file, 'a');
  await delay(5 * LOOK_MS);
  writeFileSync(file, 'b');
  watching.take();
  await delay(5 * LOOK_MS);
  expect(changes).toBe(0);
});
