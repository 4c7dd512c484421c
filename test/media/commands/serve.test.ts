import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';
import { keptIn, startProgram, until } from '../../support/server.ts';

interface Started {
  npm: ChildProcess;
  url: string;
  said(): string;
  /** Resolves with npm's exit status, or the signal that ended it. */
  ended: Promise<number | string | null>;
}

const left: (() => void)[] = [];
afterEach(() => {
  for (const clean of left.splice(0)) clean();
});

/** `npm start`, in a process group of its own as under a terminal. */
function npmStart(): Promise<Started> {
  return start('npm', ['start', '--', '--port', '0']);
}

/** A command that ends up running the server, in a process group of its own. */
async function start(command: string, args: string[], event?: string): Promise<Started> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-npm-'));
  const npm = spawn(command, [...args, ...keptIn(folder), '--set', 'swap.engine=none'], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, FACEOFF_TEST_CHROMIUM: undefined, npm_lifecycle_event: event },
  });
  let said = '';
  const hear = (data: Buffer): void => {
    said += data.toString();
  };
  npm.stdout!.on('data', hear);
  npm.stderr!.on('data', hear);
  const ended = new Promise<number | string | null>((resolve) => {
    npm.once('exit', (code, signal) => resolve(code ?? signal));
  });
  left.push(() => {
    try {
      process.kill(-npm.pid!, 'SIGKILL');
    } catch {
      // All of it is gone, as it should be.
    }
    rmSync(folder, { recursive: true, force: true });
  });
  await until(() => /is ready at http/.test(said) || npm.exitCode !== null, 'the server to be ready', 60_000);
  return { npm, url: said.match(/is ready at (http\S+?)"/)?.[1] ?? said, said: () => said, ended };
}

const isGroupAlive = (pid: number): boolean => {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
};

const TIMEOUT = { timeout: 90_000 };

test.skipIf(process.platform === 'win32').each([
  ['SIGTERM to npm alone', 'SIGTERM', 1],
  ['SIGINT to npm alone', 'SIGINT', 1],
  ['SIGHUP to npm alone', 'SIGHUP', 1],
  ['SIGHUP to all of them, as from a terminal that is closed', 'SIGHUP', -1],
  ['SIGTERM to all of them', 'SIGTERM', -1],
  ['SIGINT to all of them, as Ctrl-C in a terminal', 'SIGINT', -1],
] as const)('npm start ends in order on %s', TIMEOUT, async (_what, signal, whom) => {
  const { npm, url, said, ended } = await npmStart();
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  process.kill(whom * npm.pid!, signal);
  await ended;
  await until(() => !isGroupAlive(npm.pid!), 'every process to be gone');
  expect(said().split('"msg":"stopping"')).toHaveLength(2);
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});

test.skipIf(process.platform === 'win32').each(['SIGTERM', 'SIGHUP'] as const)(
  'the server ends with npm on %s, although a shell stays between them',
  TIMEOUT,
  async (signal) => {
    // As under npx: the shell is not replaced by the server.
    const main = path.join(root, 'dist/main.js');
    const script = `const { spawn } = require('node:child_process');
    const shell = spawn('sh', ['-c', '"$@"; true', 'sh', ...process.argv.slice(1)], { stdio: 'inherit' });
    process.on('SIGTERM', () => { shell.kill('SIGTERM'); process.exit(); });`;
    const { npm, url, said, ended } = await start('node', ['-e', script, 'node', main, 'serve', '--port', '0'], 'npx');
    process.kill(npm.pid!, signal);
    await ended;
    await until(() => !isGroupAlive(npm.pid!), 'every process to be gone');
    expect(said()).toContain('"msg":"stopping"');
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  },
);

test('a second Ctrl-C ends the server at once', TIMEOUT, async () => {
  const { child, url } = await startProgram(['--set', 'swap.engine=none']);
  // A client that does not answer the closing handshake, for which the server waits.
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  left.push(() => socket.destroy());
  socket.on('error', () => undefined);
  socket.write(
    `GET /ws HTTP/1.1\r\nhost: ${hostname}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
  );
  await new Promise((resolve) => socket.once('data', resolve));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const more = setInterval(() => child.kill('SIGINT'), 50);
  expect(await ended).toBe(130);
  clearInterval(more);
});

test('a public name without a token is warned about, and one with a token is not', async () => {
  const names = ['--set', 'server.names=[face.example]'];
  const main = path.join(root, 'dist/main.js');
  const open = await start(process.execPath, [main, 'serve', '--port', '0', ...names]);
  expect(open.said()).toMatch(/"level":40.*face\.example.*no token: set server\.token/);
  const token = ['--set', 'server.token=a-token-that-nobody-guesses'];
  const locked = await start(process.execPath, [main, 'serve', '--port', '0', ...names, ...token]);
  expect(locked.said()).not.toContain('no token');
});
