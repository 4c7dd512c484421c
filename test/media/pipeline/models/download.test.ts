import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { root } from '../../../../src/lib/package-root.ts';
import { download } from '../../../../src/pipeline/models/download.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-download-'));
const content = randomBytes(3_000_000);
const sha256 = createHash('sha256').update(content).digest('hex');

/** A server of one file; what it does wrong is set by each test. */
let server: Server;
let base: string;
let asked: { range: string | undefined; status: number }[];
let mood: { ranges: boolean; tag: string; breakAfter: number | null; breaks: number; status: number | null };

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { range } = request.headers;
  const fresh = request.headers['if-range'] === mood.tag;
  const from = mood.ranges && range !== undefined && fresh ? Number(/bytes=(\d+)-/.exec(range)![1]) : 0;
  const status = mood.status ?? (from >= content.length ? 416 : from > 0 ? 206 : 200);
  asked.push({ range, status });
  const headers: Record<string, string> = mood.tag === '' ? {} : { etag: mood.tag };
  if (status === 416) headers['content-range'] = `bytes */${content.length}`;
  if (status === 206) headers['content-range'] = `bytes ${from}-${content.length - 1}/${content.length}`;
  if (status >= 400) {
    response.writeHead(status, headers).end();
    return;
  }
  response.writeHead(status, { ...headers, 'content-length': content.length - from });
  if (mood.breakAfter === null || mood.breaks <= 0) {
    response.end(content.subarray(from));
    return;
  }
  mood.breaks--;
  response.write(content.subarray(from, from + mood.breakAfter), () => setTimeout(() => response.destroy(), 20));
}

