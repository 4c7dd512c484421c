import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { withFolderLock } from '../../../src/lib/system/folder-lock.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-lock-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('tasks of one folder run one after another, and leave nothing behind', async () => {
  let inside = 0;
  let most = 0;
  const task = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await delay(5);
    inside--;
  };
  await Promise.all(Array.from({ length: 5 }, () => withFolderLock(folder, task)));
  expect(most).toBe(1);
  expect(existsSync(path.join(folder, '.lock'))).toBe(false);
});

test('a task that throws gives the folder back', async () => {
  await expect(withFolderLock(folder, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await withFolderLock(folder, async () => 1)).toBe(1);
});

test('a lock that a lost process left an hour ago holds nothing up', async () => {
  const file = path.join(folder, '.lock');
  writeFileSync(file, '');
  const then = Date.now() / 1000 - 3600;
  utimesSync(file, then, then);
  expect(await withFolderLock(folder, async () => 2)).toBe(2);
});

test('a folder that is gone is an error', async () => {
  await expect(withFolderLock(path.join(folder, 'gone'), async () => 3)).rejects.toMatchObject({ code: 'ENOENT' });
});
