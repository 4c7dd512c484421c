/** `faceoff report`, with a server that runs and without one. */

import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { load } from 'js-yaml';
import { extract } from 'tar-stream';
import { afterAll, afterEach, expect, test } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';
import { keptIn, startProgram } from '../../support/server.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-report-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const TOKEN = 'hush-hush-hush-hush';
const LIMIT = { timeout: 180_000 };

/** Runs the command. @returns its exit status and all that it wrote. */
function report(args: string[]): Promise<{ status: number | null; said: string }> {
  const child = spawn(process.execPath, [path.join(root, 'dist/main.js'), 'report', ...args], { cwd: folder });
  endings.push(() => child.kill('SIGKILL'));
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => {
      said += data.toString();
    });
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, said })));
}

async function contentOf(file: string): Promise<Record<string, string>> {
  const parts: Record<string, string> = {};
  for await (const entry of Readable.from([gunzipSync(readFileSync(file))]).pipe(extract()))
    parts[entry.header.name.replace('faceoff-report/', '')] = await text(entry);
  return parts;
}

test('a report of a running server, over HTTPS, holds its figures and no secret', LIMIT, async () => {
  const program = await startProgram([
    '--host',
    '0.0.0.0',
    '--set',
    `server.token=${TOKEN}`,
    '--set',
    'swap.engine=none',
  ]);
  endings.push(() => program.stop());
  const logs = path.join(program.folder, 'logs');
  const careless = {
    level: 30,
    msg: 'careless',
    from: '192.0.2.7',
    header: `Bearer ${TOKEN}`,
    sdp: 'v=0\r\no=- 1 2 IN IP4 192.0.2.7',
  };
  appendFileSync(path.join(logs, readdirSync(logs)[0]!), `${JSON.stringify(careless)}\n`);
  const output = path.join(folder, 'report.tar.gz');
  const set = ['server.host=0.0.0.0', `server.token=${TOKEN}`, `server.port=${new URL(program.url).port}`].flatMap(
    (one) => ['--set', one],
  );
  const { status, said } = await report([...keptIn(program.folder), ...set, '--output', output]);
  expect(`${status} ${status === 0 ? '' : said}`).toBe('0 ');

  const parts = await contentOf(output);
  expect(Object.keys(parts)).toEqual([
    'versions.json',
    'doctor.txt',
    'config.yaml',
    'models.json',
    'status.json',
    'metrics.txt',
    'memory.csv',
    'log.jsonl',
  ]);
  for (const [name, content] of Object.entries(parts)) {
    expect(said).toContain(name);
    expect(content).not.toMatch(/hush|192\.0\.2|v=0|cannot be had/);
  }
  expect(said).toContain(output);
  expect(JSON.parse(parts['versions.json']!)).toMatchObject({
    faceoff: expect.any(String),
    node: { ...process.versions },
  });
  expect(parts['doctor.txt']).toContain('✓ ONNX Runtime');
  expect(load(parts['config.yaml']!)).toMatchObject({ server: { token: '[hidden]', host: '0.0.0.0' } });
  expect(JSON.parse(parts['models.json']!)).toEqual(
    expect.arrayContaining([expect.objectContaining({ state: 'ready' })]),
  );
  expect(JSON.parse(parts['status.json']!)).toMatchObject({ sessions: 0 });
  expect(parts['metrics.txt']).toMatch(/^faceoff_sessions 0$/m);
  expect(parts['memory.csv']).toMatch(/^time,/);
  expect(parts['log.jsonl']).toContain('careless');
  if (process.platform !== 'win32') expect(statSync(output).mode & 0o777).toBe(0o600);
});

test('a report without a server says what cannot be had, and has the rest', LIMIT, async () => {
  const at = path.join(folder, 'alone');
  mkdirSync(at);
  const { status, said } = await report([...keptIn(at), '--set', 'server.port=9']);
  expect(`${status} ${status === 0 ? '' : said}`).toBe('0 ');
  const file = readdirSync(folder).find((name) => /^faceoff-report-.*\.tar\.gz$/.test(name))!;
  const parts = await contentOf(path.join(folder, file));
  for (const name of ['status.json', 'metrics.txt', 'memory.csv'])
    expect(parts[name]).toBe('cannot be had: ECONNREFUSED\n');
  expect(JSON.parse(parts['models.json']!)).toEqual(
    expect.arrayContaining([expect.objectContaining({ name: expect.any(String) })]),
  );
  expect(parts['log.jsonl']).toBe('');
});

test('a report that cannot be written is refused in a sentence, and leaves nothing', LIMIT, async () => {
  const taken = path.join(folder, 'taken');
  writeFileSync(taken, '');
  const { status, said } = await report([...keptIn(folder), '--output', path.join(taken, 'report.tar.gz')]);
  expect(status).toBe(1);
  expect(said).toMatch(/^The report cannot be written to .*--output\.$/m);
  expect(existsSync(`${taken}.part`)).toBe(false);
});
