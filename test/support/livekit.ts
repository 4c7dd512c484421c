/** A LiveKit server and workers, as programs of their own. Skipped with a word where the binary or the packages are missing. */

import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { load } from 'js-yaml';
import { hasRtc } from '../../src/agent/rtc-packages.ts';
import { root } from '../../src/lib/package-root.ts';
import { type LiveKitAddress, LiveKitApi } from '../../src/livekit/livekit-api.ts';
import type { TicketIssuer } from '../../src/livekit/stream-tokens.ts';
import { keptIn, until } from './server.ts';

export const repositoryCache = path.join(root, 'cache');
const KEY = 'testkey';
const SECRET = 'a-secret-of-the-tests-that-has-32-characters';

/** The server that `npm run livekit:server` built, or that the variable names; null where there is none. */
function binary(): string | null {
  const named = process.env.FACEOFF_TEST_LIVEKIT;
  if (named !== undefined) return named;
  const folder = path.join(repositoryCache, 'livekit-server');
  const built = existsSync(folder)
    ? readdirSync(folder).find((name) => /^livekit-server-v[\d.]+$/.test(name))
    : undefined;
  return built === undefined ? null : path.join(folder, built);
}

/** Why there is no LiveKit here, for people; null where there is. */
export function whyNoLiveKit(): string | null {
  if (binary() === null)
    return 'there is no LiveKit server in cache/: npm run livekit:server builds one (Go, five minutes)';
  return hasRtc(repositoryCache) ? null : 'the packages for LiveKit are not in cache/: npm run livekit:install';
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Ends a program, at once or in order; resolves when it has ended. */
async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}

export interface TestLiveKit {
  at: LiveKitAddress;
  issuer: TicketIssuer;
  api: LiveKitApi;
  child: ChildProcess;
  said(): string;
  stop(): Promise<void>;
}

/** Starts a server by the settings of ops/cluster, which talks on loopback alone. @param redis address of the Redis that its nodes share. */
export async function startLiveKit(redis?: string): Promise<TestLiveKit> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-livekit-'));
  const [port, udp] = [await freePort(), await freePort()];
  const shipped = load(readFileSync(path.join(root, 'ops/cluster/livekit.yaml'), 'utf8')) as { rtc: object };
  const settings = {
    ...shipped,
    port,
    bind_addresses: ['127.0.0.1'],
    keys: { [KEY]: SECRET },
    rtc: {
      ...shipped.rtc,
      node_ip: '127.0.0.1',
      tcp_port: 0,
      udp_port: udp,
      enable_loopback_candidate: true,
      interfaces: { includes: ['lo'] },
    },
    logging: { level: 'info' },
    ...(redis === undefined ? {} : { redis: { address: redis } }),
  };
  const config = path.join(folder, 'livekit.yaml');
  // JSON is YAML.
  writeFileSync(config, JSON.stringify(settings));
  const child = spawn(binary()!, ['--config', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => {
      said += text.toString();
    });
  const at = { url: `ws://127.0.0.1:${port}`, key: KEY, secret: SECRET };
  const api = new LiveKitApi(at);
  await until(
    async () => {
      if (child.exitCode !== null) throw new Error(`LiveKit ended: ${said}`);
      return api.rooms().then(
        () => true,
        () => false,
      );
    },
    'LiveKit',
    30_000,
  );
  const issuer = { key: KEY, secret: SECRET, agentName: 'faceoff', lifetimeMs: 3_600_000 };
  return {
    at,
    issuer,
    api,
    child,
    said: () => said,
    async stop() {
      // It would wait for its participants.
      await ended(child, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface TestAgent {
  child: ChildProcess;
  /** Address of its /healthz, /readyz and /metrics. */
  health: string;
  /** Resolves with the exit code. */
  ended: Promise<number | null>;
  said(): string;
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** A cache folder of its own that has the packages for LiveKit. */
function cacheIn(folder: string): void {
  mkdirSync(path.join(folder, 'cache'), { recursive: true });
  symlinkSync(path.join(repositoryCache, 'livekit'), path.join(folder, 'cache', 'livekit'));
}

/** Starts `faceoff agent`; resolves when it is registered. @throws with what it said when it ends before. */
export async function startAgent({ url, key, secret }: LiveKitAddress, args: string[] = []): Promise<TestAgent> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-agent-'));
  cacheIn(folder);
  const { FACEOFF_TEST_CHROMIUM: _, FACEOFF_TEST_LIVEKIT: __, ...env } = process.env;
  const line = [
    ...['agent', '--livekit', url, ...keptIn(folder), '--set', 'livekit.healthPort=0'],
    // However busy the machine is, faces are swapped.
    ...['--set', 'pipeline.budgetMs=1000', '--set', 'pipeline.lanes=1', '--set', 'models.warmupRuns=1', ...args],
  ];
  const child = spawn(process.execPath, [path.join(root, 'dist/main.js'), ...line], {
    env: { ...env, FACEOFF_LIVEKIT_KEY: key, FACEOFF_LIVEKIT_SECRET: secret },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const over = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  void over.then(() => rmSync(folder, { recursive: true, force: true }));
  const health = await new Promise<string>((resolve, reject) => {
    const hear = (text: Buffer): void => {
      said += text.toString();
      const found = /"health":"([^"]+)".*is a worker/.exec(said);
      if (found) resolve(found[1]!);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    void over.then((code) => reject(new Error(`the worker ended with ${code}: ${said}`)));
  });
  return {
    child,
    health,
    ended: over,
    said: () => said,
    kill: (signal = 'SIGKILL') => ended(child, signal),
  };
}
