import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { decodePicture } from '../../../../src/faces/portrait.ts';
import { root } from '../../../../src/lib/package-root.ts';
import type { FacePreview, ServerMessage } from '../../../../src/shared/messages.ts';
import { astronaut, group } from '../../../support/lane.ts';
import { Publisher } from '../../../support/publisher.ts';
import { startServer, type TestServer, until } from '../../../support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ limits: { picturePixels: 50e6 } });
});
afterAll(() => server.stop());

interface Refusal {
  code: string;
  message: string;
  details?: { faces?: unknown[] };
}

async function upload(
  data: Uint8Array | string,
  fields: Record<string, string> = { consent: 'true', name: 'Someone' },
  to = '/api/faces',
) {
  const form = new FormData();
  for (const [key, value] of Object.entries(fields)) form.append(key, value);
  form.append('file', new Blob([typeof data === 'string' ? data : Uint8Array.from(data)]), 'face.jpg');
  const answer = await fetch(server.url + to, { method: 'POST', body: form });
  return {
    status: answer.status,
    body: (await answer.json()) as Refusal & FacePreview & { id: string; photos: number },
  };
}

const flatAvif = path.join(root, 'test/fixtures/flat-7000.avif');

/** A grey PNG, one pixel wide. */
function column(height: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const header = Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 8, 0, 0, 0, 0]);
  header.writeUInt32BE(height, 4);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(2 * height), { level: 1 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** The checksum of PNG and zip. */
function crc32(data: Uint8Array): number {
  let crc = -1;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

const blank = (width: number, height: number) => sharp({ create: { width, height, channels: 3, background: '#888' } });

describe('pictures that cannot be a face', () => {
  const cases: [what: string, data: () => Promise<Uint8Array | string>, status: number, code: string | RegExp][] = [
    ['a text file named .jpg', async () => 'this is not a picture', 415, 'bad_picture'],
    ['half a picture', async () => (await sharp(group).jpeg().toBuffer()).subarray(0, 20_000), 415, 'bad_picture'],
    ['an SVG', async () => '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"/>', 415, 'bad_picture'],
    ['a decompression bomb', async () => blank(12_000, 12_000).png().toBuffer(), 413, 'picture_too_large'],
    ['a picture of one column', async () => column(50_000_000), 413, 'picture_too_large'],
    ['an AVIF of 1.7 kB that takes 830 MB', () => readFile(flatAvif), 413, 'picture_too_large'],
    ['a picture without a face', async () => blank(640, 480).jpeg().toBuffer(), 422, 'no_face'],
    ['a tiny face', async () => sharp(astronaut).resize(70, 70).png().toBuffer(), 422, /no_face|face_too_small/],
    ['an empty file', async () => '', 422, 'no_file'],
  ];
  test.each(cases)('%s', async (_what, data, status, code) => {
    const answer = await upload(await data());
    expect(answer.status).toBe(status);
    expect(answer.body.code).toMatch(code);
    expect(answer.body.message.length).toBeGreaterThan(20);
  });

  test.each(['/api/faces/preview', '/api/blocked-faces', '/api/backgrounds'])('bombs to %s', async (to) => {
    for (const bomb of [column(50_000_000), await readFile(flatAvif)]) {
      const answer = await upload(bomb, { consent: 'true', name: 'Someone' }, to);
      expect([answer.status, answer.body.code]).toEqual([413, 'picture_too_large']);
    }
  });

  test('an upload of 200 MB is refused and not kept in memory', async () => {
    let sent = 0;
    const chunk = Buffer.alloc(1 << 20);
    const body = Readable.from(
      (function* (): Generator<Buffer> {
        yield Buffer.from('--x\r\ncontent-disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n');
        for (; sent < 200; sent++) yield chunk;
        yield Buffer.from('\r\n--x--\r\n');
      })(),
    );
    const headers = { 'content-type': 'multipart/form-data; boundary=x' };
    const before = process.memoryUsage.rss();
    const answer = await fetch(`${server.url}/api/faces`, {
      method: 'POST',
      headers,
      body: Readable.toWeb(body) as ReadableStream,
      duplex: 'half',
    } as RequestInit).catch(() => null);
    if (answer !== null) expect(answer.status).toBe(413);
    const grewMb = (process.memoryUsage.rss() - before) / 2 ** 20;
    console.log(`${sent} MB were sent, memory grew by ${Math.round(grewMb)} MiB`);
    // The baseline is what was sent: a body that is kept would be there as a whole.
    expect(grewMb).toBeLessThan(sent);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });
});

describe('decoding', () => {
  const lenient = { bytes: 1e9, pixels: 1e9 };

  test('ends within its time limit', async () => {
    await expect(decodePicture(column(50_000_000), { ...lenient, timeMs: 1000 })).rejects.toMatchObject({
      code: 'picture_too_slow',
      status: 422,
    });
  });

  test.each([
    ['a side', { side: 1000 }, /1001 x 1 pixels, more than 1000 on a side/],
    ['the pixels', { pixels: 1000 }, /more than 0 million/],
    ['the memory', { memory: 8000 }, /memory/],
  ])('is refused where it passes a limit: %s', async (_what, limits, why) => {
    const picture = await sharp({ create: { width: 1001, height: 1, channels: 4, background: '#888' } })
      .toColourspace('rgb16')
      .png()
      .toBuffer();
    await expect(decodePicture(picture, { ...lenient, ...limits })).rejects.toMatchObject({
      code: 'picture_too_large',
      status: 413,
      message: expect.stringMatching(why),
    });
    await expect(decodePicture(picture, { ...lenient, side: 1001, memory: 8008 })).resolves.toMatchObject({
      width: 1001,
    });
  });
});

describe('face uploads', () => {
  test('are added only with consent', async () => {
    const answer = await upload(await sharp(astronaut).png().toBuffer(), { name: 'Nobody asked' });
    expect(answer.status).toBe(422);
    expect(answer.body.code).toBe('consent_missing');
  });

  test('are shown as they will look, with what is wrong with the photo, and nothing is kept', async () => {
    const consented = { consent: 'true' };
    const listed = async () => (await (await fetch(`${server.url}/api/faces`)).json()) as unknown[];
    const before = await listed();
    const preview = async (picture: Buffer, fields: Record<string, string> = consented) =>
      await upload(picture, fields, '/api/faces/preview');
    const good = await preview(await sharp(astronaut).png().toBuffer());
    expect(good.status, good.body.message).toBe(200);
    // Its face is 110 pixels wide, and has no other flaw.
    expect(good.body.findings).toEqual([{ flaw: 'small', message: expect.stringMatching(/larger picture/) }]);
    const [, encoded] = good.body.picture.split(';base64,');
    expect(await sharp(Buffer.from(encoded!, 'base64')).metadata()).toMatchObject({ format: 'webp', width: 480 });

    const flaws = async (picture: Buffer): Promise<string[]> =>
      (await preview(picture)).body.findings.map(({ flaw }) => flaw);
    expect(await flaws(await sharp(astronaut).blur(5).png().toBuffer())).toContain('blurred');
    expect(await flaws(await sharp(astronaut).linear(0.2, 0).png().toBuffer())).toContain('dark');
    expect(await flaws(await sharp(astronaut).greyscale().png().toBuffer())).toContain('colourless');

    const withoutConsent = await preview(await sharp(astronaut).png().toBuffer(), {});
    expect(withoutConsent.body.code).toBe('consent_missing');
    expect(await listed()).toEqual(before);
  });

  test('of which a picture shows several are picked by the person', async () => {
    const picture = await sharp(group).toBuffer();
    const several = await upload(picture);
    expect(several.status).toBe(409);
    expect(several.body.details?.faces).toHaveLength(3);
    const picked = await upload(picture, { consent: 'true', name: 'Second', pick: '1' });
    expect(picked.status).toBe(201);
    const further = await upload(await sharp(astronaut).png().toBuffer(), {
      consent: 'true',
      name: 'x',
      face: picked.body.id,
    });
    expect(further.body.photos).toBe(2);
    const list = (await (await fetch(`${server.url}/api/faces`)).json()) as {
      id: string;
      name: string;
      thumbnail: string;
    }[];
    expect(list.map((face) => face.name)).toContain('Second');
    const thumbnail = await fetch(server.url + list.find((face) => face.name === 'Second')!.thumbnail);
    expect(thumbnail.headers.get('content-type')).toBe('image/webp');
    expect((await fetch(`${server.url}/api/faces/${picked.body.id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await fetch(`${server.url}/api/faces/${picked.body.id}`, { method: 'DELETE' })).status).toBe(404);
  });

  test('that a phone took lying are turned upright', async () => {
    const lying = await sharp(astronaut).rotate(90).withMetadata({ orientation: 8 }).jpeg({ quality: 95 }).toBuffer();
    const answer = await upload(lying);
    expect(answer.status, answer.body.message).toBe(201);
    await fetch(`${server.url}/api/faces/${answer.body.id}`, { method: 'DELETE' });
  });

  test('that come with the program stay', async () => {
    const answer = await fetch(`${server.url}/api/faces/astronaut`, { method: 'DELETE' });
    expect(answer.status).toBe(403);
  });

  test('that are deleted while they are worn leave the session running', async () => {
    const { body } = await upload(await sharp(astronaut).png().toBuffer());
    const session = server.pool.open('wearer', {
      face: body.id,
      choice: 'mapped',
      map: { 1: body.id, 2: 'astronaut' },
    });
    expect((await fetch(`${server.url}/api/faces/${body.id}`, { method: 'DELETE' })).status).toBe(204);
    expect(session.settings).toMatchObject({ face: null, map: { 2: 'astronaut' } });
    session.set({ strength: 0.5 });
    session.close();
  });
});

describe('WHIP refuses', () => {
  const post = async (body: string, type = 'application/sdp', query = '') => {
    const answer = await fetch(`${server.url}/whip${query}`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    });
    return { status: answer.status, code: ((await answer.json()) as Refusal).code };
  };

  test.each([
    ['no SDP', 'nonsense', 'application/sdp', '', 400, 'bad_sdp'],
    [
      'half an SDP',
      'v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP',
      'application/sdp',
      '',
      400,
      'bad_sdp',
    ],
    ['another content type', 'v=0', 'application/json', '', 415, 'wrong_type'],
    ['a content type it does not know', 'v=0', 'text/html', '', 415, 'wrong_type'],
  ] as const)('%s', async (_what, body, type, query, status, code) => {
    const answer = await post(body, type, query);
    expect(answer.status).toBe(status);
    expect(answer.code).toMatch(code);
    expect(server.sessions.size).toBe(0);
  });

  test('an unknown face, H.264 alone, and an offer without video', async () => {
    const camera = new Publisher();
    const sdp = await camera.offer();
    camera.close();
    expect(await post(sdp, 'application/sdp', '?face=nobody')).toEqual({ status: 404, code: 'unknown_face' });
    const h264 = sdp.replace(/a=rtpmap:(\d+) (VP8|VP9|AV1)\//g, 'a=rtpmap:$1 H264/');
    expect(await post(h264)).toEqual({ status: 406, code: 'no_codec' });
    expect(await post(sdp.replaceAll('a=sendrecv', 'a=recvonly'))).toEqual({ status: 422, code: 'no_video' });
    expect(server.sessions.size).toBe(0);
    expect(server.pool.openSessions).toBe(0);
  });
});

describe('the studio socket', () => {
  const connect = async () => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws`);
    const heard: ServerMessage[] = [];
    socket.on('message', (data) => heard.push(JSON.parse(String(data)) as ServerMessage));
    await until(() => heard.length >= 3, 'the greeting');
    return { socket, heard };
  };

  test('greets with what the server offers', async () => {
    const { socket, heard } = await connect();
    expect(heard.map((message) => message.type)).toEqual(['hello', 'faces', 'presets']);
    socket.close();
  });

  test('answers malformed messages with an error, and closes after too many', async () => {
    const { socket, heard } = await connect();
    const odd = { length: { toString: 1 } };
    const garbage = [
      '{',
      '42',
      '{"type":"dance"}',
      '{"type":"settings","settings":{"strength":7}}',
      '{"type":"offer","sdp":"x"}',
      // What has a length that is no number, and a text that is none.
      JSON.stringify({ type: 'offer', sdp: odd }),
      JSON.stringify({ type: 'offer', sdp: 'x', again: odd }),
      JSON.stringify({ type: 'candidate', candidate: { candidate: odd } }),
      JSON.stringify({ type: 'settings', settings: { face: odd } }),
      '{"type":"settings","settings":{"__proto__":{"length":{"toString":1}}}}',
      JSON.stringify({ type: odd }),
    ];
    for (const message of garbage) socket.send(message);
    const refusals = () => heard.filter((message) => message.type === 'error');
    await until(() => refusals().length >= garbage.length, 'a refusal of each');
    expect(refusals()).toHaveLength(garbage.length);
    expect(refusals().filter(({ error }) => error.code === 'internal')).toEqual([]);
    expect(socket.readyState).toBe(WebSocket.OPEN);
    expect(server.sessions.size).toBe(0);
    for (let i = 0; i < 30; i++) socket.send('garbage');
    await until(() => socket.readyState === WebSocket.CLOSED, 'the socket to be closed');
  });

  test('is closed to pages of other sites', async () => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws`, { origin: 'https://elsewhere.example' });
    const status = await new Promise((resolve) =>
      socket.on('unexpected-response', (_request, response) => resolve(response.statusCode)),
    );
    expect(status).toBe(403);
    const foreign = await fetch(`${server.url}/api/faces/astronaut`, {
      method: 'DELETE',
      headers: { origin: 'https://elsewhere.example' },
    });
    expect(foreign.status).toBe(403);
  });
});

test('an unknown address is answered with 404 in JSON', async () => {
  const answer = await fetch(`${server.url}/api/nothing`);
  expect(answer.status).toBe(404);
  expect(((await answer.json()) as Refusal).message).toContain('/api/nothing');
});

test('the metrics have the promised names', async () => {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  for (const name of [
    'frame_seconds',
    'stage_seconds',
    'wait_seconds',
    'frames_total',
    'degradation_level',
    'sessions',
    'model_load_seconds',
  ])
    expect(text).toContain(`faceoff_${name}`);
});
