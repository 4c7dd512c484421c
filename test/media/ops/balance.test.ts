/** The load balancers of docs/balance.md, each with its file of ops/balance and two servers. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { root } from '../../../src/lib/package-root.ts';
import { Publisher } from '../../support/publisher.ts';
import { type Program, startProgram, until } from '../../support/server.ts';
import { Watcher } from '../../support/viewer.ts';

const token = 'a-token-that-nobody-guesses';
const authorization = `Bearer ${token}`;
/** Of each server. */
const PLACES = 2;

interface Balancer {
  program: string;
  /** Its file in ops/balance. */
  file: string;
  /** What stands in the file for the address it listens on. */
  listens: [from: string, to: (port: number) => string];
  /** Writes what the file needs around it. @returns the command line. */
  line(folder: string, config: string): string[];
}

const balancers: Balancer[] = [
  {
    program: 'nginx',
    file: 'nginx.conf',
    listens: ['listen 443 ssl', (port) => `listen 127.0.0.1:${port} ssl`],
    line(folder, config) {
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((at) => `${at}_temp_path ${folder};`);
      const http = `http { access_log off; ${temporary.join(' ')} include ${config}; }`;
      writeFileSync(`${folder}/main.conf`, `daemon off; pid ${folder}/pid; error_log stderr; events {} ${http}`);
      return ['-e', 'stderr', '-p', folder, '-c', `${folder}/main.conf`];
    },
  },
  {
    program: 'haproxy',
    file: 'haproxy.cfg',
    listens: ['bind :443', (port) => `bind 127.0.0.1:${port}`],
    line: (_folder, config) => ['-db', '-f', config],
  },
  {
    program: 'caddy',
    file: 'Caddyfile',
    listens: ['faces.example.org', (port) => `https://127.0.0.1:${port}`],
    line(folder, config) {
      const global = `{\n\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n\tstorage file_system ${folder}\n}\n`;
      writeFileSync(config, global + readFileSync(config, 'utf8'));
      return ['run', '--adapter', 'caddyfile', '--config', config];
    },
  },
];

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

// The servers' certificates are self-made, and so is the balancer's; only this file's requests are concerned.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';

const isThere = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

