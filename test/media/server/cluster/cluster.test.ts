/** The server's part of a cluster, towards a LiveKit that a test plays: rooms, participants and dispatches. */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Cluster } from '../../../../src/server/cluster/cluster.ts';
import { patchedConfig, until } from '../../../support/server.ts';

interface Participant {
  identity: string;
  state: string;
  tracks: { sid: string; source: string; muted: boolean }[];
  /** As LiveKit's JSON has it. */
  joined_at_ms?: string;
}

/** Participants by room, and dispatches by room with whether a worker took their job. */
const rooms = new Map<string, Participant[]>();
const dispatches = new Map<string, { id: string; isTaken: boolean }[]>();
/** Number of jobs that workers still take. */
let free = 0;
let made = 0;
let status = 200;
/** Rooms whose node is lost: they are listed, with those that were there, and no node answers for them. */
const lost = new Set<string>();
/** What was asked that changes something. */
let asked: string[] = [];
let http: Server;
let cluster: Cluster;
let warnings: string[] = [];

const camera = (identity: string, muted = false): Participant => ({
  identity,
  state: 'ACTIVE',
  tracks: [{ sid: 'T', source: 'CAMERA', muted }],
});
const job = (identity: string): Participant => ({ identity, state: 'ACTIVE', tracks: [] });

const METHODS: Record<string, (body: Record<string, string>) => object | null> = {
  ListRooms: () => ({ rooms: [...rooms.keys()].map((name) => ({ name })) }),
  ListParticipants: ({ room }) => (rooms.has(room!) ? { participants: rooms.get(room!) } : null),
  RemoveParticipant: ({ room, identity }) => {
    asked.push(`remove ${identity} from ${room}`);
    const there = rooms.get(room!);
    if (there === undefined) return null;
    rooms.set(
      room!,
      there.filter((one) => one.identity !== identity),
    );
    return {};
  },
  ListDispatch: ({ room }) => ({
    agent_dispatches: (dispatches.get(room!) ?? []).map(({ id, isTaken }) => ({
      id,
      state: { jobs: isTaken ? [{ state: { status: 'JS_RUNNING' } }] : [] },
    })),
  }),
  CreateDispatch: ({ room, agent_name }) => {
    const id = `D${++made}`;
    const isTaken = free > 0;
    asked.push(`dispatch ${agent_name} ${room}`);
    dispatches.set(room!, [...(dispatches.get(room!) ?? []), { id, isTaken }]);
    if (isTaken) {
      free--;
      const [stream, publisher] = room!.split('.in.');
      const identity = `faceoff-${publisher}-${id}`;
      rooms.get(room!)!.push(job(identity));
      rooms.get(stream!)?.push({ ...camera(identity) });
    }
    return { id };
  },
  DeleteDispatch: ({ room, dispatch_id }) => {
    asked.push(`end ${dispatch_id}`);
    dispatches.set(
      room!,
      (dispatches.get(room!) ?? []).filter(({ id }) => id !== dispatch_id),
    );
    return {};
  },
};

