import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openPeers } from '../../../../src/server/h264/peers.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { Publisher } from '../../../support/publisher.ts';
import { until } from '../../../support/server.ts';

const SDP = 'application/sdp';
const FRAGMENT = 'application/trickle-ice-sdpfrag';

let server: EchoServer;
let cameras: Publisher[] = [];
const camera = (layout?: 'sendrecv' | 'separate'): Publisher => {
  const one = new Publisher(layout);
  cameras.push(one);
  return one;
};

beforeAll(async () => {
  server = await startEcho({
    limits: { frameWidth: 640, frameHeight: 480 },
    webrtc: { iceServers: [{ urls: ['stun:127.0.0.1:9'], username: 'me "and" you', credential: 's' }] },
  });
});
afterEach(async () => {
  server.pool.lost = false;
  server.pool.level = 0;
  for (const one of cameras) one.close();
  cameras = [];
  server.sessions.close();
  await until(() => openPeers() + server.pool.openSessions + server.sessions.size === 0, 'every session to be gone');
});
afterAll(() => server.close());

async function send(method: string, path: string, type?: string, body?: string, tag?: string) {
  const headers = {
    ...(type !== undefined && { 'content-type': type }),
    ...(tag !== undefined && { 'if-match': tag }),
  };
  const answer = await fetch(server.url + path, { method, headers, ...(body !== undefined && { body }) });
  const text = await answer.text();
  const code = answer.ok || text === '' ? '' : (JSON.parse(text) as { code: string }).code;
  return { status: answer.status, code, text, headers: answer.headers };
}

describe('a WHIP request for', () => {
  test.each([
    ['no content type', 'POST', '/whip', undefined, undefined, 415, 'wrong_type'],
    ['JSON', 'POST', '/whip', 'application/json', '{}', 415, 'wrong_type'],
    ['JSON that is none', 'POST', '/whip', 'application/json', 'v=0', 415, 'wrong_type'],
    ['nothing at all', 'POST', '/whip', SDP, '', 400, 'bad_sdp'],
    ['garbage', 'POST', '/whip', SDP, '\0\xff garbage', 400, 'bad_sdp'],
    ['a body without end', 'POST', '/whip', SDP, 'v=0\r\n'.repeat(100_000), 413, /too_large/],
    ['an unknown face', 'POST', '/whip?face=nobody', SDP, 'v=0', 404, 'unknown_face'],
    ['a picture of nothing', 'GET', '/whip', undefined, undefined, 405, 'wrong_method'],
    ['a change of the endpoint', 'PATCH', '/whip', FRAGMENT, 'a=mid:0', 405, 'wrong_method'],
    ['a picture of a session', 'GET', '/whip/none', undefined, undefined, 405, 'wrong_method'],
    ['a name that is none', 'POST', '/whip?stream=a%20b', SDP, 'v=0', 400, 'bad_name'],
    ['candidates for no session', 'PATCH', '/whip/none', FRAGMENT, '', 404, 'unknown_session'],
    ['candidates as JSON', 'PATCH', '/whip/none', 'application/json', '{}', 415, 'wrong_type'],
    ['the end of no session', 'DELETE', '/whip/none', undefined, undefined, 404, 'unknown_session'],
    ['what is taken', 'OPTIONS', '/whip', undefined, undefined, 200, ''],
    ['what a session takes', 'OPTIONS', '/whip/none', undefined, undefined, 200, ''],
  ] as const)('%s', async (_what, method, path, type, body, status, code) => {
    const answer = await send(method, path, type, body);
    expect(answer.status).toBe(status);
    expect(answer.code).toMatch(code);
    expect(server.sessions.size).toBe(0);
    expect(server.pool.openSessions).toBe(0);
  });

  test('other routes keep their own content types', async () => {
    expect((await send('POST', '/api/faces', SDP, 'v=0')).status).toBe(415);
  });

  test('200 MB for a face are refused while they are being sent', async () => {
    const before = process.memoryUsage.rss();
    let sent = 0;
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const upload = request(`${server.url}/api/faces`, {
        method: 'POST',
        headers: { 'content-type': 'multipart/form-data; boundary=x', 'content-length': 200 * 2 ** 20 },
      });
      upload.once('response', (answer) => {
        resolve(answer.statusCode);
        upload.destroy();
      });
      upload.once('error', reject);
      upload.write('--x\r\ncontent-disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n');
      const chunk = Buffer.alloc(64 * 1024);
      const more = (): void => {
        if (upload.destroyed) return;
        sent += chunk.length;
        if (sent < 200 * 2 ** 20) upload.write(chunk, more);
      };
      more();
    });
    expect(status).toBe(413);
    expect(sent).toBeLessThan(20 * 2 ** 20);
    console.log(`memory grew by ${Math.round((process.memoryUsage.rss() - before) / 2 ** 20)} MiB`);
  });
});

