import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { startProgram } from '../../support/server.ts';

/** Files that a process has open. */
const openFiles = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${name}`)];
    } catch {
      return [];
    }
  });

test.skipIf(process.platform !== 'linux')('ONNX Runtime collects nothing to send to its maker', async () => {
  const home = mkdtempSync(path.join(os.tmpdir(), 'faceoff-home-'));
  // A home where it would find none of its files, and no variable that anything else has set.
  const server = await startProgram([], ['env', '-u', 'ORT_DISABLE_TELEMETRY', '-u', 'XDG_CACHE_HOME', `HOME=${home}`]);
  try {
    expect(openFiles(server.child.pid!).filter((file) => /onnxruntime\.db|mat-debug/.test(file))).toEqual([]);
    expect(readdirSync(home)).toEqual([]);
  } finally {
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  }
});
