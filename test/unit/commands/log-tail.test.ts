import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readLogTail } from '../../../src/commands/report/log-tail.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-log-tail-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const line = (n: number): string => `{"n":${n}}\n`;

test('the last lines of several files come in their order, and no more than fit', async () => {
  // By number, not by text: 10 is after 9.
  writeFileSync(path.join(folder, 'faceoff.9.log'), line(1) + line(2));
  writeFileSync(path.join(folder, 'faceoff.10.log'), `${line(3)}{"cut of\n${line(4)}`);
  writeFileSync(path.join(folder, 'other.log'), line(7));
  expect(await readLogTail(folder, 1000)).toBe(line(1) + line(2) + line(3) + line(4));
  expect(await readLogTail(folder, 3 * line(1).length)).toBe(line(2) + line(3) + line(4));
});

test('a folder without a log has no lines', async () => {
  expect(await readLogTail(path.join(folder, 'none'), 1000)).toBe('');
});
