/** The consent for a face: recorded, exported, asked again when it is old, and revoked, or the face blocked, while it is live. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';
import { CONSENT_STATEMENT } from '../../../src/shared/duties/consent-statement.ts';
import type { ConsentRecord, FaceInfo } from '../../../src/shared/messages.ts';
import { astronaut, cutFrame, group } from '../../support/lane.ts';
import { hasMark } from '../../support/mark.ts';
import { Publisher } from '../../support/publisher.ts';
import { startServer, type TestServer, until } from '../../support/server.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'faceoff-consent-'));
const OLD = 'old-face';
let server: TestServer;
let person: { width: number; height: number; data: Uint8Array };
let cameras: Publisher[] = [];

beforeAll(async () => {
  // A face of before consents were recorded.
  mkdirSync(path.join(dir, 'faces', OLD), { recursive: true });
  cpSync(astronaut, path.join(dir, 'faces', OLD, 'photo.webp'));
  const record = { name: 'Before', addedAt: '2026-01-02T00:00:00.000Z', photos: ['photo.webp'] };
  writeFileSync(path.join(dir, 'faces', OLD, 'face.json'), JSON.stringify(record));
  person = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
  server = await startServer({ storage: { dir }, pipeline: { budgetMs: 1000 } });
}, 60_000);
afterEach(() => {
  for (const camera of cameras.splice(0)) camera.close();
  cameras = [];
  server.sessions.close();
});
afterAll(async () => {
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

const ask = (method: string, at: string, body?: unknown): Promise<Response> =>
  fetch(server.url + at, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
const json = async <T>(answer: Promise<Response>): Promise<T> => (await (await answer).json()) as T;
const listed = async (id: string): Promise<FaceInfo | undefined> =>
  (await json<FaceInfo[]>(ask('GET', '/api/faces'))).find((face) => face.id === id);
const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

async function add(more: Record<string, string> = {}): Promise<FaceInfo> {
  const form = new FormData();
  for (const [key, value] of Object.entries({ name: 'Added', consent: 'true', ...more })) form.append(key, value);
  form.append('file', new Blob([new Uint8Array(readFileSync(astronaut))]), 'face.webp');
  const answer = await fetch(`${server.url}/api/faces`, { method: 'POST', body: form });
  expect(answer.status).toBe(201);
  return (await answer.json()) as FaceInfo;
}

/** A publisher whose camera shows a person. */
async function publish(query: string): Promise<Publisher> {
  const camera = new Publisher();
  cameras.push(camera);
  camera.play(person, [person.data], 15);
  expect((await camera.whip(server.url, `?stream=stage${query}`)).status).toBe(201);
  await until(() => camera.received.length > 0, 'pictures', 20_000);
  return camera;
}

test('is recorded with its sentence, its time, the confirmer’s name and digests of the photos, and exported without pictures', async () => {
  const beganMs = Date.now();
  const { id, consentDue } = await add({ confirmedBy: ' Ada ' });
  expect(consentDue).toBe(false);
  const record = await json<ConsentRecord>(ask('GET', `/api/faces/${id}/consent`));
  const photo = readFileSync(path.join(dir, 'faces', id, 'photo.webp'));
  const digests = { photo: 'photo.webp', sha256: sha256(photo), uploadSha256: sha256(readFileSync(astronaut)) };
  const confirmation = { statement: CONSENT_STATEMENT, confirmedBy: 'Ada', photos: [digests] };
  expect(record).toMatchObject({ face: id, name: 'Added', due: false, confirmations: [confirmation] });
  expect(Date.parse(record.confirmations[0]!.confirmedAt)).toBeGreaterThanOrEqual(beganMs - 1000);

  await add({ face: id });
  const two = await json<ConsentRecord>(ask('GET', `/api/faces/${id}/consent`));
  expect(two.confirmations.map(({ confirmedBy, photos }) => [confirmedBy, photos.length])).toEqual([
    ['Ada', 1],
    [null, 1],
  ]);

  const exported = execFileSync(
    process.execPath,
    [path.join(root, 'dist/main.js'), 'faces', 'consents', '--set', `storage.dir=${dir}`],
    { encoding: 'utf8' },
  );
  const all = JSON.parse(exported) as ConsentRecord[];
  expect(all.find(({ face }) => face === id)).toEqual(two);
  expect(all.find(({ face }) => face === OLD)).toMatchObject({ due: true, confirmations: [] });
  expect(exported.length).toBeLessThan(4000);
});

