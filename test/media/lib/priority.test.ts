/** A live picture does not wait behind programs that can wait. */

import { spawn, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import os from 'node:os';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { lower, NICE, raise } from '../../../src/lib/priority.ts';
import { startProgram } from '../../support/server.ts';

// A server that gives way to other programs takes long to start beside them.
vi.setConfig({ testTimeout: 240_000 });
afterEach(() => {
  vi.restoreAllMocks();
});

/** Nothing is swapped here. */
const FACELESS = ['--set', 'swap.engine=none'];
const ABOVE = NICE.above;
/** Whether this machine lets its programs raise themselves, found out by a program that does nothing else. */
const isAllowed = spawnSync(process.execPath, ['-e', `require('os').setPriority(${ABOVE})`]).status === 0;

/** Priorities of a program's threads, or of the program where threads have none. */
function prioritiesOf(pid: number): number[] {
  const threads = process.platform === 'linux' ? readdirSync(`/proc/${pid}/task`).map(Number) : [pid];
  return threads.flatMap((thread) => {
    try {
      return [os.getPriority(thread)];
    } catch {
      // It has ended since.
      return [];
    }
  });
}

test('the server and all its threads have raised priority where the system allows it', async () => {
  const program = await startProgram(FACELESS);
  try {
    expect(new Set(prioritiesOf(program.child.pid!))).toEqual(
      new Set([isAllowed && os.getPriority() <= 0 ? ABOVE : os.getPriority()]),
    );
  } finally {
    await program.stop();
  }
});

test('a server with priority normal keeps the usual priority', async () => {
  const program = await startProgram([...FACELESS, '--set', 'server.priority=normal']);
  try {
    expect(new Set(prioritiesOf(program.child.pid!))).toEqual(new Set([os.getPriority()]));
  } finally {
    await program.stop();
  }
});

test('a server started with nice keeps its lower priority', async () => {
  const program = await startProgram(FACELESS, ['nice', '-n', '5']);
  try {
    expect(new Set(prioritiesOf(program.child.pid!))).toEqual(new Set([os.getPriority() + 5]));
  } finally {
    await program.stop();
  }
});

test('a priority that the system refuses is logged once', () => {
  vi.spyOn(os, 'setPriority').mockImplementation(() => {
    throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
  });
  const lines: string[] = [];
  raise('high', pino({}, { write: (line: string) => lines.push(line) }));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/does not let FaceOff run before other programs/);
});

test('a background process is lowered, and one that has ended is no error', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  try {
    const own = os.getPriority();
    if (isAllowed) os.setPriority(child.pid!, ABOVE);
    // As a program that was raised would have it.
    vi.spyOn(os, 'getPriority').mockReturnValue(ABOVE);
    lower(child.pid);
    vi.restoreAllMocks();
    expect(os.getPriority(child.pid!)).toBe(isAllowed ? 0 : own);
  } finally {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
  vi.spyOn(os, 'getPriority').mockReturnValue(ABOVE);
  expect(() => lower(child.pid)).not.toThrow();
});
