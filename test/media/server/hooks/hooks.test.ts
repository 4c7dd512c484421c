/** Webhooks to a real receiver, and commands that run. */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HookSettings } from '../../../../src/config/hook-settings.ts';
import { defaultConfig, loadConfig } from '../../../../src/config.ts';
import { isAlive } from '../../../../src/lib/process-alive.ts';
import { Metrics } from '../../../../src/metrics.ts';
import { EVENT_DATA } from '../../../../src/server/hooks/event-schemas.ts';
import { Hooks } from '../../../../src/server/hooks/hooks.ts';
import { ServerEvents } from '../../../../src/server/hooks/server-events.ts';
import { Receiver, SECRET } from '../../../support/receiver.ts';
import { until } from '../../../support/server.ts';

let folder: string;
let lines: Record<string, unknown>[];
let metrics: Metrics;
let events: ServerEvents;
let hooks: Hooks | null;
let receivers: Receiver[];

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-hooks-'));
  [lines, metrics, events, hooks, receivers] = [[], new Metrics(), new ServerEvents(), null, []];
});
afterEach(async () => {
  await hooks?.close(0);
  for (const receiver of receivers) await receiver.stop();
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string): string => path.join(folder, name);

async function receiver(): Promise<Receiver> {
  const one = await new Receiver().start();
  receivers.push(one);
  return one;
}

/** The settings, as config.yaml gives them. */
function settingsOf(patch: object): HookSettings {
  const file = at('config.yaml');
  writeFileSync(file, JSON.stringify({ hooks: { secret: SECRET, ...patch } }));
  return loadConfig({ file }).hooks;
}

/** Starts hooks with these settings. */
function start(patch: object): Hooks {
  const settings = settingsOf(patch);
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(JSON.parse(line)) });
  hooks = new Hooks({ settings, events, metrics, log });
  return hooks;
}

const up = (stream: string): void => events.tell('stream.up', { stream, session: `session-of-${stream}` });

/** How many events for hooks ended so. */
async function counted(result: string): Promise<number> {
  const { values } = await metrics.registry.getSingleMetric('faceoff_hooks_total')!.get();
  return values.filter(({ labels }) => labels.result === result).reduce((sum, { value }) => sum + value, 0);
}

const streams = ({ received }: Receiver): string[] =>
  received.map(({ event }) => (event.data as { stream: string }).stream);

