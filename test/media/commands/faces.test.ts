/** `faceoff faces`, as people start it, and what `faceoff render` makes of its list. */

import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';
import { astronaut } from '../../support/lane.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-blocked-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function faceoff(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const settings = [`storage.dir=${folder}`, 'models.warmupRuns=0'].flatMap((one) => ['--set', one]);
  return new Promise((resolve) => {
    execFile(process.execPath, [path.join(root, 'dist/main.js'), ...args, ...settings], (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

test('a face that is blocked by the command is refused by render, until it is unblocked', async () => {
  expect((await faceoff('faces', 'list')).stdout).toBe('No face is blocked.\n');
  const blocked = await faceoff('faces', 'block', astronaut, '--note', 'asked by mail');
  const [, id] = /^(\S{36}) is blocked/.exec(blocked.stdout)!;
  expect((await faceoff('faces', 'list')).stdout).toMatch(new RegExp(`^${id}  \\d{4}-\\d\\d-\\d\\d  asked by mail\n$`));
  const out = path.join(folder, 'out.png');
  const refused = await faceoff('render', '--quiet', '--source', astronaut, astronaut, out);
  expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/^This server does not take this face/) });
  expect(existsSync(out)).toBe(false);
  expect((await faceoff('faces', 'unblock', id!)).status).toBe(0);
  expect(await faceoff('faces', 'unblock', id!)).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^No blocked face/),
  });
  expect(await faceoff('render', '--quiet', '--source', astronaut, astronaut, out)).toMatchObject({ status: 0 });
}, 180_000);
