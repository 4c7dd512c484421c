import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startEcho } from '../../../support/echo.ts';
import { Publisher } from '../../../support/publisher.ts';
import { startServer, type TestServer, until } from '../../../support/server.ts';

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[];
  samples: number[];
  timeDeltas: number[];
}

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

describe('a profile', () => {
  let server: TestServer;
  let publisher: Publisher;
  beforeAll(async () => {
    server = await startServer({ swap: { face: 'astronaut' } });
    publisher = new Publisher();
    publisher.send(320, 240);
    await publisher.whip(server.url);
    await until(() => publisher.received.length > 0, 'pictures to come back', 30_000);
  }, 120_000);
  afterAll(async () => {
    publisher?.close();
    await server?.stop();
  });

  const ask = (query: string, options: RequestInit = {}) => fetch(`${server.url}/api/profile?${query}`, options);
  const codeOf = async (answer: Response): Promise<unknown> => [
    answer.status,
    ((await answer.json()) as { code: string }).code,
  ];
  const functionsOf = ({ nodes }: Profile): string[] => nodes.map(({ callFrame }) => callFrame.functionName);

  test('of the main thread is a file that DevTools open', async () => {
    const answer = await ask('seconds=1');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-disposition')).toMatch(
      /^attachment; filename="faceoff-main-[\dTZ-]+\.cpuprofile"$/,
    );
    const profile = (await answer.json()) as Profile;
    expect(profile.samples.length).toBe(profile.timeDeltas.length);
    const ids = new Set(profile.nodes.map(({ id }) => id));
    expect(profile.samples.every((id) => ids.has(id))).toBe(true);
    const coveredMs = profile.timeDeltas.reduce((sum, delta) => sum + delta, 0) / 1000;
    expect(coveredMs).toBeGreaterThan(900);
  });

  test('of a lane shows the lane’s functions, not those of the main thread', async () => {
    const { length } = publisher.received;
    const profile = (await (await ask('seconds=2&thread=lane-0')).json()) as Profile;
    expect(functionsOf(profile)).toContain('swapFrame');
    expect(publisher.received.length).toBeGreaterThan(length);
  });

  test('is recorded one at a time', async () => {
    const first = ask('seconds=2');
    first.catch(() => undefined);
    await delay(300);
    expect(await codeOf(await ask('seconds=1&thread=lane-0'))).toEqual([409, 'profile_running']);
    expect((await first).status).toBe(200);
    expect((await ask('seconds=1')).status).toBe(200);
  });

  test('ends when its caller leaves', async () => {
    const caller = new AbortController();
    const long = ask('seconds=60', { signal: caller.signal }).catch(() => null);
    await delay(300);
    caller.abort();
    await long;
    await until(async () => (await ask('seconds=1')).status === 200, 'the next one to be possible');
  });

  test.each([
    ['seconds=0', 400, 'bad_query'],
    ['seconds=61', 400, 'bad_query'],
    ['seconds=1.5', 400, 'bad_query'],
    ['seconds=', 400, 'bad_query'],
    ['seconds=1&seconds=2', 400, 'bad_query'],
    ['seconds=1&thread=lane-1', 404, 'unknown_thread'],
    ['seconds=1&thread=worker', 404, 'unknown_thread'],
    ['seconds=1&thread=main&thread=main', 404, 'unknown_thread'],
  ])('with %s is refused', async (query, status, code) => {
    expect(await codeOf(await ask(query))).toEqual([status, code]);
  });

  test.each(['x-forwarded-for', 'forwarded', 'via'])(
    'of a server without a token is not given to a proxy (%s)',
    async (header) => {
      expect(await codeOf(await ask('seconds=1', { headers: { [header]: 'for=192.0.2.1' } }))).toEqual([
        403,
        'local_only',
      ]);
    },
  );
});

test('a profile of a server without a token that others reach by a name is refused', async () => {
  const server = await startEcho({ server: { names: ['face.example'] } });
  endings.push(() => server.close());
  expect((await fetch(`${server.url}/api/profile?seconds=1`)).status).toBe(403);
});

test('a profile of a server with a token wants the token', async () => {
  const token = 'a-token-of-this-test';
  const server = await startEcho({ server: { token, names: ['face.example'] } });
  endings.push(() => server.close());
  expect((await fetch(`${server.url}/api/profile?seconds=1`)).status).toBe(401);
  const headers = { authorization: `Bearer ${token}`, 'x-forwarded-for': '192.0.2.1' };
  expect((await fetch(`${server.url}/api/profile?seconds=1`, { headers })).status).toBe(200);
});

test('a server ends while a profile is recorded', async () => {
  const server = await startEcho();
  const asked = fetch(`${server.url}/api/profile?seconds=60`).catch(() => null);
  await delay(300);
  await server.close();
  expect(await asked).toBeNull();
});
