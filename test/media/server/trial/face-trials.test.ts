/** A face tried on: its person gets pictures of it, and viewers see nothing of it. */

import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { frameToRgb } from '../../../../src/faces/portrait.ts';
import type { Frame } from '../../../../src/shared/types.ts';
import { cutFrame, group } from '../../../support/lane.ts';
import { Publisher } from '../../../support/publisher.ts';
import { startServer, type TestServer, until } from '../../../support/server.ts';
import { Watcher } from '../../../support/viewer.ts';

const SIZE = { width: 480, height: 360 };
const PART = { left: 1400, top: 130, width: 460, height: 345 };

let server: TestServer;
let camera: Publisher;
let viewer: Watcher;
let picture: Frame;
let session: string;
beforeAll(async () => {
  server = await startServer({ pipeline: { budgetMs: 1000 }, disclosure: { watermark: false } });
  for (const face of ['mona-lisa', 'astronaut']) await server.pool.preload(face);
  picture = await cutFrame(group, PART, SIZE.width, SIZE.height);
  camera = new Publisher();
  camera.play(SIZE, [picture.data], 10);
  expect((await camera.whip(server.url, '?stream=stage')).status).toBe(201);
  session = server.sessions.all()[0]!.id;
  server.sessions.all()[0]!.set({ face: null });
  viewer = new Watcher();
  expect((await viewer.whep(server.url, 'stage')).status).toBe(201);
  await until(() => viewer.received > 2, 'pictures for the viewer');
}, 240_000);
afterAll(async () => {
  viewer?.close();
  camera?.close();
  await server?.stop();
});

const ask = (face: string, of = session): Promise<Response> =>
  fetch(`${server.url}/api/sessions/${of}/preview?face=${face}`, { method: 'POST' });

/** Mean difference of the luma to the camera's picture. */
function offCamera(luma: Uint8Array): number {
  let sum = 0;
  for (let p = 0; p < SIZE.width * SIZE.height; p++) sum += Math.abs(luma[p]! - picture.data[p]!);
  return sum / (SIZE.width * SIZE.height);
}

test('its person gets pictures with it, and viewers go on to see the camera', async () => {
  await until(() => offCamera(viewer.picture) < 3, 'a good picture for the viewer');
  let worst = 0;
  const look = setInterval(() => {
    worst = Math.max(worst, offCamera(viewer.picture));
  }, 5);
  const tried: Buffer[] = [];
  for (const face of ['mona-lisa', 'mona-lisa', 'astronaut']) {
    const answer = await ask(face);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
    tried.push(Buffer.from(await answer.arrayBuffer()));
  }
  clearInterval(look);
  expect(worst).toBeLessThan(4);
  const rgb = async (file: Buffer): Promise<Buffer> => sharp(file).removeAlpha().raw().toBuffer();
  const bare = frameToRgb(picture);
  const [mona, , astronaut] = await Promise.all(tried.map(rgb));
  const apart = (a: Uint8Array, b: Uint8Array): number =>
    a.reduce((sum, value, at) => sum + Math.abs(value - b[at]!), 0) / a.length;
  expect(mona!.length).toBe(bare.length);
  expect(apart(mona!, bare)).toBeGreaterThan(1.5);
  expect(apart(astronaut!, bare)).toBeGreaterThan(1.5);
  expect(apart(mona!, astronaut!)).toBeGreaterThan(0.5);
  expect(server.sessions.all()[0]!.settings.face).toBeNull();
}, 120_000);

test('a face, or a session, that is not there is named as such', async () => {
  expect([(await ask('none')).status, (await ask('')).status]).toEqual([404, 404]);
  expect(await (await ask('mona-lisa', 'none')).json()).toMatchObject({ code: 'unknown_session' });
});

test('a trial ends soon after its last picture', async () => {
  await ask('mona-lisa');
  expect(server.pool.openSessions).toBe(2);
  await until(() => server.pool.openSessions === 1, 'the trial to end');
}, 60_000);

test('where no face is in the picture the answer says so', async () => {
  camera.send(SIZE.width, SIZE.height);
  await until(() => offCamera(viewer.picture) > 20, 'the empty picture');
  expect(await (await ask('mona-lisa')).json()).toMatchObject({ code: 'not_shown' });
}, 60_000);
