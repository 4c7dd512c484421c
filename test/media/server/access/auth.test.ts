import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { openPeers } from '../../../../src/server/h264/peers.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { until } from '../../../support/server.ts';
import { Watcher } from '../../../support/viewer.ts';

const TOKEN = 'a token that nobody guesses'.replaceAll(' ', '-');
const ELSEWHERE = 'https://elsewhere.example';
const SDP = 'application/sdp';

let server: EchoServer;
beforeAll(async () => {
  server = await startEcho({ server: { token: TOKEN, origins: [ELSEWHERE] } });
});
afterAll(() => server.close());

const ask = (method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<Response> =>
  fetch(server.url + path, { method, headers, redirect: 'manual', ...(body !== undefined && { body }) });
const bearer = { authorization: `Bearer ${TOKEN}` };
const html = { accept: 'text/html,*/*' };

async function cookieOf(): Promise<string> {
  const answer = await ask(
    'POST',
    '/api/login',
    { 'content-type': 'application/json' },
    JSON.stringify({ token: TOKEN }),
  );
  expect(answer.status).toBe(204);
  return answer.headers.get('set-cookie')!;
}

describe('a request without the token', () => {
  test.each([
    ['WHIP', 'POST', '/whip', { 'content-type': SDP }, 401],
    ['WHEP', 'POST', '/whep/studio', { 'content-type': SDP }, 401],
    ['a session', 'DELETE', '/whip/none', {}, 401],
    ['the faces', 'GET', '/api/faces', {}, 401],
    ['the sessions', 'GET', '/api/sessions', {}, 401],
    ['the metrics', 'GET', '/metrics', {}, 401],
    ['what there is not', 'GET', '/nothing', {}, 401],
    ['the studio as data', 'GET', '/', {}, 401],
    ['a longer path to a picture', 'GET', '/api/faces/x.js', {}, 401],
    ['data beside the languages', 'GET', '/languages/x/de.json', {}, 401],
    ['the look of the pages', 'GET', '/styles.css', {}, 200],
    ['the languages of the pages', 'GET', '/languages/de.json', {}, 200],
    ['whether it lives', 'GET', '/healthz', {}, 200],
    ['whether it is ready', 'GET', '/readyz', {}, 200],
  ] as const)('%s', async (_what, method, path, headers, status) => {
    const answer = await ask(method, path, headers, method === 'POST' ? 'v=0' : undefined);
    expect(answer.status).toBe(status);
    if (status !== 401) return;
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect((await answer.json()) as object).toMatchObject({ code: 'no_token' });
  });

  test.each(['/', '/view/studio', '/?token=another-one-altogether'])(
    'of the page %s is answered with the login page',
    async (path) => {
      const answer = await ask('GET', path, html);
      expect(answer.status).toBe(401);
      expect(answer.headers.get('set-cookie')).toBeNull();
      expect(await answer.text()).toContain('login.js');
    },
  );

  test('for the socket is refused', async () => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws`);
    const status = await new Promise((resolve) =>
      socket.on('unexpected-response', (_request, response) => resolve(response.statusCode)),
    );
    expect(status).toBe(401);
  });

  test.each([
    ['another', 'Bearer another-one-altogether', 'wrong_token'],
    ['a part of it', `Bearer ${TOKEN.slice(0, -1)}`, 'wrong_token'],
    ['what the cookie holds', 'Bearer COOKIE', 'wrong_token'],
    ['another scheme', `Basic ${TOKEN}`, 'wrong_token'],
  ])('%s is refused', async (_what, authorization, code) => {
    const pass = (await cookieOf()).match(/^faceoff=([^;]+)/)![1]!;
    const answer = await ask('GET', '/api/faces', { authorization: authorization.replace('COOKIE', pass) });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([401, code]);
  });

  test.each([['{"token":"another-one-altogether"}'], ['{"token":1}'], ['{}'], ['null']])(
    'logging in with %s',
    async (body) => {
      const answer = await ask('POST', '/api/login', { 'content-type': 'application/json' }, body);
      expect(answer.status).toBe(401);
      expect(answer.headers.get('set-cookie')).toBeNull();
    },
  );
});

describe('a request with the token', () => {
  test('of a program is accepted', async () => {
    expect((await ask('GET', '/api/faces', bearer)).status).toBe(200);
    expect((await ask('POST', '/whip', { ...bearer, 'content-type': SDP }, 'v=0')).status).toBe(400);
    const watcher = new Watcher();
    expect((await watcher.whep(server.url, 'nobody', bearer)).status).toBe(409);
    watcher.close();
    expect(openPeers()).toBe(0);
  });

  test('of a page is accepted, sets an HTTP-only cookie and removes the token from the address', async () => {
    const answer = await ask('GET', `/view/studio?a=1&token=${TOKEN}`, html);
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/view/studio?a=1']);
    const cookie = answer.headers.get('set-cookie')!;
    expect(cookie).toMatch(/; HttpOnly; SameSite=Lax$/);
    expect(cookie).not.toContain(TOKEN);
    expect((await ask('GET', '/', { ...html, cookie: `x=1; ${cookie.split(';')[0]}` })).status).toBe(200);
    expect((await ask('GET', `//evil.example/?token=${TOKEN}`, html)).headers.get('location')).not.toMatch(/^\/\//);
  });

  test.each(['//', '///evil.example/', '/\\evil.example/', '/.//evil.example/'])(
    'of a page at %s is sent to an address here',
    async (path) => {
      const { hostname, port } = new URL(server.url);
      const location = await new Promise<string | undefined>((resolve, reject) => {
        // fetch would tidy up the path.
        const asked = request({ hostname, port, path: `${path}?token=${TOKEN}`, headers: html }, (answer) => {
          answer.resume();
          resolve(`${answer.statusCode} ${answer.headers.location}`);
        });
        asked.once('error', reject).end();
      });
      expect(location).toMatch(/^303 (\/|\.\/)(?![/\\])/);
    },
  );

  test('opens the socket by the cookie', async () => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws`, { headers: { cookie: await cookieOf() } });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    socket.close();
  });

  test('is logged without the token', async () => {
    await ask('GET', `/nothing?token=${TOKEN}`, bearer);
    expect(JSON.stringify(server.lines)).not.toContain(TOKEN);
  });
});

describe('pages of another origin', () => {
  const preflight = { origin: ELSEWHERE, 'access-control-request-method': 'POST' };

  test.each(['/whip', '/whip/any', '/whep/studio', '/whep/studio/any'])('may ask for %s', async (path) => {
    const answer = await ask('OPTIONS', path, preflight);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('access-control-allow-origin')).toBe(ELSEWHERE);
    expect(answer.headers.get('access-control-allow-methods')).toContain('PATCH');
    expect(answer.headers.get('access-control-allow-headers')).toMatch(/Authorization.*If-Match/);
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
  });

  test('see what they are answered, refusals included', async () => {
    const headers = { origin: ELSEWHERE, 'content-type': SDP };
    const refused = await ask('POST', '/whep/studio', headers, 'v=0');
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, ELSEWHERE]);
    const answer = await ask('POST', '/whep/studio', { ...headers, ...bearer }, 'v=0');
    expect([answer.status, answer.headers.get('access-control-expose-headers')]).toEqual([
      409,
      expect.stringContaining('ETag'),
    ]);
  });

  test('may use nothing else, and unlisted origins nothing at all', async () => {
    for (const [path, origin] of [
      ['/api/faces', ELSEWHERE],
      ['/ws', ELSEWHERE],
      ['/whip', 'https://other.example'],
      ['/whipped', ELSEWHERE],
    ] as const) {
      const answer = await ask('GET', path, { origin, ...bearer });
      expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([403, null]);
    }
  });
});

test('a server without a token accepts every request', async () => {
  const open = await startEcho();
  expect((await fetch(`${open.url}/api/faces`)).status).toBe(200);
  const login = await fetch(`${open.url}/api/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"token":""}',
  });
  expect(login.status).toBe(401);
  await open.close();
  await until(() => openPeers() === 0, 'nothing to be left');
});

test.each(['if-none-match', 'if-modified-since', 'if-match', 'range'])(
  'the login page in place of another comes as a whole, whatever %s says',
  async (name) => {
    const value = { 'if-modified-since': new Date(Date.now() + 60_000).toUTCString(), range: 'bytes=0-1' }[name] ?? '*';
    const answer = await ask('GET', '/', { ...html, [name]: value });
    expect(answer.status).toBe(401);
    expect(await answer.text()).toMatch(/<\/html>\s*$/);
  },
);