test('the dialog of the pages shows the sentence that is recorded', () => {
  const html = readFileSync(path.join(root, 'src/client/parts/face-dialogs.html'), 'utf8');
  expect(html).toContain(`<span>${CONSENT_STATEMENT}</span>`);
});

test('a face without a record is not offered until its consent is confirmed', async () => {
  expect(await listed(OLD)).toMatchObject({ consentDue: true, consentedAt: null });
  const refused = new Publisher();
  cameras.push(refused);
  const answer = await refused.whip(server.url, `?face=${OLD}`);
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([409, 'consent_due']);
  await publish('&face=astronaut');
  expect((await ask('PATCH', '/api/streams/stage/settings', { face: OLD })).status).toBe(409);
  // The ring of faces leaves it out.
  for (let n = 0; n < 4; n++)
    expect((await json<{ face: string }>(ask('POST', '/api/streams/stage/face/next'))).face).not.toBe(OLD);

  for (const [given, code] of [
    [{}, 'consent_missing'],
    [{ consent: false }, 'consent_missing'],
    [{ consent: true, confirmedBy: 'x'.repeat(81) }, 'bad_field'],
  ] as const) {
    const wrong = await ask('POST', `/api/faces/${OLD}/consent`, given);
    expect([wrong.status, ((await wrong.json()) as { code: string }).code]).toEqual([422, code]);
  }
  expect((await listed(OLD))!.consentDue).toBe(true);
  expect(await json(ask('POST', `/api/faces/${OLD}/consent`, { consent: true }))).toMatchObject({ consentDue: false });
  const kept = JSON.parse(readFileSync(path.join(dir, 'faces', OLD, 'consent.json'), 'utf8'));
  expect(kept[0].photos).toEqual([
    { photo: 'photo.webp', sha256: sha256(readFileSync(astronaut)), uploadSha256: null },
  ]);
  expect((await ask('PATCH', '/api/streams/stage/settings', { face: OLD })).status).toBe(200);
});

test('a consent older than faces.consentDays is asked again, and a live session goes on', async () => {
  const { id } = await add();
  await publish(`&face=${id}`);
  const [live] = server.sessions.all();
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 366 * 86_400_000 });
  try {
    expect((await listed(id))!.consentDue).toBe(true);
    live!.set({ strength: 0.5 });
    expect(live!.settings).toMatchObject({ face: id, strength: 0.5 });
    expect(() => server.sessions.open({ face: id })).toThrow(expect.objectContaining({ code: 'consent_due' }));
    expect((await ask('POST', `/api/faces/${id}/consent`, { consent: true })).status).toBe(200);
    expect((await listed(id))!.consentDue).toBe(false);
  } finally {
    vi.useRealTimers();
  }
});

test('of a shipped face there is none to show or to revoke', async () => {
  for (const method of ['GET', 'DELETE']) expect((await ask(method, '/api/faces/astronaut/consent')).status).toBe(403);
  expect((await ask('GET', '/api/faces/none/consent')).status).toBe(404);
  expect(await listed('astronaut')).toMatchObject({ consentDue: false, consentedAt: null });
});