describe.each(balancers)('$program', ({ program, file, listens, line }) => {
  const hasProgram = isThere(program);
  describe.skipIf(!hasProgram)(`between two servers${hasProgram ? '' : ' (skipped: not installed)'}`, () => {
    const servers: Program[] = [];
    const publishers = new Map<string, Publisher>();
    const watchers: Watcher[] = [];
    let folder: string;
    let balancer: ChildProcess;
    let said = '';
    let url: string;

    beforeAll(async () => {
      for (const name of ['s1', 's2']) {
        const set = [
          `server.token=${token}`,
          `server.basePath=/${name}`,
          'server.drainMs=30000',
          `limits.sessions=${PLACES}`,
          'limits.connectionsPerAddress=0',
          'limits.wrongTokens=0',
          // Without a measured swap a server has room for as many as it has places, however busy the machine is.
          'models.warmupRuns=0',
        ];
        servers.push(await startProgram(['--host', '0.0.0.0', ...set.flatMap((one) => ['--set', one])]));
      }
      folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-balance-'));
      // nginx's workers have a user of their own.
      chmodSync(folder, 0o755);
      const [certificate, key] = ['https-certificate.pem', 'https-key.pem'].map((name) =>
        readFileSync(path.join(servers[0]!.folder, 'data', name), 'utf8'),
      );
      writeFileSync(`${folder}/certificate.pem`, certificate!);
      writeFileSync(`${folder}/key.pem`, key!);
      writeFileSync(`${folder}/certificate-and-key.pem`, `${certificate}\n${key}`);
      const port = await freePort();
      const [from, to] = listens;
      let text = readFileSync(path.join(root, 'ops/balance', file), 'utf8');
      const replacements = [
        [from, to(port)],
        ['10.0.0.11:8080', `127.0.0.1:${new URL(servers[0]!.url).port}`],
        ['10.0.0.12:8080', `127.0.0.1:${new URL(servers[1]!.url).port}`],
      ] as const;
      for (const [before, after] of replacements) {
        expect(text).toContain(before);
        text = text.replaceAll(before, after);
      }
      text = text.replaceAll('/etc/ssl/faceoff', folder);
      const config = path.join(folder, file);
      writeFileSync(config, text);
      const start = (): void => {
        said = '';
        balancer = spawn(program, line(folder, config), { stdio: ['ignore', 'pipe', 'pipe'] });
        const hear = (data: Buffer): void => {
          said += data.toString();
        };
        balancer.stdout!.on('data', hear);
        balancer.stderr!.on('data', hear);
      };
      start();
      url = `https://127.0.0.1:${port}`;
      const isUp = async (): Promise<boolean> => {
        // Caddy cleans its storage at its start, at times the folder in which it just makes its first certificate.
        if (said.includes('will retry') && balancer.kill('SIGKILL')) start();
        return ask('/s2/healthz').then(
          ({ status }) => status === 200,
          () => false,
        );
      };
      await until(isUp, `${program} to answer`).catch((error: Error) => {
        throw new Error(`${error.message}: ${said}`);
      });
      await until(async () => [301, 302].includes((await ask('/')).status), 'a server that has room');
    }, 120_000);

    afterAll(async () => {
      for (const one of [...publishers.values(), ...watchers]) one.close();
      if (balancer !== undefined && balancer.exitCode === null) {
        const gone = new Promise((resolve) => balancer.once('exit', resolve));
        balancer.kill('SIGTERM');
        await gone;
      }
      for (const server of servers) {
        if (server.child.exitCode === null) server.child.kill('SIGKILL');
        await server.stop();
      }
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    });

    const ask = (at: string, init: RequestInit = {}): Promise<Response> =>
      fetch(`${url}${at}`, { redirect: 'manual', headers: { authorization }, ...init });

    /** Publishes until there is a place, as publishers do that heed `Retry-After`. */
    async function publish(name: string): Promise<string> {
      const publisher = new Publisher();
      publishers.set(name, publisher);
      publisher.send(320, 240);
      let status = 0;
      await until(
        async () => {
          ({ status } = await publisher.whip(url, `?stream=${name}`, { authorization }));
          return status !== 503;
        },
        `a place for ${name}`,
        5000,
      );
      expect(status).toBe(201);
      return homeOf(publisher.location);
    }
    const homeOf = (location: string): string => /^\/s[12]\//.exec(new URL(location).pathname)![0];
    /** Sessions of each server. */
    const open = async (): Promise<number[]> => {
      const replies = await Promise.all(['/s1/readyz', '/s2/readyz'].map((at) => ask(at)));
      const bodies = (await Promise.all(replies.map((reply) => reply.json()))) as { sessions: { open: number } }[];
      return bodies.map(({ sessions }) => sessions.open);
    };

    test('hands publishers to servers until all are full, and passes over one that is', async () => {
      for (let n = 0; n < 2 * PLACES; n++) await publish(`cam-${n}`);
      expect(await open()).toEqual([PLACES, PLACES]);
      const late = new Publisher();
      const refused = await late.whip(url, '', { authorization });
      late.close();
      expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'server_full' }]);
    }, 60_000);

    test('shows the first server’s page while all are full', async () => {
      // A connection that the balancer closes as it is used again fails; the next request has a new one.
      const target = async () => (await ask('/').catch(() => null))?.headers.get('location');
      await until(async () => (await target()) === '/s1/', 'the page of the first server');
      expect((await ask('/s1/', { headers: { authorization, accept: 'text/html' } })).status).toBe(200);
    });

    test('leads viewers to the server that has the stream, by its name alone, also while it is full', async () => {
      for (const [name, publisher] of publishers) {
        const watcher = new Watcher();
        watchers.push(watcher);
        const answer = await watcher.whep(url, name, { authorization });
        expect([answer.status, homeOf(watcher.location)]).toEqual([201, homeOf(publisher.location)]);
        await until(() => watcher.received > 0, `pictures of ${name}`);
      }
      const stranger = new Watcher();
      expect((await stranger.whep(url, 'nothing-here', { authorization })).status).toBe(409);
      stranger.close();
    }, 60_000);

    test('brings PATCH and DELETE to the session’s own server', async () => {
      const before = await open();
      for (const home of ['/s1/', '/s2/']) {
        const [name, publisher] = [...publishers].find(([, { location }]) => homeOf(location) === home)!;
        const headers = { authorization, 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': '*' };
        const body = 'a=end-of-candidates\r\n';
        expect((await fetch(publisher.location, { method: 'PATCH', headers, body })).status).toBe(204);
        const deleted = await fetch(publisher.location, { method: 'DELETE', headers: { authorization } });
        expect(deleted.status).toBe(200);
        publisher.close();
        publishers.delete(name);
      }
      expect(await open()).toEqual(before.map((count) => count - 1));
      const [watcher] = watchers;
      const ended = await fetch(watcher!.location, { method: 'DELETE', headers: { authorization } });
      expect([200, 404]).toContain(ended.status);
    });

    test('leads people to a studio or a new call with an address of its own, and everything else to the first', async () => {
      await until(async () => [301, 302].includes((await ask('/')).status), 'a server that has room');
      expect((await ask('/?token=x')).headers.get('location')).toMatch(/^\/s[12]\/\?token=x$/);
      const call = await fetch(`${url}/call`, { headers: { authorization } });
      expect([call.status, new URL(call.url).pathname]).toEqual([
        200,
        expect.stringMatching(/^\/s[12]\/call\/[\w-]{8}$/),
      ]);
      const team = await ask('/call/team');
      expect([team.status, team.headers.get('location')]).toEqual([307, '/s1/call/team']);
      const view = await ask('/view/cam-0', { headers: { authorization, accept: 'text/html' } });
      expect([view.status, await view.text()]).toEqual([200, expect.stringContaining('player.js')]);
      expect((await ask('/player.js')).status).toBe(200);
      const login = {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ token }),
      };
      expect((await ask('/api/login', login)).headers.get('set-cookie')).toContain('faceoff=');
    });

    test('carries the WebSocket of a page', async () => {
      const socket = new WebSocket(`${url.replace('https', 'wss')}/s2/ws`, {
        headers: { authorization, origin: url },
        rejectUnauthorized: false,
      });
      const hello = await new Promise<string>((resolve, reject) => {
        socket.once('message', (data) => resolve(String(data)));
        socket.once('error', reject);
      });
      expect(JSON.parse(hello)).toMatchObject({ type: 'hello', locked: true });
      socket.close();
    });

    test('gives a server that drains no new sessions, and lets its own go on', async () => {
      const [name, running] = [...publishers].find(([, { location }]) => homeOf(location) === '/s1/')!;
      const exited = new Promise<number | null>((resolve) => servers[0]!.child.once('exit', resolve));
      servers[0]!.child.kill('SIGTERM');
      await until(async () => (await ask('/s1/readyz')).status === 503, 'the first server to drain');
      expect(await publish('late')).toBe('/s2/');
      const before = running.received.length;
      await until(() => running.received.length > before + 5, 'pictures to go on');
      const watcher = new Watcher();
      watchers.push(watcher);
      expect((await watcher.whep(url, name, { authorization })).status).toBe(201);
      await until(() => watcher.received > 0, 'pictures of the server that drains');
      expect((await fetch(running.location, { method: 'DELETE', headers: { authorization } })).status).toBe(200);
      expect(await exited).toBe(0);
      // The first server is gone: streams of the second are found.
      const after = new Watcher();
      watchers.push(after);
      expect((await after.whep(url, 'late', { authorization })).status).toBe(201);
    }, 90_000);
  });
});
