/** A stand-in for NVIDIA's library and program, where there is no GPU. */

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { root } from '../../src/lib/package-root.ts';

const GB = 2 ** 30;

export interface StandInGpu {
  folder: string;
  library: string;
  program: string;
  /** What it says from now on. */
  say(usedBytes: number, percent: number, code?: number): void;
}

/** Null, with a word why, where there is no C compiler. The folder is the caller's to remove. */
export function buildGpu(): StandInGpu | null {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-gpu-'));
  const library = path.join(folder, 'libnvidia-ml.so.1');
  const source = path.join(root, 'test/media/gpu/nvml.c');
  const built = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source], { encoding: 'utf8' });
  if (built.status !== 0) {
    console.warn(`no stand-in GPU, its tests are skipped: ${built.error?.message ?? built.stderr}`);
    return null;
  }
  const state = path.join(folder, 'state');
  process.env.STAND_IN_GPU = state;
  const say = (usedBytes: number, percent: number, code = 0): void =>
    writeFileSync(state, `${8 * GB} ${8 * GB - usedBytes} ${usedBytes} ${percent} ${code}`);
  say(3 * GB, 42);
  return { folder, library, program: writeProgram(folder, 'sleep 0.2'), say };
}

/** A program that answers as nvidia-smi does, line after line. @param pause what it does between two lines. */
export function writeProgram(folder: string, pause: string): string {
  const program = path.join(folder, 'nvidia-smi');
  const line = 'Stand-in GPU, 580.65.06, 8.9, 3072, 8192, 42';
  writeFileSync(program, `#!/bin/sh\necho "$@" >> '${folder}/asked'\nwhile true; do echo '${line}'; ${pause}; done\n`);
  chmodSync(program, 0o755);
  return program;
}
