/** Snapshots of a live session with real lanes: marked and signed where a face was swapped, and only there. */

import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { astronaut, readFrame } from '../../../support/lane.ts';
import { manifestOf } from '../../../support/provenance.ts';
import { Publisher } from '../../../support/publisher.ts';
import { startServer, type TestServer, until } from '../../../support/server.ts';

let server: TestServer;
const cameras: Publisher[] = [];

beforeAll(async () => {
  server = await startServer({ pipeline: { budgetMs: 1000 } });
}, 60_000);
afterAll(async () => {
  for (const camera of cameras) camera.close();
  await server.stop();
});

/** Publishes a face under a stream's name. @returns takes a snapshot. */
async function publishFace(stream: string, on: boolean): Promise<() => Promise<Buffer>> {
  const camera = new Publisher();
  cameras.push(camera);
  const { width, height, data } = await readFrame(astronaut);
  camera.play({ width, height }, [data], 10);
  expect((await camera.whip(server.url, `?stream=${stream}`)).status).toBe(201);
  server.sessions.get(camera.location.split('/').at(-1)!)!.set({ on });
  await until(() => camera.received.length > 3, 'pictures to come back', 20_000);
  const address = `${server.url}/api/sessions/${camera.location.split('/').at(-1)}/snapshot.png`;
  return async () => Buffer.from(await (await fetch(address)).arrayBuffer());
}

test('a snapshot of a swapped face says so and is signed by this machine', async () => {
  const take = await publishFace('swapped', true);
  await until(async () => (await sharp(await take()).metadata()).xmp !== undefined, 'a swapped face', 20_000);
  const picture = await take();
  const { xmpAsString, exif } = await sharp(picture).metadata();
  expect(xmpAsString).toContain('compositeWithTrainedAlgorithmicMedia');
  expect(exif?.toString('latin1')).toContain('AI-modified');
  const manifest = await manifestOf(picture);
  expect(manifest).toMatchObject({ isValid: true, failures: [] });
  expect(manifest!.actions.map(({ action }) => action)).toEqual(['c2pa.created']);
}, 60_000);

test('a snapshot without a swap says nothing and is not signed', async () => {
  const take = await publishFace('as-it-is', false);
  const picture = await take();
  const { xmp, exif } = await sharp(picture).metadata();
  expect([xmp, exif, await manifestOf(picture)]).toEqual([undefined, undefined, null]);
}, 60_000);
