import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { openPeers } from '../../../../src/server/h264/peers.ts';
import type { CallJoin, ClientMessage, PhoneGuide, ServerMessage } from '../../../../src/shared/messages.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { Publisher } from '../../../support/publisher.ts';
import { until } from '../../../support/server.ts';

let server: EchoServer;
let pages: StudioPage[] = [];

beforeAll(async () => {
  server = await startEcho({ limits: { sessions: 1 } });
});
afterEach(async () => {
  for (const page of pages) page.leave();
  pages = [];
  await until(() => openPeers() + server.pool.openSessions + server.sessions.size === 0, 'every session to be gone');
});
afterAll(() => server.close());

/** A page: a socket and a camera. */
class StudioPage {
  readonly socket: WebSocket;
  readonly heard: ServerMessage[] = [];
  readonly camera = new Publisher();

  /** @param device its address, as a proxy would tell it. */
  constructor(url = server.url, device?: string) {
    const headers = device === undefined ? {} : { 'x-forwarded-for': device };
    this.socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, { headers });
    pages.push(this);
    this.socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as ServerMessage;
      this.heard.push(message);
      if (message.type === 'answer')
        // A flood of offers is answered with more than can be applied.
        this.camera.connection
          .setRemoteDescription({ type: 'answer', sdp: message.sdp })
          .then(() => this.meet())
          .catch(() => undefined);
    });
  }

  say(message: ClientMessage): void {
    this.socket.send(JSON.stringify(message));
  }

  all<K extends ServerMessage['type']>(type: K): Extract<ServerMessage, { type: K }>[] {
    return this.heard.filter((message) => message.type === type) as Extract<ServerMessage, { type: K }>[];
  }

  /** Takes the server's candidates, which may have come before the answer. */
  meet(): void {
    for (const { candidate } of this.all('candidate'))
      if (candidate !== null) void this.camera.connection.addIceCandidate(candidate).catch(() => undefined);
  }

  async live(more: { stream?: string; again?: string; call?: CallJoin } = {}): Promise<this> {
    await until(() => this.all('hello').length === 1, 'the greeting');
    this.camera.send(320, 240);
    this.say({ type: 'offer', sdp: await this.camera.offer(), ...more });
    await until(() => {
      this.meet();
      return this.camera.received.length > 2;
    }, 'pictures');
    return this;
  }

  leave(): void {
    this.socket.terminate();
    this.camera.close();
  }
}

test('a page is greeted, answered, told its settings and its figures', async () => {
  const page = await new StudioPage().live();
  expect(page.all('hello')[0]).toMatchObject({ version: 'test', iceServers: [], defaults: { choice: 'all' } });
  page.say({ type: 'settings', settings: { strength: 0.25 } });
  await until(() => page.all('settings').at(-1)?.settings.strength === 0.25, 'the settings');
  await until(() => page.all('stats').length > 0, 'figures');
  expect(page.all('stats')[0]!.stats).toMatchObject({ session: page.all('answer')[0]!.session, width: 320 });
  page.say({ type: 'close' });
  await until(() => page.all('closed').length === 1, 'the good-bye');
  expect(server.sessions.size).toBe(0);
});

test('a malformed later offer is refused, and the stream continues', async () => {
  const page = await new StudioPage().live();
  page.say({ type: 'offer', sdp: 'nonsense' });
  await until(() => page.all('error').length === 1, 'the refusal');
  expect(page.all('error')[0]!.error.code).toBe('bad_sdp');
  const before = page.camera.received.length;
  await until(() => page.camera.received.length > before + 5, 'pictures');
  expect(page.all('closed')).toHaveLength(0);
});

test('an offer of more than 32 kB is refused, and the stream continues', async () => {
  const page = await new StudioPage().live();
  page.say({ type: 'offer', sdp: `${await page.camera.offer()}a=x:${'y'.repeat(32 * 1024)}\r\n` });
  await until(() => page.all('error').length === 1, 'the refusal');
  expect(page.all('error')[0]!.error).toMatchObject({
    code: 'offer_too_large',
    message: expect.stringContaining('32 kB'),
  });
  const before = page.camera.received.length;
  await until(() => page.camera.received.length > before + 5, 'pictures');
});