describe('a webhook', () => {
  test('gets an event as signed JSON, and only those that it wants', async () => {
    const all = await receiver();
    const some = await receiver();
    start({ webhooks: [{ url: all.url }, { url: some.url, events: ['fault'] }] });
    up('studio');
    events.tell('fault', { part: 'lane', code: 'lane_lost', cause: 'It died.', stream: null, session: null });
    await until(() => all.received.length === 2 && some.received.length === 1, 'the events');
    const [{ event, headers, isSigned }] = all.received as [Receiver['received'][0]];
    expect(isSigned).toBe(true);
    expect(headers['content-type']).toBe('application/json');
    expect(event).toEqual({
      type: 'stream.up',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      data: { stream: 'studio', session: 'session-of-studio' },
    });
    expect(EVENT_DATA.fault.strict().parse(some.received[0]!.event.data)).toBeTruthy();
    await until(async () => (await counted('delivered')) === 3, 'the count');
  });

  test('that is down gets every event in order once it is up, signed anew under its id', async () => {
    const one = await receiver();
    await one.stop();
    start({ webhooks: [{ url: one.url }] });
    for (const stream of ['a', 'b', 'c']) up(stream);
    await until(async () => (await counted('retried')) > 0, 'a second attempt');
    one.status = 503;
    await one.start();
    await until(() => one.received.length === 1, 'the first attempt that comes');
    one.status = 204;
    await until(() => one.received.length === 4, 'all events');
    expect(streams(one)).toEqual(['a', 'a', 'b', 'c']);
    expect(one.received.every(({ isSigned }) => isSigned)).toBe(true);
    const ids = one.received.map(({ headers }) => headers['webhook-id']);
    expect(ids[0]).toBe(ids[1]);
    expect(new Set(ids).size).toBe(3);
    await until(async () => (await counted('delivered')) === 3, 'the count');
    expect(lines.map(({ msg }) => msg)).toEqual([
      'webhook cannot be told of an event; it is tried again',
      'webhook is told of events again',
    ]);
  }, 30_000);

  test('that refuses an event is not asked again, and gets the next one', async () => {
    const one = await receiver();
    one.status = 400;
    start({ webhooks: [{ url: one.url }] });
    up('a');
    await until(async () => (await counted('failed')) === 1, 'the refusal');
    one.status = 200;
    up('b');
    await until(async () => (await counted('delivered')) === 1, 'the next event');
    expect(streams(one)).toEqual(['a', 'b']);
  });

  test('that redirects leads nowhere else', async () => {
    const [one, other] = [await receiver(), await receiver()];
    one.status = 307;
    one.answerHeaders = { location: other.url };
    start({ webhooks: [{ url: one.url }] });
    up('a');
    await until(async () => (await counted('failed')) === 1, 'the refusal');
    expect(other.received).toEqual([]);
  });

  test('that does not answer is given up after its time', async () => {
    const one = await receiver();
    one.status = null;
    start({ webhooks: [{ url: one.url, timeoutMs: 200 }], retryForMs: 0 });
    up('a');
    await until(async () => (await counted('failed')) === 1, 'the end of its time');
    expect(lines.at(-1)).toMatchObject({ hook: 'webhooks.0', why: 'it did not answer within 200 ms' });
  });

  test('that is too slow loses the oldest events, which are counted and logged once', async () => {
    const one = await receiver();
    one.status = null;
    start({ webhooks: [{ url: one.url }], queue: 2 });
    for (const stream of ['a', 'b', 'c', 'd', 'e', 'f']) up(stream);
    expect(await counted('dropped')).toBe(3);
    expect(lines.filter(({ msg }) => String(msg).startsWith('too many events'))).toHaveLength(1);
  });

  test('is asked a last time when the server stops, and what is left is dropped with one line', async () => {
    const [down, open] = [await receiver(), await receiver()];
    await down.stop();
    const running = start({ webhooks: [{ url: down.url }, { url: open.url }] });
    for (const stream of ['a', 'b']) up(stream);
    await until(() => lines.length === 1, 'the outage');
    await running.close(5000);
    expect(streams(open)).toEqual(['a', 'b']);
    expect(await counted('dropped')).toBe(2);
    expect(lines.at(-1)).toMatchObject({ dropped: 2, msg: expect.stringContaining('before the server ended') });
  });

  test('is not waited for beyond the grace', async () => {
    const one = await receiver();
    one.status = null;
    const running = start({ webhooks: [{ url: one.url }] });
    for (const stream of ['a', 'b']) up(stream);
    await until(() => one.received.length === 1, 'the attempt');
    await running.close(50);
    expect(await counted('dropped')).toBe(2);
  });

  test('has neither its address nor its secret in the log', async () => {
    const one = await receiver();
    await one.stop();
    start({ webhooks: [{ url: `${one.url}?key=hush` }], retryForMs: 0 });
    up('a');
    await until(async () => (await counted('failed')) === 1, 'the failure');
    const text = JSON.stringify(lines);
    for (const secret of ['hush', '127.0.0.1', String(one.port), SECRET]) expect(text).not.toContain(secret);
    expect(lines.at(-1)).toMatchObject({ hook: 'webhooks.0', why: 'ECONNREFUSED' });
  });
});

/** A program that tells in a file what it was given. */
const TELL = `require('node:fs').writeFileSync(process.argv[1], JSON.stringify({ args: process.argv.slice(2), env: process.env }))`;
const told = (name: string): { args: string[]; env: Record<string, string> } =>
  JSON.parse(readFileSync(at(name), 'utf8'));
const node = process.execPath;

