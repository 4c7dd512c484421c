/** Faces that a server does not take: refused at every door, withheld where they are already, and followed by the file. */

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BlockList } from '../../../src/faces/block-list.ts';
import { distance, SAME_PERSON } from '../../../src/pipeline/face/embed.ts';
import type { BlockedFace, FaceInfo } from '../../../src/shared/messages.ts';
import { astronaut, cutFrame, group, readFrame } from '../../support/lane.ts';
import { startServer, type TestServer, until } from '../../support/server.ts';

let server: TestServer;
let file: string;
beforeAll(async () => {
  server = await startServer({ pipeline: { budgetMs: 1000 } });
  file = path.join(server.config.storage.dir, 'blocked-faces.json');
}, 120_000);
afterAll(() => server.stop());
afterEach(async () => {
  writeFileSync(file, '[]');
  await until(async () => (await faces()).includes('astronaut'), 'the list to be empty');
});

function formOf(picture: string, fields: Record<string, string>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  form.set('file', new Blob([readFileSync(picture)]), 'face.webp');
  return form;
}

const post = (at: string, picture: string, fields: Record<string, string>): Promise<Response> =>
  fetch(`${server.url}${at}`, { method: 'POST', body: formOf(picture, fields) });
const faces = async (): Promise<string[]> =>
  ((await (await fetch(`${server.url}/api/faces`)).json()) as FaceInfo[]).map(({ id }) => id);
const block = async (picture: string, fields: Record<string, string> = {}): Promise<BlockedFace> =>
  (await (await post('/api/blocked-faces', picture, fields)).json()) as BlockedFace;
const unblock = (id: string): Promise<Response> => fetch(`${server.url}/api/blocked-faces/${id}`, { method: 'DELETE' });
/** An embedding of the built-in face in another picture of it: a small one, cut otherwise. */
async function likeness(): Promise<Float32Array> {
  const picture = await cutFrame(astronaut, { left: 20, top: 6, width: 250, height: 250 }, 300, 300);
  const [found] = await server.pool.analyse(picture);
  return found!.embedding;
}

describe('a face that is blocked', () => {
  test('is refused in any picture of it, as a face and as a preview, while others are taken', async () => {
    expect((await block(astronaut, { note: 'asked by mail\non Monday' })).note).toBe('asked by mail on Monday');
    for (const at of ['/api/faces', '/api/faces/preview']) {
      const refused = await post(at, astronaut, { consent: 'true', name: 'x' });
      expect(refused.status).toBe(403);
      expect(await refused.json()).toMatchObject({
        code: 'face_blocked',
        message: expect.stringMatching(/its person asked for that/),
      });
    }
    const list = await BlockList.open(server.config);
    expect(() => list.check(new Float32Array(128))).not.toThrow();
    const other = await likeness();
    expect(distance(other, embeddingsIn(file)[0]!)).toBeGreaterThan(0);
    expect(() => list.check(other)).toThrow(/does not take this face/);
    const taken = await post('/api/faces', group, { consent: 'true', name: 'Other', pick: '0' });
    expect(taken.status).toBe(201);
    await fetch(`${server.url}/api/faces/${((await taken.json()) as FaceInfo).id}`, { method: 'DELETE' });
  }, 60_000);

  test('is kept as numbers in a file that only the server’s user may read', async () => {
    const { id, addedAt } = await block(astronaut);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const [entry, ...others] = JSON.parse(readFileSync(file, 'utf8'));
    expect(others).toEqual([]);
    expect(entry).toEqual({ id, note: '', addedAt, embedding: expect.any(Array) });
    expect(entry.embedding).toHaveLength(128);
    expect(await (await fetch(`${server.url}/api/blocked-faces`)).json()).toEqual([{ id, note: '', addedAt }]);
    await unblock(id);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual([]);
  }, 60_000);

  test('is withheld where it is in the library, until it is unblocked', async () => {
    expect(await faces()).toContain('astronaut');
    const { id } = await block(astronaut);
    expect(await faces()).not.toContain('astronaut');
    expect((await fetch(`${server.url}/api/faces/astronaut/thumbnail`)).status).toBe(404);
    expect(() => server.pool.open('late', { face: 'astronaut' })).toThrow(/no face with the id/);
    await unblock(id);
    expect(await faces()).toContain('astronaut');
  }, 60_000);

  test('is taken off live sessions at once, and a guarded one shows nothing', async () => {
    const session = server.pool.open('live', { face: 'astronaut', guarded: true });
    const frame = await readFrame(astronaut);
    const swap = () => session.swap({ ...frame, data: frame.data.slice(), receivedAtMs: performance.now() });
    await until(async () => (await swap()).result === 'swapped', 'the first swap', 30_000);
    await block(astronaut);
    expect(session.settings.face).toBeNull();
    expect(await swap()).toMatchObject({ result: 'passed', hold: true, exposed: true });
    session.close();
  }, 60_000);

  test('by another process is followed, and a file that cannot be read changes nothing', async () => {
    const elsewhere = await BlockList.open(server.config);
    const { id } = await elsewhere.add(await likeness(), 'by the command');
    await until(async () => !(await faces()).includes('astronaut'), 'the face to be withheld');
    writeFileSync(file, '{}');
    await expect(BlockList.open(server.config)).rejects.toMatchObject({ code: 'block_list_damaged' });
    expect(await (await unblock(id)).json()).toMatchObject({ code: 'block_list_damaged' });
    expect(await faces()).not.toContain('astronaut');
    writeFileSync(file, '[]');
    await until(async () => (await faces()).includes('astronaut'), 'the face to be offered again');
  }, 60_000);
});

test('an entry that there is not cannot be removed', async () => {
  const refused = await unblock('nothing');
  expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([404, 'unknown_blocked_face']);
});

test('the faces of other people are other faces', async () => {
  const found = await server.pool.analyse(await readFrame(group));
  expect(found.length).toBeGreaterThan(1);
  for (const [i, one] of found.entries())
    for (const other of found.slice(i + 1))
      expect(distance(one.embedding, other.embedding)).toBeGreaterThan(SAME_PERSON);
});

const embeddingsIn = (at: string): Float32Array[] =>
  (JSON.parse(readFileSync(at, 'utf8')) as { embedding: number[] }[]).map(({ embedding }) =>
    Float32Array.from(embedding),
  );