test('settings that come with a later offer take effect', async () => {
  const page = await new StudioPage().live();
  page.say({ type: 'offer', sdp: await page.camera.offer(), settings: { shape: 0.125 } });
  await until(() => page.all('answer').length === 2, 'the answer');
  expect(page.all('answer')[1]!.session).toBe(page.all('answer')[0]!.session);
  await until(() => page.all('settings').at(-1)?.settings.shape === 0.125, 'the settings');
});

test('offers of a closed page open no session', async () => {
  const opened = (): number => server.lines.filter((line) => line.msg === 'session opened').length;
  const page = new StudioPage();
  await until(() => page.all('hello').length === 1, 'the greeting');
  const before = opened();
  const sdp = await page.camera.offer();
  for (let i = 0; i < 3; i++) page.say({ type: 'offer', sdp });
  page.socket.terminate();
  // The offers may be read before or after the end, so at most the first one opens a session; it goes with its page.
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(opened() - before).toBeLessThanOrEqual(1);
  expect(server.sessions.size).toBe(0);
  expect(openPeers()).toBe(0);
});

test('a page beyond the limit is told to come back, and is accepted once there is room', async () => {
  const first = await new StudioPage().live();
  const second = new StudioPage();
  await until(() => second.all('hello').length === 1, 'the greeting');
  second.say({ type: 'offer', sdp: await second.camera.offer() });
  await until(() => second.all('error').length === 1, 'the refusal');
  expect(second.all('error')[0]!.error).toMatchObject({ code: 'server_full', details: { retryAfterMs: 5000 } });
  first.leave();
  await until(() => server.sessions.size === 0, 'room');
  second.say({ type: 'offer', sdp: await second.camera.offer() });
  await until(() => second.all('answer').length === 1, 'the answer');
});

test('a page that floods the server is disconnected', async () => {
  const page = new StudioPage();
  await until(() => page.all('hello').length === 1, 'the greeting');
  const sdp = await page.camera.offer();
  for (let i = 0; i < 1000; i++) page.say({ type: 'offer', sdp });
  await until(() => page.socket.readyState === WebSocket.CLOSED, 'the socket to be closed');
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
});

test('a page that takes none of its answers is disconnected before they fill memory', async () => {
  const page = new StudioPage();
  await until(() => page.all('hello').length === 1, 'the greeting');
  page.socket.pause();
  // The refusal names each of them.
  const settings = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`unknown setting ${n}`, 1]));
  const isServing = setInterval(() => page.say({ type: 'settings', settings }), 20);
  const { clients } = server.app.websocketServer;
  await until(() => clients.size === 0, 'the socket to be closed').finally(() => clearInterval(isServing));
  page.socket.terminate();
});

test('a page that comes back takes its place and name again before the server noticed its loss', async () => {
  const first = await new StudioPage().live();
  const { session, stream } = first.all('answer')[0]!;
  expect(stream).toBe('studio');
  const second = await new StudioPage().live({ again: session });
  expect(second.all('answer')[0]!.stream).toBe('studio');
  expect(first.all('closed')).toEqual([{ type: 'closed', why: 'its page came back' }]);
  expect(server.sessions.size).toBe(1);
});

test('the first page gets the usual stream name, further ones their own or none, never one in use', async () => {
  const room = await startEcho({ limits: { sessions: 3 } });
  try {
    const names = [];
    for (const more of [{}, {}, { stream: 'mine' }]) {
      const page = await new StudioPage(room.url).live(more);
      const { session, stream } = page.all('answer')[0]!;
      names.push(stream === session ? 'its session' : stream);
    }
    expect(names).toEqual(['studio', 'its session', 'mine']);
    pages[0]!.leave();
    await until(() => room.sessions.size === 2, 'room');
    const page = new StudioPage(room.url);
    await until(() => page.all('hello').length === 1, 'the greeting');
    page.say({ type: 'offer', sdp: await page.camera.offer(), stream: 'mine' });
    page.say({ type: 'offer', sdp: await page.camera.offer(), stream: 'not a name' });
    await until(() => page.all('error').length === 2, 'the refusals');
    expect(page.all('error').map(({ error }) => error.code)).toEqual(['stream_taken', 'bad_message']);
  } finally {
    for (const page of pages) page.leave();
    await room.close();
  }
});

