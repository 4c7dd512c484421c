/** Hooks of the program as people start it: a real publisher, a receiver, a command, SIGTERM. */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, expect, test } from 'vitest';
import { root } from '../../../../src/lib/package-root.ts';
import { isAlive } from '../../../../src/lib/process-alive.ts';
import { modelsDir } from '../../../support/lane.ts';
import { Publisher } from '../../../support/publisher.ts';
import { Receiver, SECRET } from '../../../support/receiver.ts';
import { type Program, startProgram, until } from '../../../support/server.ts';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-hooks-program-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function start(hooks: Record<string, unknown>, ...more: string[]): Promise<Program> {
  const set = Object.entries(hooks).map(([key, value]) => `hooks.${key}=${JSON.stringify(value)}`);
  const program = await startProgram([...set, 'pipeline.lanes=1', ...more].flatMap((one) => ['--set', one]));
  endings.push(() => program.stop());
  return program;
}

async function receiver(): Promise<Receiver> {
  const one = await new Receiver().start();
  endings.push(() => one.stop());
  return one;
}

async function publish({ url }: Program): Promise<Publisher> {
  const publisher = new Publisher();
  endings.push(() => publisher.close());
  publisher.send(320, 240);
  expect((await publisher.whip(url, '?stream=stage')).status).toBe(201);
  await until(() => publisher.received.length > 0, 'pictures to come back', 30_000);
  return publisher;
}

const LIMIT = { timeout: 120_000 };

test.runIf(hasFfmpeg)(
  'a receiver and a command are told of a stream’s life, to its end by SIGTERM',
  LIMIT,
  async () => {
    const one = await receiver();
    const file = path.join(folder, 'told.txt');
    const run = ['/bin/sh', '-c', 'echo "$FACEOFF_EVENT $FACEOFF_STREAM $FACEOFF_FILE" >> "$0"', file];
    // Memory counts as short from the first sample on, so that quality falls.
    const short = ['memory.rssLimitMb=3000', 'memory.releaseAt=0.1', 'memory.degradeAt=0.1', 'recording.minFreeMb=0'];
    const program = await start({ secret: SECRET, webhooks: [{ url: one.url }], commands: [{ run }] }, ...short);
    const publisher = await publish(program);
    const session = publisher.location.split('/').at(-1)!;
    const form = new FormData();
    form.append('file', new Blob([readFileSync(path.join(modelsDir, 'portraits/astronaut.webp'))]));
    for (const [name, value] of Object.entries({ consent: 'true', name: 'Ada' })) form.append(name, value);
    expect((await fetch(`${program.url}/api/faces`, { method: 'POST', body: form })).status).toBe(201);
    await until(() => one.types.includes('quality.fallen'), 'a fall of quality', 30_000);
    await fetch(`${program.url}/api/sessions/${session}/recording`, { method: 'POST' });
    const { length } = publisher.received;
    await until(() => publisher.received.length > length + 30, 'a second of pictures', 30_000);
    const gone = new Promise<number | null>((resolve) => program.child.once('exit', resolve));
    program.child.kill('SIGTERM');
    expect(await gone).toBe(0);

    expect(one.received.every(({ isSigned }) => isSigned)).toBe(true);
    for (const type of ['fault', 'stream.up', 'face.added', 'quality.fallen']) expect(one.types).toContain(type);
    // The session ends before its recording is whole.
    expect(one.types.slice(-2)).toEqual(['stream.down', 'recording.finished']);
    const data = Object.fromEntries(one.received.map(({ event }) => [event.type, event.data]));
    expect(data['stream.down']).toEqual({ stream: 'stage', session, cause: 'server stopping' });
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    expect(lines.map((line) => line.split(' ')[0])).toEqual(one.types);
    const recording = (data['recording.finished'] as { file: string }).file;
    expect(lines.at(-1)).toBe(`recording.finished stage ${recording}`);
    expect(existsSync(recording)).toBe(true);
    expect(program.said()).not.toContain(SECRET);
  },
);

test('a receiver that is silent and a command that hangs do not hold the end of the server', LIMIT, async () => {
  const one = await receiver();
  one.status = null;
  const pid = path.join(folder, 'pid');
  const run = ['/bin/sh', '-c', 'echo $$ > "$0"; exec sleep 1000', pid];
  const program = await start({
    secret: SECRET,
    webhooks: [{ url: one.url }],
    commands: [{ run, events: ['stream.up'] }],
  });
  await publish(program);
  await until(() => one.received.length > 0 && existsSync(pid), 'both to be under way');
  const gone = new Promise<number | null>((resolve) => program.child.once('exit', resolve));
  program.child.kill('SIGTERM');
  expect(await gone).toBe(0);
  expect(() => process.kill(Number(readFileSync(pid, 'utf8')), 0)).toThrow();
  expect(program.said()).toMatch(/"dropped":[1-9]\d*,.*hooks were not told of every event/);
  expect(program.said()).not.toContain('not everything ended in time');
});

test.skipIf(process.platform === 'win32')('a second Ctrl-C takes a command along', LIMIT, async () => {
  const file = path.join(folder, 'second');
  const run = ['/bin/sh', '-c', 'echo $$ > "$0"; exec sleep 1000', file];
  const program = await start({ commands: [{ run, events: ['stream.up'] }] }, 'swap.engine=none');
  await publish(program);
  await until(() => existsSync(file), 'the command to run');
  const gone = new Promise<number | null>((resolve) => program.child.once('exit', resolve));
  program.child.kill('SIGINT');
  await until(() => program.said().includes('"msg":"stopping"'), 'the end to begin');
  await delay(300);
  program.child.kill('SIGINT');
  expect(await gone).toBe(130);
  await until(() => !isAlive(Number(readFileSync(file, 'utf8'))), 'the command to be gone');
});

test('the receiver of docs/hooks.md takes what is signed right, and nothing else', LIMIT, async () => {
  const code = /```js\n([\s\S]*?)```/.exec(readFileSync(path.join(root, 'docs/hooks.md'), 'utf8'))![1]!;
  expect(code.trim().split('\n').length).toBeLessThanOrEqual(14);
  writeFileSync(path.join(folder, 'receiver.mjs'), code);
  const port = await freePort();
  const child = spawn(process.execPath, [path.join(folder, 'receiver.mjs')], {
    env: { ...process.env, SECRET, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  endings.push(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout.on('data', (data: Buffer) => {
    said += data.toString();
  });
  const url = `http://127.0.0.1:${port}/`;
  const forged = {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(Math.floor(Date.now() / 1000)),
    'webhook-signature': 'v1,AAAA',
  };
  const isUp = (): Promise<boolean> =>
    fetch(url, { method: 'POST', body: 'x', headers: forged }).then(
      ({ status }) => status === 401,
      () => false,
    );
  await until(isUp, 'the receiver, and its refusal');
  const program = await start({ secret: SECRET, webhooks: [{ url }] }, 'swap.engine=none');
  await publish(program);
  await until(() => said.includes('"stream.up"'), 'the event');
  expect(JSON.parse(said.trim().split('\n')[0]!)).toMatchObject({ type: 'stream.up', data: { stream: 'stage' } });
  expect(said).not.toContain('x\n');
});

/** A port that no program listens on now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