beforeAll(async () => {
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  asked = [];
  mood = { ranges: true, tag: '"one"', breakAfter: null, breaks: 0, status: null };
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const file = path.join(folder, 'model.onnx');
const get = (more: object = {}) => download({ url: `${base}/model.onnx`, file, sha256, pauseMs: 5, ...more });

test('a file is downloaded whole with progress, and nothing is left beside it', async () => {
  const told: number[] = [];
  expect(await get({ onProgress: (bytes: number, total: number) => told.push(bytes / total) })).toBe(sha256);
  expect(readFileSync(file).equals(content)).toBe(true);
  expect(told.at(-1)).toBe(1);
  expect(readdirSync(folder)).toEqual(['model.onnx']);
});

test('a broken connection is continued where it broke', async () => {
  Object.assign(mood, { breakAfter: 1_000_000, breaks: 2 });
  await get();
  expect(readFileSync(file).equals(content)).toBe(true);
  expect(asked.map(({ status }) => status)).toEqual([200, 206, 206]);
});

test('a later start continues what an earlier one left', async () => {
  Object.assign(mood, { breakAfter: 500_000, breaks: 1 });
  await expect(get({ retries: 0 })).rejects.toMatchObject({ code: 'no_network' });
  expect(existsSync(file)).toBe(false);
  await get();
  expect(asked[1]).toMatchObject({ range: expect.stringMatching(/^bytes=[1-9]/), status: 206 });
  expect(readFileSync(file).equals(content)).toBe(true);
});

describe('a download begins anew', () => {
  test.each([
    ['when the server has another file by now', { tag: '"two"' }],
    ['when the server does not continue', { ranges: false }],
  ])('%s', async (_when, change) => {
    Object.assign(mood, { breakAfter: 500_000, breaks: 1 });
    await expect(get({ retries: 0 })).rejects.toThrow();
    Object.assign(mood, change);
    await get();
    expect(asked.at(-1)!.status).toBe(200);
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  test('when the partial file is longer than the file', async () => {
    writeFileSync(`${file}.part`, Buffer.alloc(content.length + 5));
    writeFileSync(`${file}.part.etag`, mood.tag);
    await get();
    expect(asked.map(({ status }) => status)).toEqual([416, 200]);
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  test('when nothing identifies the file of the partial one', async () => {
    writeFileSync(`${file}.part`, 'something');
    mood.tag = '';
    await get();
    expect(asked).toEqual([{ range: undefined, status: 200 }]);
  });
});

test('a partial file that is complete is only verified', async () => {
  writeFileSync(`${file}.part`, content);
  writeFileSync(`${file}.part.etag`, mood.tag);
  expect(await get()).toBe(sha256);
  expect(asked.map(({ status }) => status)).toEqual([416]);
});

test('a wrong file is refused and nothing of it stays', async () => {
  await expect(get({ sha256: 'a'.repeat(64) })).rejects.toMatchObject({
    code: 'model_differs',
    message: expect.stringContaining(sha256),
  });
  expect(readdirSync(folder)).toEqual([]);
});

test('a busy server is asked again, one that refuses is not', async () => {
  mood.status = 503;
  await expect(get({ retries: 2 })).rejects.toMatchObject({ code: 'no_network' });
  expect(asked).toHaveLength(3);
  mood.status = 404;
  await expect(get()).rejects.toThrow(/answered 404.*place it as .*model\.onnx/);
  expect(asked).toHaveLength(4);
});

test('without a network the error names the file to place by hand', async () => {
  const url = 'http://127.0.0.1:9/model.onnx';
  await expect(get({ url, retries: 1 })).rejects.toThrow(/cannot be fetched: .*place it as .*model\.onnx/);
});

describe('faceoff models', () => {
  const models = path.join(folder, 'models');
  /** Run beside the server, which must go on answering. */
  async function run(...args: string[]): Promise<{ status: number | null; out: string; err: string }> {
    const child = spawn(process.execPath, [
      path.join(root, 'dist/main.js'),
      'models',
      ...args,
      '--set',
      `models.dir=${models}`,
    ]);
    let [out, err] = ['', ''];
    child.stdout.on('data', (text) => {
      out += text;
    });
    child.stderr.on('data', (text) => {
      err += text;
    });
    child.stdin.end();
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { status, out, err };
  }

  function catalogue(digest: string | null): void {
    mkdirSync(models);
    const entry = (name: string, profile: object, url: string | null) => ({
      name,
      file: `${name}.onnx`,
      url,
      sha256: digest,
      bytes: null,
      licence: 'Only for Tests',
      commercialUse: false,
      profile,
    });
    const picture = { template: 'arcface_128', size: 128, mean: [0, 0, 0], std: [1, 1, 1] };
    const source = { kind: 'embedding', recogniser: 'knower', recipe: 'normed' };
    const output = { mean: [0, 0, 0], std: [1, 1, 1] };
    const optional = [
      entry('maker', { role: 'generator', ...picture, output, source }, `${base}/maker`),
      entry('knower', { role: 'recogniser', ...picture, length: 512 }, `${base}/knower`),
      entry('own', { role: 'converter', length: 512 }, null),
    ];
    writeFileSync(path.join(models, 'models.yaml'), JSON.stringify({ optional }));
  }

  test('fetches what a model needs as well, once the licence is accepted', async () => {
    catalogue(sha256);
    const refused = await run('fetch', 'maker');
    expect(refused).toMatchObject({ status: 1, err: expect.stringMatching(/--accept-licence/) });
    expect(refused.out).toMatch(/Only for Tests; not for commercial use/);
    expect(asked).toEqual([]);
    const done = await run('fetch', 'maker', '--accept-licence');
    expect(done).toMatchObject({ status: 0 });
    expect(done.out).toMatch(/maker: as it should be\nknower: as it should be/);
    expect((await run('list')).out).toMatch(/here +generator +maker .*Only for Tests/);
  });

  test('records a digest that was not published, and requires it from then on', async () => {
    catalogue(null);
    expect((await run('fetch', 'knower', '--accept-licence')).status).toBe(0);
    writeFileSync(path.join(models, 'optional/knower.onnx'), 'changed');
    expect(await run('verify')).toMatchObject({ status: 1, err: expect.stringMatching(/not the file it should be/) });
  });

  test('reports unknown models and those that can only be placed by hand', async () => {
    catalogue(null);
    expect((await run('fetch', 'nobody')).err).toMatch(/no model nobody.*maker, knower, own/);
    expect((await run('fetch', 'own')).err).toMatch(/Place your file as .*own\.onnx/);
    expect((await run('verify', 'own')).err).toMatch(/own\.onnx is not there/);
  });
});