describe('a publisher', () => {
  test('is told where its session is and which servers help on the way', async () => {
    const answer = await camera().whip(server.url);
    expect(answer.status).toBe(201);
    expect(answer.headers.get('location')).toMatch(/^\/whip\/[0-9a-f-]{36}$/);
    expect(answer.headers.get('accept-patch')).toBe(FRAGMENT);
    expect(answer.headers.get('etag')).toMatch(/^"[^"]+"$/);
    expect(answer.headers.get('link')).toBe(
      '<stun:127.0.0.1:9>; rel="ice-server"; username="me \\"and\\" you"; credential="s"; credential-type="password"',
    );
    expect(await answer.text()).toContain('a=candidate:');
  });

  test('whose candidates come later connects by them', async () => {
    const one = camera();
    one.send(320, 240);
    const offer = await one.offer();
    const [ufrag, mid] = [offer.match(/a=ice-ufrag:.*/)![0], offer.match(/a=mid:.*/)![0]];
    const candidates = offer.match(/a=candidate.*/g)!;
    const answer = await fetch(`${server.url}/whip`, {
      method: 'POST',
      headers: { 'content-type': SDP },
      body: offer.replace(/a=candidate.*\r\n/g, ''),
    });
    const [location, etag] = [answer.headers.get('location')!, answer.headers.get('etag')!];
    await one.connection.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
    const fragment = [ufrag, 'm=video 9 UDP/TLS/RTP/SAVPF 0', mid, ...candidates, 'a=end-of-candidates', ''].join(
      '\r\n',
    );
    for (const [tag, status, code] of [
      [undefined, 428, 'tag_missing'],
      ['"another"', 412, 'tag_old'],
      [`W/${etag}`, 412, 'tag_old'],
      [etag, 204, ''],
      [`"another", ${etag}`, 204, ''],
      ['*', 204, ''],
    ] as const) {
      const said = await send('PATCH', location, FRAGMENT, fragment, tag);
      expect([said.status, said.code, said.headers.get('etag')]).toEqual([status, code, null]);
    }
    await until(() => one.received.length > 0, 'pictures');
    const nonsense = 'a=mid:0\r\na=candidate:nonsense\r\n';
    expect((await send('PATCH', location, FRAGMENT, nonsense, etag)).code).toBe('bad_candidate');
    expect((await send('PATCH', location, FRAGMENT, '', etag)).code).toBe('bad_fragment');
    expect(server.sessions.size).toBe(1);
  });

  test('restarts ICE by PATCH, and pictures go on; one that cannot be made leaves the session as it is', async () => {
    const one = camera();
    one.send(320, 240);
    const opened = await one.whip(server.url);
    const [location, etag] = [opened.headers.get('location')!, opened.headers.get('etag')!];
    await until(() => one.received.length > 2, 'pictures');
    expect((await send('PATCH', location, FRAGMENT, 'a=ice-ufrag:other\r\n', '*')).code).toBe('bad_fragment');
    const before = one.received.length;
    await until(() => one.received.length > before + 3, 'pictures after a restart that made no sense');

    await one.connection.setLocalDescription(await one.connection.createOffer({ iceRestart: true }));
    const offer = one.connection.localDescription!.sdp;
    const fragment = [...offer.match(/a=(ice-ufrag|ice-pwd|mid).*/g)!, ''].join('\r\n');
    const restarted = await send('PATCH', location, FRAGMENT, fragment, '*');
    expect([restarted.status, restarted.headers.get('content-type')]).toEqual([200, FRAGMENT]);
    expect(restarted.headers.get('etag')).not.toBe(etag);
    expect(restarted.text).toMatch(/^a=ice-options:/m);
    const [ufrag, pwd] = [/a=ice-ufrag:.*/, /a=ice-pwd:.*/].map((line) => restarted.text.match(line)![0]);
    expect(`"${ufrag!.split(':')[1]}"`).toBe(restarted.headers.get('etag'));
    const answer = (await opened.text())
      .replace(/a=ice-ufrag:.*/g, ufrag!)
      .replace(/a=ice-pwd:.*/g, pwd!)
      .replace(/(a=candidate:.*\r\n)+/, `${restarted.text.match(/a=candidate:.*/g)!.join('\r\n')}\r\n`);
    await one.connection.setRemoteDescription({ type: 'answer', sdp: answer });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const then = one.received.length;
    await until(() => one.received.length > then + 20, 'pictures on the new way');
    expect(one.connection.connectionState).toBe('connected');
    expect((await send('PATCH', location, FRAGMENT, fragment, etag)).status).toBe(412);
    expect((await send('PATCH', location, FRAGMENT, fragment, restarted.headers.get('etag')!)).status).toBe(204);
  });

  test('that only sends is served, and gets nothing back', async () => {
    const one = camera('separate');
    one.connection.getTransceivers()[1]!.direction = 'inactive';
    one.send(320, 240);
    expect((await one.whip(server.url)).status).toBe(201);
    await until(() => (server.sessions.all()[0]?.stats.passed ?? 0) > 5, 'frames to be worked on');
    expect(one.received).toHaveLength(0);
  });

  test.each([
    [641, 361],
    [321, 240],
    [320, 241],
  ])('with a camera of %i x %i gets its colours back', async (width, height) => {
    const one = camera();
    one.send(width, height);
    await one.whip(server.url);
    await until(() => one.received.at(-1)?.width === width && one.received.at(-1)?.height === height, 'pictures');
    const chroma = Math.ceil(width / 2) * Math.ceil(height / 2);
    expect(one.picture).toHaveLength(width * height + 2 * chroma);
    const mean = (from: number, to: number): number => {
      const part = one.picture.subarray(from, to);
      return part.reduce((sum, value) => sum + value, 0) / part.length;
    };
    expect(Math.abs(mean(width * height, width * height + chroma) - 170)).toBeLessThan(4);
    expect(Math.abs(mean(width * height + chroma, one.picture.length) - 90)).toBeLessThan(4);
  });

  test('with a camera that is too large is warned about once and gets its pictures', async () => {
    const one = camera();
    one.send(800, 600);
    await one.whip(server.url);
    await until(() => one.received.length > 5, 'pictures');
    await until(() => server.sessions.all()[0]!.verdict.cause === 'size', 'the verdict');
    const warnings = server.lines.filter((line) => line.msg.includes('too large'));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ level: 40, width: expect.any(Number), height: expect.any(Number) });
  });

  test('whose lane dies loses frames, which is counted and logged once, and goes on', async () => {
    const one = camera();
    one.send(320, 240);
    await one.whip(server.url);
    await until(() => one.received.length > 2, 'pictures');
    server.pool.lost = true;
    await until(() => server.sessions.all()[0]!.stats.failed > 3, 'frames to fail');
    server.pool.lost = false;
    const before = one.received.length;
    await until(() => one.received.length > before + 3, 'pictures again');
    expect(server.lines.filter((line) => line.msg === 'frame lost')).toHaveLength(1);
  });

  test('shows in the metrics with its quality, without a page that looks on', async () => {
    server.pool.level = 3;
    const one = camera();
    one.send(320, 240);
    await one.whip(server.url);
    await until(() => one.received.length > 0, 'pictures');
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toMatch(/^faceoff_degradation_level 3$/m);
    expect(text).toMatch(/^faceoff_sessions 1$/m);
  });

  test('leaves nothing private in the log', async () => {
    const one = camera();
    one.send(320, 240);
    await one.whip(server.url);
    await until(() => one.received.length > 0, 'pictures');
    await fetch(one.location, { method: 'DELETE' });
    expect(server.lines.map((line) => line.msg)).toEqual(
      expect.arrayContaining(['session opened', 'session connected', 'session closed']),
    );
    expect(JSON.stringify(server.lines)).not.toMatch(/candidate|ice-ufrag|fingerprint|\d+\.\d+\.\d+\.\d+/);
  });
});

test('the status tells versions, sessions and memory', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  expect(version).toMatch(/^\d/);
  expect(await (await fetch(`${server.url}/api/status`)).json()).toEqual({
    version: 'test',
    node: process.version,
    uptimeMs: expect.any(Number),
    rssBytes: expect.any(Number),
    sessions: 0,
    rooms: 0,
    peers: 0,
    laneSessions: 0,
    models: [],
    gpu: null,
    memory: { rssBytes: expect.any(Number), limitBytes: 4096 * 2 ** 20, pressure: 'none' },
  });
});

test('a request for a foreign host name is refused', async () => {
  const status = await new Promise((resolve, reject) => {
    request(`${server.url}/api/faces`, { headers: { host: 'evil.example' } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    })
      .once('error', reject)
      .end();
  });
  expect(status).toBe(421);
});