describe('gone while the face is live', () => {
  const revoked = async (id: string): Promise<number> => (await ask('DELETE', `/api/faces/${id}/consent`)).status;
  const blocked = async (): Promise<number> => {
    const form = new FormData();
    form.append('file', new Blob([new Uint8Array(readFileSync(astronaut))]), 'face.webp');
    const answer = await fetch(`${server.url}/api/blocked-faces`, { method: 'POST', body: form });
    return answer.status === 201 ? 204 : answer.status;
  };
  const WAYS = [
    ['revoked', revoked],
    ['blocked', blocked],
  ] as const;
  afterEach(async () => {
    for (const { id } of await json<{ id: string }[]>(ask('GET', '/api/blocked-faces')))
      await ask('DELETE', `/api/blocked-faces/${id}`);
  });

  /** Adds a face, publishes with it, and has it go once it is put on. */
  async function revoke(
    patch: object,
    end: (id: string) => Promise<number> = revoked,
  ): Promise<{ id: string; camera: Publisher }> {
    const { id } = await add();
    await ask('PUT', '/api/presets/worn', { face: id, strength: 0.5 });
    await ask('PUT', '/api/presets/other', { face: 'astronaut' });
    const camera = await publish(`&face=${id}`);
    await ask('PATCH', '/api/streams/stage/settings', patch);
    await until(() => server.sessions.all()[0]!.stats.swapped > 3, 'swapped pictures', 20_000);
    expect(await end(id)).toBe(204);
    return { id, camera };
  }

  test('the face is gone with its photos, its record and its place in presets', async () => {
    const { id } = await revoke({});
    expect(readdirSync(path.join(dir, 'faces')).some((name) => name.startsWith(id))).toBe(false);
    expect(await listed(id)).toBeUndefined();
    expect((await ask('GET', `/api/faces/${id}/consent`)).status).toBe(404);
    const presets = await json<{ name: string; settings: object }[]>(ask('GET', '/api/presets'));
    expect(presets).toEqual([
      { name: 'worn', settings: { strength: 0.5 } },
      { name: 'other', settings: { face: 'astronaut' } },
    ]);
    expect(readFileSync(path.join(dir, 'presets.json'), 'utf8')).not.toContain(id);
    expect(existsSync(path.join(dir, 'faces', id))).toBe(false);
  });

  test.each(WAYS)('%s: a stream whose policy is the camera shows it, unmarked', async (_what, end) => {
    const { camera } = await revoke({}, end);
    expect(server.sessions.all()[0]!.settings).toMatchObject({ face: null, guarded: false });
    const data = (): Uint8Array<ArrayBuffer> => camera.picture as Uint8Array<ArrayBuffer>;
    await until(() => meanDifference(data(), person.data) < 4 && !hasMark({ ...person, data: data() }), 'the camera');
  });

  test.each(WAYS.flatMap(([what, end]) => ['blur', 'freeze'].map((fallback) => [what, fallback, end] as const)))(
    '%s: a stream whose policy is %s shows neither the face nor the real one',
    async (_what, fallback, end) => {
      const { camera } = await revoke({ fallback }, end);
      expect(server.sessions.all()[0]!.settings).toMatchObject({ face: null, guarded: true });
      // What is shown when the revocation is answered, and some pictures on.
      const before = camera.received.length;
      expect(isOfTheRealFace(server.sessions.all()[0]!.picture!.data)).toBe(false);
      await until(() => camera.received.length > before + 8 || fallback === 'freeze', 'further pictures');
      const { picture } = server.sessions.all()[0]!;
      expect(isOfTheRealFace(picture!.data)).toBe(false);
      if (fallback === 'freeze') expect(new Set(picture!.data.subarray(0, 640 * 480)).size).toBe(1);
    },
  );

  /** Mean difference of the luma in the middle, where the face is. */
  function meanDifference(a: Uint8Array, b: Uint8Array): number {
    let sum = 0;
    for (let y = 140; y < 340; y++)
      for (let x = 220; x < 420; x++) sum += Math.abs((a[y * 640 + x] ?? 0) - b[y * 640 + x]!);
    return sum / 200 / 200;
  }
  /** Pixelated or covered, the middle differs from the camera's by far more than a codec does. */
  const isOfTheRealFace = (data: Uint8Array): boolean => meanDifference(data, person.data) < 8;
});
