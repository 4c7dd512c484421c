/** A server process whose configuration changes while it runs. */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../../../../src/lib/package-root.ts';
import { isAlive } from '../../../../src/lib/process-alive.ts';
import type { ConfigReport } from '../../../../src/shared/messages.ts';
import { modelsDir } from '../../../support/lane.ts';
import { Publisher } from '../../../support/publisher.ts';
import { keptIn, type Program, startProgram, until } from '../../../support/server.ts';

const isWindows = process.platform === 'win32';
const main = path.join(root, 'dist/main.js');
const FACELESS = 'swap:\n  engine: none\n';
const MODELS = ['--set', `models.dir=${modelsDir}`];
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-reload-'));
const file = path.join(folder, 'config.yaml');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Replaces the file as editors do. */
function write(text: string): void {
  writeFileSync(`${file}~`, text);
  renameSync(`${file}~`, file);
}

interface Line {
  level: number;
  msg: string;
  taken?: string[];
  waiting?: string[];
}

/** The lines of a log about the configuration. */
const linesAbout = (log: string): Line[] =>
  log
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Line)
    .filter(({ msg }) => msg.startsWith('configuration read') || msg.includes('What is in force stays.'));

describe('a changed configuration', () => {
  let server: Program;
  let heard = 0;
  const cameras: Publisher[] = [];

  beforeAll(async () => {
    write(`${FACELESS}limits:\n  sessions: 2\n  viewers: 12\n`);
    server = await startProgram(['--config', file, ...MODELS, '--set', 'limits.viewers=8']);
  }, 60_000);
  afterEach(() => {
    for (const camera of cameras.splice(0)) camera.close();
  });
  afterAll(() => server?.stop());

  /** The next line about the configuration. */
  async function told(): Promise<Line> {
    await until(() => linesAbout(server.said()).length > heard, 'a line about the configuration');
    return linesAbout(server.said())[heard++]!;
  }

  async function report(): Promise<ConfigReport> {
    return (await (await fetch(`${server.url}/api/config`)).json()) as ConfigReport;
  }

  async function publish(): Promise<{ camera: Publisher; status: number }> {
    const camera = new Publisher();
    cameras.push(camera);
    camera.send(320, 240);
    const { status } = await camera.whip(server.url);
    return { camera, status };
  }

  test('is taken over when the file is saved: the next publisher is refused, the one that runs goes on', async () => {
    const { camera } = await publish();
    await until(() => camera.received.length > 0, 'pictures', 20_000);
    write(`${FACELESS}limits:\n  sessions: 1\n  viewers: 3\npipeline:\n  budgetMs: 40\n`);
    expect(await told()).toMatchObject({
      level: 40,
      taken: ['limits.sessions'],
      waiting: ['pipeline.budgetMs'],
      msg: 'configuration read again; in force from now on: limits.sessions; needs a restart: pipeline.budgetMs',
    });
    expect((await publish()).status).toBe(503);
    const { length } = camera.received;
    await until(() => camera.received.length > length + 5, 'more pictures', 20_000);
    const { settings } = await report();
    expect(settings['limits.sessions']).toMatchObject({ value: 1, from: 'file', at: `${file}:4`, needsRestart: false });
    expect(settings['limits.viewers']).toMatchObject({ value: 8, from: 'command line', at: '--set' });
    expect(settings['pipeline.budgetMs']).toMatchObject({ value: 33, from: 'default', needsRestart: true });
  });

  test('that is wrong leaves what is in force, and is told in the sentence of the start', async () => {
    write(`${FACELESS}limits:\n  sessions: 0\n  sesions: 3\nserver:\n  token: hunter2\n`);
    const { level, msg } = await told();
    const { status, stderr } = spawnSync(process.execPath, [main, 'serve', '--config', file, ...MODELS], {
      encoding: 'utf8',
    });
    expect([level, status]).toEqual([50, 1]);
    expect(msg).toBe(`${stderr.trim()}\n  What is in force stays.`);
    expect(msg.split('\n')).toHaveLength(5);
    expect(msg).toContain(`${file}:5:3: limits.sesions: there is no such setting; did you mean sessions?`);
    expect(msg).not.toContain('hunter2');
    const { refused, settings } = await report();
    expect(refused).toBe(stderr.trim());
    expect(settings['limits.sessions']!.value).toBe(1);
    // Not told again and again.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(linesAbout(server.said())).toHaveLength(heard);
  });

  test.skipIf(isWindows)('is read at once on SIGHUP, for sessions from then on', async () => {
    write(`${FACELESS}logging:\n  level: debug\npipeline:\n  guarded: true\ndetection:\n  faces: 2\n`);
    server.child.kill('SIGHUP');
    expect(await told()).toMatchObject({
      level: 30,
      taken: ['limits.sessions', 'pipeline.guarded', 'detection.faces', 'logging.level'],
      waiting: [],
    });
    const { camera, status } = await publish();
    expect(status).toBe(201);
    const settings = await fetch(`${server.url}/api/sessions/${camera.location.split('/').at(-1)}/settings`);
    expect(await settings.json()).toMatchObject({ guarded: true });
    server.child.kill('SIGHUP');
    expect(await told()).toMatchObject({ level: 30, msg: 'configuration read again; nothing has changed' });
    expect((await report()).refused).toBe(null);
  });

  test.skipIf(isWindows)('whose face there is not is refused as at the start', async () => {
    write('swap:\n  face: nobody\nlimits:\n  sessions: 9\n');
    server.child.kill('SIGHUP');
    const { level, msg } = await told();
    expect([level, msg]).toEqual([50, expect.stringMatching(/^swap\.face: the face "nobody" cannot be used/)]);
    write('swap:\n  engine: no-such-model\n');
    server.child.kill('SIGHUP');
    expect((await told()).msg).toMatch(/^swap\.engine: /);
    expect((await report()).settings['limits.sessions']!.value).toBe(4);
  });

  test('that is gone leaves what is in force', async () => {
    rmSync(file);
    expect((await told()).msg).toContain(`${file}: there is no such file`);
    expect((await report()).settings['pipeline.guarded']!.value).toBe(true);
    write(`${FACELESS}limits:\n  sessions: 5\n`);
    expect((await told()).taken).toContain('limits.sessions');
  });
});

