import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { networkOf } from '../../../../src/lib/address.ts';
import { LoginRateLimit } from '../../../../src/server/access/login-rate-limit.ts';
import { FaceOffError } from '../../../../src/shared/errors.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';

describe('wrong tokens are counted', () => {
  let nowMs = 0;
  const full: true[] = [];
  const counting = (most: number) =>
    new LoginRateLimit(
      { wrongTokens: most },
      () => full.push(true),
      () => nowMs,
    );

  test('for each address, until a minute is over', () => {
    const limit = counting(2);
    limit.wrong('10.0.0.1', 'a');
    nowMs = 20_000;
    expect(limit.waitMs('10.0.0.1')).toBe(0);
    limit.wrong('10.0.0.1', 'b');
    expect(limit.waitMs('10.0.0.1')).toBe(40_000);
    expect(limit.waitMs('10.0.0.2')).toBe(0);
    expect(() => limit.check('10.0.0.1')).toThrow(FaceOffError);
    nowMs = 60_000;
    expect(limit.waitMs('10.0.0.1')).toBe(0);
    limit.wrong('10.0.0.1', 'c');
    expect(limit.waitMs('10.0.0.1')).toBe(0);
    expect(full).toHaveLength(1);
  });

  test('once each, so that a player with an old token locks nobody out', () => {
    const limit = counting(2);
    for (let i = 0; i < 50; i++) limit.wrong('10.0.0.1', 'old');
    expect(limit.waitMs('10.0.0.1')).toBe(0);
  });

  test('not at all where nothing is to be counted', () => {
    const limit = counting(0);
    for (let i = 0; i < 50; i++) limit.wrong('10.0.0.1', String(i));
    expect(limit.waitMs('10.0.0.1')).toBe(0);
  });

  test('in bounded memory, whatever the number of addresses', () => {
    const limit = counting(1);
    for (let i = 0; i < 10_001; i++) limit.wrong(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 'x');
    expect(limit.waitMs('10.0.0.0')).toBe(0);
    expect(limit.waitMs('10.0.39.16')).toBeGreaterThan(0);
  });
});

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:0DB8:1::6', '2001:db8:1:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['::1', '0:0:0:0'],
])('%s belongs to %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});

describe('a server with too many wrong tokens from an address', () => {
  const TOKEN = 'a-token-that-nobody-guesses';
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  let server: EchoServer;
  let cookie: string;
  const ask = (at: string, headers: Record<string, string> = {}, init: RequestInit = {}): Promise<Response> =>
    fetch(server.url + at, { headers, redirect: 'manual', ...init });
  const logIn = (token: string) =>
    ask('/api/login', { 'content-type': 'application/json' }, { method: 'POST', body: JSON.stringify({ token }) });
  /** What the socket's opening is answered: 101 where it opens. */
  const socket = (headers: Record<string, string>): Promise<number> =>
    new Promise((resolve) => {
      const one = new WebSocket(`${server.url.replace('http', 'ws')}/ws`, { headers });
      one.once('open', () => resolve(101));
      one.once('unexpected-response', (_request, { statusCode, headers: answered }) =>
        resolve(answered['retry-after'] === undefined ? statusCode! : statusCode! + 1000),
      );
      one.on('error', () => undefined);
      one.once('open', () => one.close());
    });

  beforeAll(async () => {
    server = await startEcho({ server: { token: TOKEN }, limits: { wrongTokens: 6 } });
    cookie = (await logIn(TOKEN)).headers.get('set-cookie')!.split(';')[0]!;
    const sdp = { 'content-type': 'application/sdp' };
    const statuses = [
      (await ask('/api/faces', bearer('one'))).status,
      (await ask('/whip', { ...bearer('two'), ...sdp }, { method: 'POST', body: 'v=0' })).status,
      (await ask('/whep/studio', { ...bearer('three'), ...sdp }, { method: 'POST', body: 'v=0' })).status,
      await socket(bearer('four')),
      (await ask('/?token=five', { accept: 'text/html' })).status,
      // Again and again counts once; what is no try does not count.
      (await ask('/api/faces', bearer('one'))).status,
      (await ask('/api/faces')).status,
      (await ask('/api/faces', { cookie: 'faceoff=old' })).status,
      (await logIn('six')).status,
    ];
    expect(statuses).toEqual(Array(9).fill(401));
  });
  afterAll(() => server.close());

  test.each([
    ['HTTP', () => ask('/api/faces', bearer('seven'))],
    ['HTTP, the right one', () => ask('/api/faces', bearer(TOKEN))],
    ['WHIP', () => ask('/whip', bearer(TOKEN), { method: 'POST' })],
    ['WHEP', () => ask('/whep/studio', bearer(TOKEN), { method: 'POST' })],
    ['the login', () => logIn(TOKEN)],
  ])('checks no further token: %s', async (_what, go) => {
    const answer = await go();
    expect(answer.status).toBe(429);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(answer.headers.get('set-cookie')).toBeNull();
    expect(await answer.json()).toMatchObject({ code: 'too_many_attempts' });
  });

  test('checks no further token of a socket or in an address', async () => {
    expect(await socket(bearer(TOKEN))).toBe(1429);
    const page = await ask(`/?token=${TOKEN}`, { accept: 'text/html' });
    expect([page.status, page.headers.get('set-cookie')]).toEqual([429, null]);
    expect(Number(page.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(await page.text()).toContain('login.js');
  });

  test('keeps serving clients that are logged in, and shows others the login page', async () => {
    expect((await ask('/api/faces', { cookie })).status).toBe(200);
    expect(await socket({ cookie })).toBe(101);
    expect((await ask('/', { accept: 'text/html' })).status).toBe(401);
    expect((await ask('/healthz')).status).toBe(200);
  });

  test('logs one line, without the address or the tokens', () => {
    const told = server.lines.filter(({ msg }) => msg.includes('too many wrong tokens'));
    expect(told).toHaveLength(1);
    expect(JSON.stringify(server.lines)).not.toMatch(/127\.0\.0\.1|"(one|six)"/);
  });
});
