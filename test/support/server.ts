/** A whole server on a free port, in this process or as the program people start. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { type Config, defaultConfig } from '../../src/config.ts';
import { FaceLibrary } from '../../src/faces/face-library.ts';
import { root } from '../../src/lib/package-root.ts';
import { Metrics } from '../../src/metrics.ts';
import type { ModelLoad } from '../../src/pipeline/pool/lane-protocol.ts';
import { Pool } from '../../src/pipeline/pool/pool.ts';
import { buildServer, type Server } from '../../src/server/http/app.ts';
import type { Gpu } from '../../src/shared/gpu.ts';
import { modelsDir } from './lane.ts';

export interface TestServer extends Server {
  url: string;
  pool: Pool;
  metrics: Metrics;
  config: Config;
  stop(): Promise<void>;
}

export type Patch = { [K in keyof Config]?: Partial<Config[K]> };

const temporary: string[] = [];
process.once('exit', () => {
  for (const folder of temporary) rmSync(folder, { recursive: true, force: true });
});

/** A new folder for what a server keeps, outside the repository; it goes with this process. */
function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-test-'));
  temporary.push(folder);
  return folder;
}

/** The default settings, some of them others. Nothing is kept in the repository's own folders. */
export function patchedConfig(patch: Patch): Config {
  const storage = { dir: path.join(temporaryFolder(), 'data') };
  return Object.fromEntries(
    Object.entries({ ...defaultConfig(), storage }).map(([name, keys]) => [
      name,
      { ...keys, ...patch[name as keyof Config] },
    ]),
  ) as Config;
}

/** Options that keep what the program writes in a folder. */
export const keptIn = (folder: string): string[] =>
  ['models.cacheDir=cache', 'storage.dir=data', 'logging.dir=logs', 'recording.dir=recordings'].flatMap((one) => [
    '--set',
    one.replace('=', `=${folder}/`),
  ]);

/** @param gpu one to watch. @param provider what a model is said to run on beside the usual ones. */
export async function startServer(patch: Patch = {}, gpu: Gpu | null = null, provider = 'cuda'): Promise<TestServer> {
  const cacheDir = mkdtempSync(path.join(os.tmpdir(), 'faceoff-cache-'));
  const config = patchedConfig(patch);
  config.models = { ...config.models, dir: modelsDir, cacheDir, warmupRuns: 1, ...patch.models };
  config.pipeline = { ...config.pipeline, lanes: 1, ...patch.pipeline };
  const log = pino({ level: 'silent' });
  const metrics = new Metrics();
  const models: ModelLoad[] = [];
  const pool = await Pool.start(config, log, { onModelLoad: (load) => models.push(load) });
  if (gpu !== null) pool.models.note(gpu, { model: 'generator', state: 'ready', provider });
  const faces = await FaceLibrary.open(config, pool, log);
  const server = await buildServer({
    config,
    pool,
    faces,
    metrics,
    models,
    states: pool.models,
    log,
    gpu,
    version: 'test',
    defaults: pool.defaults,
  });
  await server.metricsApp?.listen({ host: '127.0.0.1', port: config.metrics.port! });
  const url = await server.app.listen({ host: '127.0.0.1', port: 0 });
  return {
    ...server,
    url,
    pool,
    metrics,
    config,
    async stop() {
      await server.close();
      faces.close();
      await pool.close();
      rmSync(cacheDir, { recursive: true, force: true });
    },
  };
}

export interface Program {
  url: string;
  child: ChildProcess;
  /** Holds its cache, data, logs and recordings. */
  folder: string;
  /** Everything that it wrote to its console so far. */
  said(): string;
  stop(): Promise<void>;
}

/** `faceoff serve` as a process of its own; resolves when it says that it is ready. @param prefix runs it, elsewhere. */
export async function startProgram(args: string[] = [], prefix: readonly string[] = []): Promise<Program> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-program-'));
  // The tests' own variable is no setting of the program.
  const { FACEOFF_TEST_CHROMIUM: _, ...env } = process.env;
  const main = path.join(root, 'dist/main.js');
  const [command, ...line] = [...prefix, process.execPath, main, 'serve', '--port', '0', ...keptIn(folder), ...args];
  const child = spawn(command!, line, {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const url = await new Promise<string>((resolve, reject) => {
    const hear = (data: Buffer): void => {
      said += data.toString();
      const found = said.match(/is ready at (https?:\S+?)"/);
      if (found) resolve(found[1]!);
    };
    child.stdout!.on('data', hear);
    child.stderr!.on('data', hear);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
  });
  return {
    url,
    child,
    folder,
    said: () => said,
    async stop() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.signalCode === null && child.kill('SIGTERM')) await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until `check` holds. @throws with `what` when it does not within the time. */
export async function until(check: () => boolean | Promise<boolean>, what: string, timeoutMs = 30_000): Promise<void> {
  // Not performance.now(), which a test may have stopped.
  const endMs = Date.now() + timeoutMs;
  while (!(await check())) {
    if (Date.now() > endMs) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