const hasScript = spawnSync('script', ['--version']).status === 0;

describe.skipIf(isWindows || !hasScript)('SIGHUP to a server that was started from a terminal', () => {
  const left: (() => void)[] = [];
  afterEach(() => {
    for (const clean of left.splice(0).reverse()) clean();
  });

  interface InTerminal {
    pid: number;
    /** What is in its log file. */
    log(): string;
    closeTerminal(): void;
  }

  /** @param line of a shell; $SERVE is the command. */
  async function start(line: string): Promise<InTerminal> {
    const kept = mkdtempSync(path.join(os.tmpdir(), 'faceoff-terminal-'));
    left.push(() => rmSync(kept, { recursive: true, force: true }));
    const { FACEOFF_TEST_CHROMIUM: _, ...env } = process.env;
    const serve = [process.execPath, main, 'serve', '--port', '0', ...keptIn(kept), '--set', 'swap.engine=none'];
    const terminal = spawn('script', ['--quiet', '--command', line, '/dev/null'], {
      cwd: kept,
      // Under npx the server would end with the npm that runs it, here the one of the tests.
      env: { ...env, npm_lifecycle_event: undefined, SERVE: serve.join(' ') },
      stdio: 'ignore',
    });
    const log = (): string => {
      const logs = path.join(kept, 'logs');
      const names = existsSync(logs) ? readdirSync(logs).filter((name) => name.endsWith('.log')) : [];
      return names.map((name) => readFileSync(path.join(logs, name), 'utf8')).join('');
    };
    left.push(() => terminal.kill('SIGKILL'));
    const pidFile = path.join(kept, 'pid');
    await until(() => /is ready at http/.test(log()) && existsSync(pidFile), 'the server to be ready', 60_000);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    left.push(() => {
      if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    });
    return { pid, log, closeTerminal: () => terminal.kill('SIGKILL') };
  }

  test('reads the configuration while the terminal is there, and ends the server in order when it closes', async () => {
    const { pid, log, closeTerminal } = await start('echo $$ > pid; exec $SERVE');
    process.kill(pid, 'SIGHUP');
    await until(() => linesAbout(log()).length > 0, 'the configuration to be read');
    closeTerminal();
    await until(() => !isAlive(pid), 'the server to end');
    expect(log()).toContain('"msg":"stopping"');
  });

  test('does not end one under nohup', async () => {
    const { pid, log, closeTerminal } = await start('nohup $SERVE > out 2>&1 < /dev/null & echo $! > pid; wait');
    closeTerminal();
    // A shell that a person types in sends it to its jobs when it ends.
    process.kill(pid, 'SIGHUP');
    await until(() => linesAbout(log()).length > 0, 'the signal to be heard');
    expect(isAlive(pid)).toBe(true);
    expect(log()).not.toContain('"msg":"stopping"');
  });
});