beforeEach(async () => {
  rooms.clear();
  dispatches.clear();
  lost.clear();
  [free, made, status, asked, warnings] = [0, 0, 200, [], []];
  http = createServer((request, response) => {
    void json(request).then((body) => {
      const method = request.url!.split('/').at(-1)!;
      const { room } = body as { room?: string };
      const isLost = room !== undefined && lost.has(room) && method !== 'ListParticipants';
      const answer = status === 200 && !isLost ? METHODS[method]!(body as Record<string, string>) : {};
      response.statusCode = answer === null ? 404 : isLost ? 503 : status;
      response.end(JSON.stringify(answer ?? { code: 'not_found', msg: 'requested room does not exist' }));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) });
  cluster = new Cluster(patchedConfig({ livekit: { url, key: 'key', secret: 'secret' } }), log);
});
afterEach(async () => {
  cluster.close();
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
});

test('publishers whose camera is on and that no worker has are found, and nobody else', async () => {
  free = 9;
  rooms.set('show.in.ann', [camera('ann')]);
  rooms.set('show.in.bob', [camera('bob'), job('faceoff-bob-J')]);
  rooms.set('show.in.cat', [camera('cat', true)]);
  rooms.set('show.in.dan', [{ ...camera('dan'), tracks: [] }]);
  rooms.set('show', [camera('eve')]);
  await until(() => asked.length > 0, 'a dispatch', 15_000);
  expect(asked).toEqual(['dispatch faceoff show.in.ann']);
}, 20_000);

test('those that wait are dispatched in their order, until one finds no worker', async () => {
  for (const name of ['b', 'c']) rooms.set(`show.in.${name}`, [camera(name)]);
  expect(await cluster.dispatchAgain('show', 'b')).toEqual({ place: 1 });
  expect(await cluster.dispatchAgain('show', 'c')).toEqual({ place: 2 });
  await until(() => cluster.waiting === 2, 'both to be counted', 15_000);
  free = 1;
  await until(() => rooms.get('show.in.b')!.length === 2, 'a worker for the first', 15_000);
  expect(rooms.get('show.in.c')).toHaveLength(1);
  await until(async () => (await cluster.dispatchAgain('show', 'c')).place === 1, 'the second to be the first', 15_000);
}, 40_000);

test('what a new job replaces ends, in both rooms, and what it could not replace stays', async () => {
  rooms.set('show', [job('faceoff-ann-J')]);
  rooms.set('show.in.ann', [camera('ann'), job('faceoff-ann-J')]);
  dispatches.set('show.in.ann', [{ id: 'D0', isTaken: true }]);
  expect(await cluster.dispatchAgain('show', 'ann')).toEqual({ place: 1 });
  // The dispatch that found no worker is gone, the job is there.
  expect(asked).toEqual(['dispatch faceoff show.in.ann', 'end D1']);
  asked = [];
  free = 1;
  await until(() => asked.length >= 4, 'the end of the first job', 20_000);
  expect(asked.sort()).toEqual(
    [
      'dispatch faceoff show.in.ann',
      'end D0',
      'remove faceoff-ann-J from show',
      'remove faceoff-ann-J from show.in.ann',
    ].sort(),
  );
}, 40_000);

test('a page that asks again and again has its publisher dispatched once', async () => {
  free = 9;
  rooms.set('show.in.ann', [camera('ann')]);
  const answers = [];
  for (let n = 0; n < 5; n++) answers.push(await cluster.dispatchAgain('show', 'ann'));
  expect(answers).toEqual(Array.from({ length: 5 }, () => ({ place: null })));
  expect(asked.filter((one) => one.startsWith('dispatch'))).toHaveLength(1);
});

test('a publisher of a room that is not there is dispatched nowhere', async () => {
  free = 9;
  await cluster.dispatchAgain('show', 'nobody-there');
  expect(asked).toEqual([]);
});

test('a LiveKit that refuses the key is told in a sentence, in answers and once in the log', async () => {
  status = 401;
  await expect(cluster.dispatchAgain('show', 'ann')).rejects.toMatchObject({ code: 'livekit_refused' });
  await until(() => warnings.length > 0, 'the warning', 10_000);
  await new Promise((resolve) => setTimeout(resolve, 4500));
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/FACEOFF_LIVEKIT_SECRET/);
}, 30_000);

test.each([
  ['a.in.b', 'ann'],
  ['show', 'faceoff-ann-J'],
  ['show', 'a.b'],
])('a name that cannot be one is refused: %s, %s', async (stream, publisher) => {
  await expect(cluster.dispatchAgain(stream, publisher)).rejects.toMatchObject({ code: 'bad_name' });
});

test('jobs of a lost node are none: their publisher has joined again since', async () => {
  free = 9;
  rooms.set('show.in.ann', [
    { ...camera('ann'), joined_at_ms: '2000' },
    { ...job('faceoff-ann-J'), joined_at_ms: '1000' },
  ]);
  rooms.set('show.in.bob', [
    { ...camera('bob'), joined_at_ms: '2000' },
    { ...job('faceoff-bob-J'), joined_at_ms: '2000' },
  ]);
  await until(() => asked.length > 0, 'a dispatch', 15_000);
  expect(asked).toEqual(['dispatch faceoff show.in.ann']);
}, 20_000);

test('a room that cannot be reached, or whose publisher is gone, holds up no other', async () => {
  for (const name of ['a', 'b', 'c']) rooms.set(`show.in.${name}`, [camera(name)]);
  lost.add('show.in.a');
  await expect(cluster.dispatchAgain('show', 'a')).rejects.toMatchObject({ code: 'livekit_unreachable' });
  expect(await cluster.dispatchAgain('show', 'none')).toEqual({ place: null });
  expect(await cluster.dispatchAgain('show', 'b')).toEqual({ place: 1 });
  expect((await cluster.dispatchAgain('show', 'c')).place).toBeGreaterThan(1);
  // It left while it waited.
  rooms.set('show.in.b', []);
  free = 1;
  await until(() => rooms.get('show.in.c')!.length === 2, 'a worker for the third', 15_000);
}, 40_000);

test('a publisher that asks is served at once, while others begin', async () => {
  free = 1;
  rooms.set('show.in.ann', [camera('ann')]);
  for (const name of ['a', 'b']) rooms.set(`show.in.${name}`, [{ ...camera(name), tracks: [] }]);
  await until(() => asked.length > 0, 'a dispatch', 15_000);
  // Seen without a worker, and not yet for long.
  for (const name of ['a', 'b']) rooms.set(`show.in.${name}`, [camera(name)]);
  free = 1;
  expect(await cluster.dispatchAgain('show', 'b')).toEqual({ place: null });
}, 20_000);

test('a job that has just begun is left its time', async () => {
  free = 9;
  const joined_at_ms = String(Date.now());
  rooms.set('show.in.ann', [
    { ...camera('ann'), joined_at_ms: '1000' },
    { ...job('faceoff-ann-J'), joined_at_ms },
  ]);
  expect(await cluster.dispatchAgain('show', 'ann')).toEqual({ place: null });
  expect(asked).toEqual([]);
});
