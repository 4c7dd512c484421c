/** Disks that are full or read-only, under the program as people start it. */

import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { request } from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FaceInfo } from '../../../src/shared/messages.ts';
import { fullDisk, readOnlyDisk, seenBy, whyNoMounts, withDisks } from '../../support/faulty-disk.ts';
import { astronaut, readFrame } from '../../support/lane.ts';
import { Publisher } from '../../support/publisher.ts';
import { type Program, startProgram, until } from '../../support/server.ts';

const skipped = whyNoMounts === null ? '' : ` (skipped: ${whyNoMounts})`;
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-disks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => path.join(folder, name);
const picture = readFileSync(astronaut);

async function ask(url: string, method: string, body?: string | FormData): Promise<[number, { code?: string }]> {
  const answer = await fetch(url, { method, ...(body === undefined ? {} : { body }) });
  return [answer.status, (await answer.json().catch(() => ({}))) as { code?: string }];
}

function upload(to?: string): FormData {
  const form = new FormData();
  form.set('name', 'Somebody');
  form.set('consent', 'true');
  if (to !== undefined) form.set('face', to);
  form.set('file', new Blob([picture]), 'face.webp');
  return form;
}

/** Publishes a face. Resolves when a picture came back that is another one. */
async function seeSwapped(url: string): Promise<Publisher> {
  const camera = new Publisher();
  const { width, height, data } = await readFrame(astronaut);
  camera.play({ width, height }, [data], 20);
  expect((await camera.whip(url, '?stream=faulty')).status).toBe(201);
  const swapped = async (): Promise<boolean> =>
    ((await (await fetch(`${url}/api/sessions`)).json()) as { swapped: number }[])[0]!.swapped > 3;
  await until(async () => camera.received.length > 3 && (await swapped()), 'swapped pictures', 20_000);
  return camera;
}

describe.skipIf(whyNoMounts !== null)(`a full disk${skipped}`, () => {
  let server: Program;
  let camera: Publisher;
  const [data, logs] = [at('full-data'), at('full-logs')];
  const there = (name: string): string => seenBy(server.child.pid!, name);

  beforeAll(async () => {
    server = await startProgram(
      ['--set', `storage.dir=${data}`, '--set', `logging.dir=${logs}`],
      withDisks(fullDisk(data, { kB: 1024, has: ['faces'] }), fullDisk(logs, { kB: 64 })),
    );
    camera = await seeSwapped(server.url);
  });
  afterAll(async () => {
    camera?.close();
    await server?.stop();
  });

  test('of logs is told once, and streams go on', () => {
    const told = server
      .said()
      .split('\n')
      .filter((line) => line.includes('log files cannot be written'));
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('ENOSPC');
  });

  test('of faces and presets refuses new ones in a sentence, leaves nothing half-written, and is usable once there is room', async () => {
    const { url } = server;
    const filler = there(path.join(data, 'filler'));
    for (const [method, where, body] of [
      ['POST', '/api/faces', upload()],
      ['PUT', '/api/presets/One', '{}'],
    ] as const) {
      const [status, answer] = await ask(url + where, method, body);
      expect([status, answer]).toEqual([507, { code: 'not_saved', message: expect.stringContaining('ENOSPC') }]);
    }
    expect(readdirSync(there(data)).sort()).toEqual(['faces', 'filler']);
    expect(readdirSync(there(path.join(data, 'faces')))).toEqual([]);

    truncateSync(filler, statSync(filler).size - 768 * 1024);
    expect((await ask(`${url}/api/presets/One`, 'PUT', '{}'))[0]).toBe(200);
    const [status, face] = (await ask(`${url}/api/faces`, 'POST', upload())) as [number, { id: string }];
    expect(status).toBe(201);

    // Full again: a further photo is refused, and the face stays whole.
    expect(() => appendFileSync(filler, Buffer.alloc(2 ** 20))).toThrow(/ENOSPC/);
    expect(await ask(`${url}/api/faces`, 'POST', upload(face.id))).toMatchObject([507, { code: 'not_saved' }]);
    const photos = there(path.join(data, 'faces', face.id));
    expect(readdirSync(photos).sort()).toEqual(['consent.json', 'face.json', 'photo.webp']);
    expect(JSON.parse(readFileSync(path.join(photos, 'face.json'), 'utf8'))).toMatchObject({ photos: ['photo.webp'] });
    expect((await ask(`${url}/api/faces/${face.id}`, 'DELETE'))[0]).toBe(204);
  });

  test('does not hold up the end: SIGTERM, exit 0', async () => {
    const ended = new Promise((resolve) => server.child.once('exit', resolve));
    server.child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(server.said()).not.toContain('not everything ended in time');
  });
});

describe.skipIf(whyNoMounts !== null)(`a read-only disk${skipped}`, () => {
  let server: Program;
  const [data, cache] = [at('fixed-data'), at('fixed-cache')];

  beforeAll(async () => {
    server = await startProgram(
      ['--set', `storage.dir=${data}`, '--set', `models.cacheDir=${cache}`],
      withDisks(readOnlyDisk(data), readOnlyDisk(cache)),
    );
  });
  afterAll(() => server?.stop());

  test('of the cache is told, and faces are swapped', async () => {
    expect(server.said()).toContain('models.cacheDir cannot be written');
    (await seeSwapped(server.url)).close();
  });

  test('of faces and presets is told, the shipped face is there, new ones are refused in a sentence', async () => {
    expect(server.said()).toContain('storage.dir cannot be used');
    // Faces, presets, and the key of the invisible mark.
    expect(server.said().split('EROFS')).toHaveLength(4);
    const faces = (await (await fetch(`${server.url}/api/faces`)).json()) as FaceInfo[];
    expect(faces.map(({ id }) => id)).toContain('astronaut');
    expect(faces.every(({ builtIn }) => builtIn)).toBe(true);
    for (const [method, where, body] of [
      ['POST', '/api/faces', upload()],
      ['PUT', '/api/presets/One', '{}'],
    ] as const) {
      const [status, answer] = await ask(server.url + where, method, body);
      expect([status, answer]).toEqual([507, { code: 'not_saved', message: expect.stringContaining('EROFS') }]);
    }
  });

  test('of logs is refused at the start in a sentence', async () => {
    const logs = at('fixed-logs');
    const started = startProgram(['--set', `logging.dir=${logs}`], withDisks(readOnlyDisk(logs)));
    await expect(started).rejects.toThrow(/ended with 1: logging\.dir: \S+ is no folder that logs can be written to/);
  });
});

test.skipIf(whyNoMounts !== null)(`a certificate on a full disk serves unkept, and is told${skipped}`, async () => {
  const data = at('full-certificate');
  const open = ['--host', '0.0.0.0', '--set', 'server.token=sixteen-characters', '--set', 'swap.engine=none'];
  const server = await startProgram([...open, '--set', `storage.dir=${data}`], withDisks(fullDisk(data, { kB: 64 })));
  try {
    expect(server.said()).toContain('the certificate cannot be kept in storage.dir');
    const { port } = new URL(server.url);
    const status = await new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, path: '/healthz', rejectUnauthorized: false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      asked.once('error', reject).end();
    });
    expect(status).toBe(200);
    expect(readdirSync(seenBy(server.child.pid!, data)).filter((name) => /pem|part/.test(name))).toEqual([]);
  } finally {
    await server.stop();
  }
});