test('a page is sent new TURN user names before the old ones expire', async () => {
  const turning = await startEcho({
    webrtc: { iceServers: [{ urls: ['turn:127.0.0.1:9'], secret: 'shared' }], turnLifetimeMs: 1000 },
  });
  const page = new StudioPage(turning.url);
  await until(() => page.all('ice').length > 0, 'the next user name');
  expect(page.all('hello')[0]!.iceServers[0]!.username).toMatch(/^\d+:faceoff$/);
  expect(page.all('ice')[0]!.iceServers[0]!.credential).toMatch(/=$/);
  page.leave();
  await turning.close();
});

test('a page joins a call with its offer, gets the list of people, and leaves with its session', async () => {
  const page = await new StudioPage().live({ call: { room: 'kitchen', name: ' Ann ', muted: true, camera: true } });
  const people = () => page.all('room').at(-1)!.people;
  expect(page.all('room').at(-1)).toMatchObject({ room: 'kitchen', you: 'Ann' });
  expect(people()).toMatchObject([{ name: 'Ann', muted: true, camera: true, speaking: false }]);
  // A session's id lets its holder take its place, so that others in the call learn the stream's name alone.
  expect(people()[0]!.stream).toBe(page.all('answer')[0]!.stream);
  expect(people()[0]!.stream).not.toBe(page.all('answer')[0]!.session);
  page.say({ type: 'presence', muted: false, camera: false });
  await until(() => people()[0]!.muted === false && !people()[0]!.camera, 'the presence');
  const status = async (): Promise<{ rooms: number }> =>
    (await (await fetch(`${server.url}/api/status`)).json()) as { rooms: number };
  expect((await status()).rooms).toBe(1);
  page.say({ type: 'close' });
  await until(async () => (await status()).rooms === 0, 'the room to be empty');
});

test.each([
  ['a room that cannot be', { room: 'a b', name: 'Ann' }, 'unknown_stream'],
  ['nobody', { room: 'kitchen', name: '   ' }, 'bad_message'],
  ['two lines', { room: 'kitchen', name: 'Ann\nBob' }, 'bad_message'],
  ['a name without end', { room: 'kitchen', name: 'x'.repeat(41) }, 'bad_message'],
])('a call that cannot be joined opens nothing: %s', async (_what, call, code) => {
  const page = new StudioPage();
  await until(() => page.all('hello').length === 1, 'the greeting');
  page.say({
    type: 'offer',
    sdp: await page.camera.offer(),
    call: { ...call, muted: false, camera: true },
  });
  await until(() => page.all('error').length === 1, 'the refusal');
  expect(page.all('error')[0]!.error.code).toBe(code);
  expect([server.sessions.size, openPeers()]).toEqual([0, 0]);
});

test('the guide for a phone tells the steps of another device, and no address', async () => {
  const desk = new StudioPage(server.url, '192.0.2.7');
  await until(() => desk.all('hello').length === 1, 'the greeting');
  desk.say({ type: 'guide', on: true });
  const tells = (guide: Partial<PhoneGuide>) =>
    until(() => {
      const last = desk.all('guide').at(-1)?.guide;
      return last !== undefined && Object.entries(guide).every(([key, value]) => Reflect.get(last, key) === value);
    }, JSON.stringify(guide));
  await tells({ step: 'none', camera: null, stream: null });
  await fetch(`${server.url}/healthz`, { headers: { 'x-forwarded-for': '192.0.2.8' } });
  await tells({ step: 'certificate' });
  const phone = new StudioPage(server.url, '192.0.2.8');
  await until(() => phone.all('hello').length === 1, 'the greeting');
  await tells({ step: 'token', camera: 'off' });
  phone.say({ type: 'camera', state: 'denied' });
  await tells({ step: 'token', camera: 'denied' });
  phone.say({ type: 'camera', state: 'open' });
  await tells({ step: 'camera', camera: 'open' });
  await phone.live();
  await tells({ step: 'live', stream: 'studio' });
  phone.leave();
  await tells({ step: 'token', camera: null, stream: null });
  expect(JSON.stringify([desk.heard, server.lines])).not.toContain('192.0.2.');
  desk.say({ type: 'guide', on: false });
  desk.say({ type: 'guide', on: true });
  await tells({ step: 'none' });
});