describe.skipIf(process.platform === 'win32')('a command', () => {
  test('runs without a shell, its event in the environment', async () => {
    start({ commands: [{ run: [node, '-e', TELL, at('told'), '$HOME; `id` && $(id)'], events: ['stream.up'] }] });
    events.tell('stream.up', { stream: 'a', session: '$(touch x)' });
    await until(async () => (await counted('delivered')) === 1, 'its end');
    expect(told('told').args).toEqual(['$HOME; `id` && $(id)']);
    expect(told('told').env).toMatchObject({
      FACEOFF_EVENT: 'stream.up',
      FACEOFF_STREAM: 'a',
      FACEOFF_SESSION: '$(touch x)',
      PATH: process.env.PATH,
    });
  });

  test('by a relative path is found from the folder of config.yaml', async () => {
    writeFileSync(at('hook.sh'), '#!/bin/sh\necho here > "$(dirname "$0")/told"\n', { mode: 0o755 });
    start({ commands: [{ run: ['./hook.sh'] }] });
    up('a');
    await until(async () => (await counted('delivered')) === 1, 'its end');
    expect(readFileSync(at('told'), 'utf8')).toBe('here\n');
  });

  test('that fails is logged with its session, its exit code and the beginning of its output', async () => {
    const script = `process.stdout.write('x'.repeat(5000)); process.exitCode = 3`;
    start({ commands: [{ run: [node, '-e', script] }] });
    up('a');
    await until(async () => (await counted('failed')) === 1, 'its end');
    expect(lines.at(-1)).toMatchObject({ hook: 'commands.0', event: 'stream.up', session: 'session-of-a', code: 3 });
    expect(String(lines.at(-1)!.said)).toMatch(/^x{2000}$/);
  });

  test('that is not there is told of in the log', async () => {
    start({ commands: [{ run: [at('none')] }] });
    up('a');
    await until(async () => (await counted('failed')) === 1, 'the failure');
    expect(lines.at(-1)).toMatchObject({ hook: 'commands.0', why: 'ENOENT' });
  });

  /** Runs on, and has a child that does; their ids are in a file. */
  const HANG = 'sleep 1000 & echo $$ $! > "$0.new"; mv "$0.new" "$0"; wait';
  const pids = (): number[] => readFileSync(at('pids'), 'utf8').trim().split(' ').map(Number);

  test('that hangs is ended after its time, with what it started, and the next event has its turn', async () => {
    start({ commands: [{ run: ['/bin/sh', '-c', HANG, at('pids')], timeoutMs: 1000 }] });
    up('a');
    await until(() => existsSync(at('pids')), 'its start');
    const first = pids();
    await until(async () => (await counted('failed')) === 1, 'the end of its time');
    await until(() => first.every((pid) => !isAlive(pid)), 'its processes to be gone');
    expect(lines.at(-1)).toMatchObject({ hook: 'commands.0', why: 'killed after 1000 ms' });
    up('b');
    await until(() => pids()[0] !== first[0], 'the next run');
  });

  test('is ended with the server, and counted as dropped', async () => {
    const running = start({ commands: [{ run: ['/bin/sh', '-c', HANG, at('pids')] }] });
    for (const stream of ['a', 'b']) up(stream);
    await until(() => existsSync(at('pids')), 'its start');
    const first = pids();
    await running.close(50);
    await until(() => first.every((pid) => !isAlive(pid)), 'its processes to be gone');
    expect(await counted('dropped')).toBe(2);
  });

  test('waits for a place where as many run as may', async () => {
    const run = ['/bin/sh', '-c', 'mkdir "$0" && sleep 0.1 && rmdir "$0"', at('lock')];
    start({ commands: [{ run }, { run }, { run }], commandsAtOnce: 1 });
    for (const stream of ['a', 'b']) up(stream);
    await until(async () => (await counted('delivered')) === 6, 'all runs, none beside another');
  });
});

test('changed hooks hold for the next event, those that stay go on, and what waits gets a last attempt', async () => {
  const [stays, leaves, comes] = [await receiver(), await receiver(), await receiver()];
  stays.status = 503;
  leaves.status = 503;
  const running = start({ webhooks: [{ url: stays.url }, { url: leaves.url }] });
  up('a');
  await until(() => stays.received.length === 1 && leaves.received.length === 1, 'the first attempts');
  leaves.status = 204;
  running.configure(settingsOf({ webhooks: [{ url: stays.url }, { url: comes.url }] }));
  await until(() => leaves.received.length === 2, 'the last attempt');
  up('b');
  await until(() => comes.received.length === 1, 'the next event');
  stays.status = 204;
  await until(() => streams(stays).includes('b'), 'the attempt again, and the next event');
  expect(streams(stays).filter((stream) => stream === 'b')).toHaveLength(1);
  expect(streams(comes)).toEqual(['b']);
  expect(streams(leaves)).toEqual(['a', 'a']);
  running.configure(settingsOf({}));
  up('c');
  await running.close(1000);
  expect([stays, leaves, comes].flatMap(streams)).not.toContain('c');
});

test('hooks that were told nothing close at once', async () => {
  const { hooks: settings } = defaultConfig();
  await new Hooks({ settings, events, metrics, log: pino({ level: 'silent' }) }).close(60_000);
});
