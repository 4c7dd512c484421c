/** `faceoff render` in tests: a folder of their own, one pool for all calls of a file, and ffmpeg. */

import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, vi } from 'vitest';
import { renderCommand } from '../../src/commands/render/render.ts';
import { defaultConfig } from '../../src/config.ts';
import { root } from '../../src/lib/package-root.ts';
import { Pool } from '../../src/pipeline/pool/pool.ts';
import { writeClip } from './clip.ts';
import { astronaut, cutFrame, group, modelsDir } from './lane.ts';
import { patchedConfig } from './server.ts';

/** One person of the group photo. */
export const PART = { left: 1400, top: 130, width: 460, height: 345 };
/** The folder of the files that a test makes. */
export const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-render-'));
export const at = (name: string): string => path.join(folder, name);
/** What the command keeps, the key that signs, goes there too. */
const KEPT = ['--set', `storage.dir=${at('data')}`];
/** A clip of that person, four frames of 321 x 241; there from `beforeAll` on. */
export let clip: string;

beforeAll(async () => {
  clip = writeClip(await cutFrame(group, PART, 321, 241), 4);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(path.dirname(clip), { recursive: true, force: true });
});

/** Most tests compare pixels, which the invisible mark would change. */
const UNMARKED = ['--set', 'disclosure.watermark=false'];

/** The program; not in this thread, which has to answer its runner. */
export function run(
  args: string[],
  env: Record<string, string> = {},
  command = process.execPath,
): Promise<{ status: number; stderr: string }> {
  return new Promise((resolve) => {
    execFile(command, args, { env: { ...process.env, ...env } }, (error, _stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stderr }),
    );
  });
}

/** `faceoff render` as people start it. */
export function renderByProgram(
  input: string,
  output: string,
  env: Record<string, string> = {},
  more: readonly string[] = [],
) {
  const main = path.join(root, 'dist/main.js');
  const settings = ['--set', 'models.warmupRuns=0', ...KEPT, ...UNMARKED];
  return run([main, 'render', '--quiet', ...settings, '--source', astronaut, ...more, input, output], env);
}

let pool: Pool;
let isEnrolled = false;
/**
 * The command in this process, with one pool for all calls, in which the source is enrolled once: what is left is what
 * becomes of files.
 */
export async function render(
  input: string,
  output: string,
  more: readonly string[] = [],
): Promise<{ status: number; stderr: string }> {
  const command = renderCommand(path.join(root, 'config.yaml')).exitOverride();
  try {
    await command.parseAsync(['--quiet', ...KEPT, ...UNMARKED, ...more, '--source', astronaut, input, output], {
      from: 'user',
    });
    return { status: 0, stderr: '' };
  } catch (error) {
    return { status: 1, stderr: (error as Error).message };
  }
}
/** The shared pool as a call sees it: what the call opens is closed with it, the pool is not. */
function lentPool(): Pool {
  const sessions: { close(): void }[] = [];
  const lent: Partial<Pool> = {
    offer: (...args) => {
      if (!isEnrolled) pool.offer(...args);
    },
    preload: async (face) => {
      if (!isEnrolled) await pool.preload(face);
      isEnrolled = true;
    },
    open: (...args) => {
      const session = pool.open(...args);
      sessions.push(session);
      return session;
    },
    close: async () => {
      for (const session of sessions) session.close();
    },
  };
  const ofPool = (key: keyof Pool): unknown => {
    const value = pool[key];
    return typeof value === 'function' ? value.bind(pool) : value;
  };
  return new Proxy(pool, { get: (_, key) => lent[key as keyof Pool] ?? ofPool(key as keyof Pool) });
}
beforeAll(async () => {
  const limits = { ...defaultConfig().limits, frameWidth: 3000, frameHeight: 2000 };
  const config = patchedConfig({
    disclosure: { watermark: false },
    limits,
    pipeline: { lanes: 1 },
    models: { dir: modelsDir, warmupRuns: 0 },
  });
  pool = await Pool.start(config, pino({ level: 'silent' }), { deadline: false });
  vi.spyOn(Pool, 'start').mockImplementation(async () => lentPool());
});
afterAll(async () => {
  vi.restoreAllMocks();
  await pool.close();
});

/** Writes a file into the folder. @returns its path. */
export function written(name: string, content: string | Uint8Array): string {
  writeFileSync(at(name), content);
  return at(name);
}

/** Runs ffmpeg, and overwrites. */
export const ffmpeg = (...args: string[]) => spawnSync('ffmpeg', ['-hide_banner', '-y', ...args], { encoding: 'utf8' });
