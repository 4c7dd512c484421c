/** A real Prometheus reads a real server while it swaps, and answers every query of the dashboard; promtool checks the rules. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { dump, load } from 'js-yaml';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../../src/lib/package-root.ts';
import { messageOf } from '../../src/shared/errors.ts';
import { dashboardQueries, type PanelQuery } from '../support/dashboard.ts';
import { buildGpu } from '../support/gpu.ts';
import { cutFrame, group } from '../support/lane.ts';
import { Publisher } from '../support/publisher.ts';
import { startProgram, until } from '../support/server.ts';
import { standIns } from '../support/stand-ins.ts';
import { Watcher } from '../support/viewer.ts';

const CONFIG = path.join(root, 'ops/prometheus/prometheus.yml');
const RULES = path.join(root, 'ops/prometheus/alerts.yml');
const ENGINE = 'inswapper_128';
const [WIDTH, HEIGHT] = [320, 240];

const isThere = (program: string): boolean => spawnSync(program, ['--version']).status === 0;
const missing = ['prometheus', 'promtool'].filter((program) => !isThere(program));
if (missing.length > 0)
  console.warn(`not installed here, so nothing is tried with it: ${missing} (Debian: prometheus)`);

describe.skipIf(missing.includes('promtool'))('promtool', () => {
  test.each([
    ['the configuration', ['check', 'config', CONFIG]],
    ['the rules', ['check', 'rules', RULES]],
    ['what the rules do', ['test', 'rules', path.join(root, 'ops/prometheus/alerts.test.yml')]],
  ])('passes %s', (_what, args) => {
    const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
    expect([status, stdout + stderr]).toEqual([0, expect.stringContaining('SUCCESS')]);
  });
});

describe.skipIf(missing.includes('prometheus'))('Prometheus', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-prometheus-'));
  const endings: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  /** Whether a GPU, or a stand-in for its library, can be read. */
  let hasGpu = isThere('nvidia-smi');
  let target: string;
  let at: string;

  beforeAll(async () => {
    const prefix: string[] = [];
    if (!hasGpu) {
      const gpu = buildGpu();
      hasGpu = gpu !== null;
      if (gpu === null) console.warn('no GPU, so the panels of the GPU are not asked for');
      else {
        console.warn('no GPU, so the panels of the GPU have their figures from a stand-in of its library');
        endings.push(() => rmSync(gpu.folder, { recursive: true, force: true }));
        prefix.push('env', `LD_LIBRARY_PATH=${gpu.folder}`);
      }
    }
    // Its runs are batches.
    const models = standIns([ENGINE, 'arcface_w600k_r50']);
    endings.push(() => models.remove());
    const settings = [
      `models.dir=${models.folder}`,
      `swap.engine=${ENGINE}`,
      'inference.provider=cpu',
      'pipeline.budgetMs=500',
      'metrics.port=0',
    ];
    const program = await startProgram(
      settings.flatMap((one) => ['--set', one]),
      prefix,
    );
    endings.push(() => program.stop());
    target = program.said().match(/metrics are served at http:\/\/(\S+?)\/metrics/)![1]!;

    const camera = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, WIDTH, HEIGHT);
    const publisher = new Publisher();
    const watcher = new Watcher();
    endings.push(() => publisher.close());
    endings.push(() => watcher.close());
    publisher.play({ width: WIDTH, height: HEIGHT }, [camera.data], 10);
    expect((await publisher.whip(program.url, '?stream=watched')).status).toBe(201);
    await until(() => publisher.received.length > 3, 'pictures', 20_000);
    expect((await watcher.whep(program.url, 'watched')).status).toBe(201);

    at = await startPrometheus(folder, target, endings);
  }, 60_000);

  afterAll(async () => {
    for (const end of endings.reverse()) await end();
  });

  /** @throws Error with what Prometheus says of a query that it cannot answer. */
  async function ask<T>(query: string): Promise<T> {
    const answer = (await (await fetch(at + query)).json()) as { status: string; data: T; error?: string };
    if (answer.status !== 'success') throw new Error(answer.error);
    return answer.data;
  }

  /** The values that a query has now, NaN left out. */
  async function valuesOf(query: string): Promise<number[]> {
    const data = await ask<{ result: { value: [number, string] }[] }>(
      `/api/v1/query?query=${encodeURIComponent(query)}`,
    );
    return data.result.map(({ value }) => Number(value[1])).filter((value) => !Number.isNaN(value));
  }

  test('answers every query of the dashboard with data', async () => {
    const queries = dashboardQueries({ instance: target.replaceAll('.', String.raw`\\.`), interval: '10s' }).filter(
      ({ row }) => hasGpu || row !== 'GPU',
    );
    /** What a query lacks; null when it has data. */
    const gapOf = async ({ panel, query }: PanelQuery): Promise<string | null> => {
      const gap = await valuesOf(query).then(
        ({ length }) => (length > 0 ? null : 'no data'),
        (error: unknown) => messageOf(error),
      );
      return gap === null ? null : `${panel}: ${query}: ${gap}`;
    };
    let gaps: string[] = [];
    const isAnswered = async (): Promise<boolean> => {
      await delay(500);
      gaps = (await Promise.all(queries.map(gapOf))).filter((gap) => gap !== null);
      return gaps.length === 0;
    };
    await until(isAnswered, 'data', 30_000).catch(() => undefined);
    expect(gaps).toEqual([]);
    const panels = new Set(queries.map(({ panel }) => panel)).size;
    console.log(`Prometheus answered ${queries.length} queries of ${panels} panels`);
  }, 50_000);

  test('has the figures of what runs', async () => {
    expect(await valuesOf('faceoff_sessions')).toEqual([1]);
    expect(await valuesOf('faceoff_viewers')).toEqual([1]);
    expect((await valuesOf('rate(faceoff_frames_total{result="swapped"}[10s])'))[0]).toBeGreaterThan(0);
    expect((await valuesOf('faceoff_memory_bytes{kind="used"}'))[0]).toBeGreaterThan(50 * 2 ** 20);
    expect((await valuesOf(`faceoff_batch_size_count{model="${ENGINE}"}`))[0]).toBeGreaterThan(0);
    expect((await valuesOf('histogram_quantile(0.5, rate(faceoff_frame_seconds_bucket[10s]))'))[0]).toBeGreaterThan(0);
  });

  test('offers the server to the dashboard’s list, and evaluates every alert', async () => {
    expect(await ask<string[]>('/api/v1/label/instance/values?match[]=faceoff_sessions')).toEqual([target]);
    const { groups } = await ask<{ groups: { rules: { name: string; health: string; lastError?: string }[] }[] }>(
      '/api/v1/rules',
    );
    const rules = groups.flatMap((one) => one.rules);
    expect(rules.length).toBeGreaterThan(10);
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
  });
});

/** Prometheus with the shipped configuration, but for the address and shorter intervals. @returns its address. */
async function startPrometheus(folder: string, target: string, endings: (() => unknown)[]): Promise<string> {
  const config = load(readFileSync(CONFIG, 'utf8')) as {
    global: Record<string, string>;
    rule_files: string[];
    scrape_configs: { static_configs: { targets: string[] }[] }[];
  };
  config.global = { scrape_interval: '1s', evaluation_interval: '1s' };
  config.rule_files = config.rule_files.map((file) => path.join(path.dirname(CONFIG), file));
  config.scrape_configs[0]!.static_configs[0]!.targets = [target];
  const file = path.join(folder, 'prometheus.yml');
  writeFileSync(file, dump(config));
  const listen = `127.0.0.1:${await freePort()}`;
  const child: ChildProcess = spawn(
    'prometheus',
    [`--config.file=${file}`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=${listen}`],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr!.on('data', (data: Buffer) => {
    said += data.toString();
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  endings.push(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  const isReady = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`Prometheus ended: ${said}`);
    return fetch(`http://${listen}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  };
  await until(isReady, 'Prometheus to be ready', 20_000);
  return `http://${listen}`;
}

/** A port that no program listens on now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
