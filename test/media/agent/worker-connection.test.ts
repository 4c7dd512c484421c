/** A worker's socket, towards a server that a test plays: no LiveKit is needed. */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { WorkerConnection } from '../../../src/agent/worker-connection.ts';
import { until } from '../../support/server.ts';

let http: Server;
let sockets: WebSocketServer;
let socket: WebSocket | null = null;
let heard: Record<string, unknown>[] = [];
let registrations = 0;
let tokens: string[] = [];
/** Status by which the server refuses; 0 for none. */
let refusal = 0;
let connection: WorkerConnection;
const events: string[] = [];

beforeEach(async () => {
  [heard, registrations, tokens, refusal] = [[], 0, [], 0];
  events.length = 0;
  http = createServer();
  sockets = new WebSocketServer({ noServer: true });
  http.on('upgrade', (request, raw, head) => {
    tokens.push(String(request.headers.authorization));
    if (refusal !== 0) {
      raw.end(`HTTP/1.1 ${refusal} No\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, raw, head, (opened) => {
      socket = opened;
      opened.on('message', (data) => {
        const message = JSON.parse(String(data)) as Record<string, unknown>;
        heard.push(message);
        if (message.register === undefined) return;
        registrations++;
        opened.send(JSON.stringify({ register: { workerId: 'W1', serverInfo: { edition: 'Standard' } } }));
      });
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  connection = new WorkerConnection({
    at: { url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/`, key: 'key', secret: 'secret' },
    agentName: 'faceoff',
    version: 'test',
    onOffer: (job) => (job.id === 'yes' ? 'me' : null),
    onAssignment: ({ job, token }) => events.push(`assigned ${job.id} ${token}`),
    onTermination: (job) => events.push(`ended ${job}`),
    onRegistered: (isRegistered) => events.push(isRegistered ? 'registered' : 'lost'),
    log: pino({ level: 'silent' }),
  });
});
afterEach(async () => {
  connection.close();
  socket?.terminate();
  await new Promise((resolve) => http.close(resolve));
});

const job = (id: string) => ({ id, dispatchId: 'D1', type: 'JT_PUBLISHER', room: { name: 'a.in.b', sid: 'RM' } });
const say = (message: object): void => socket!.send(JSON.stringify(message));

test('registers with a token of a worker, answers offers, and reports load and ends', async () => {
  await connection.open();
  expect(JSON.parse(Buffer.from(tokens[0]!.split('.')[1]!, 'base64url').toString())).toMatchObject({
    iss: 'key',
    video: { agent: true },
  });
  expect(heard[0]).toMatchObject({ register: { type: 'JT_PUBLISHER', agentName: 'faceoff' } });
  connection.report(0.25, false, 1);
  connection.report(1, true, 2);
  say({ availability: { job: job('yes'), resuming: false } });
  say({ availability: { job: job('no') } });
  say({ assignment: { job: job('yes'), token: 'T' } });
  say({ termination: { jobId: 'yes' } });
  await until(() => events.length === 3, 'the end of the job');
  connection.ended('yes', 'JS_SUCCESS');
  await until(() => heard.length === 6, 'all messages');
  expect(heard.slice(1)).toEqual([
    { updateWorker: { status: 'WS_AVAILABLE', load: 0.25, jobCount: 1 } },
    { updateWorker: { status: 'WS_FULL', load: 1, jobCount: 2 } },
    { availability: { jobId: 'yes', available: true, participantIdentity: 'me' } },
    { availability: { jobId: 'no', available: false } },
    { updateJob: { jobId: 'yes', status: 'JS_SUCCESS', error: '' } },
  ]);
  expect(events).toEqual(['registered', 'assigned yes T', 'ended yes']);
});

test('a message that cannot be read is passed over', async () => {
  await connection.open();
  socket!.send('no JSON');
  say({ availability: { job: 3 } });
  say({ migrateJob: {} });
  say({ termination: { jobId: 'one' } });
  await until(() => events.includes('ended one'), 'the message after them');
});

test('a lost connection is told, opened again, and registers again', async () => {
  await connection.open();
  refusal = 503;
  socket!.terminate();
  await until(() => events.includes('lost'), 'the loss');
  expect(connection.isRegistered).toBe(false);
  await until(() => tokens.length > 1, 'a further attempt');
  refusal = 0;
  await until(() => registrations === 2, 'the registration', 15_000);
  await until(() => connection.isRegistered, 'the answer');
}, 30_000);

test.each([
  [401, 'livekit_refused', /FACEOFF_LIVEKIT_SECRET/],
  [500, 'livekit_unreachable', /it answered 500/],
])('a server that answers %i at the start is told in a sentence', async (status, code, sentence) => {
  refusal = status;
  await expect(connection.open()).rejects.toMatchObject({ code, message: expect.stringMatching(sentence) });
});

test('a server that is not there is told in a sentence', async () => {
  await new Promise((resolve) => http.close(resolve));
  await expect(connection.open()).rejects.toMatchObject({
    code: 'livekit_unreachable',
    message: expect.stringMatching(/cannot be reached at 127\.0\.0\.1:\d+: .*ECONNREFUSED/),
  });
  http = createServer();
});
