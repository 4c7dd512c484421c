/** What is given up when memory gets short must come back when it is wanted. */

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FaceInfo } from '../../../../src/shared/messages.ts';
import type { Frame, SwapSession } from '../../../../src/shared/types.ts';
import { killLane } from '../../../support/crashes.ts';
import { astronaut, copyFrame, cutFrame, group } from '../../../support/lane.ts';
import { startServer, type TestServer, until } from '../../../support/server.ts';

let server: TestServer;
let camera: Frame;
let face: FaceInfo;
beforeAll(async () => {
  server = await startServer({ pipeline: { budgetMs: 1000 } });
  camera = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
  const body = new FormData();
  body.set('file', new Blob([await readFile(astronaut)]), 'face.webp');
  body.set('consent', 'true');
  face = (await (await fetch(`${server.url}/api/faces`, { method: 'POST', body })).json()) as FaceInfo;
});
afterAll(() => server.stop());

const swaps = async (session: SwapSession): Promise<boolean> => {
  const frame = { ...copyFrame(camera), receivedAtMs: performance.now() };
  return (await session.swap(frame)).result === 'swapped';
};

test('an unused face is released, and is prepared again for its next use', async () => {
  const session = server.pool.open('first', { face: face.id });
  await until(() => swaps(session), 'a swap');
  session.close();
  server.pool.pressure('release');
  const next = server.pool.open('next', { face: face.id });
  // Forgotten: it has to be enrolled anew.
  expect(await swaps(next)).toBe(false);
  await until(() => swaps(next), 'a swap again');
  next.close();
});

test('a face in use is kept under any memory pressure', async () => {
  const session = server.pool.open('wears', { face: face.id });
  await until(() => swaps(session), 'a swap');
  server.pool.pressure('release');
  expect(await swaps(session)).toBe(true);
  server.pool.pressure('degrade');
  expect(await swaps(session)).toBe(true);
  session.close();
});

test('a lane that is replaced while memory is short limits its streams as the lost one did', async () => {
  server.pool.pressure('degrade');
  const session = server.pool.open('held', { face: face.id });
  await killLane();
  const level = async (): Promise<number> => {
    const frame = { ...copyFrame(camera), receivedAtMs: performance.now() };
    return (await session.swap(frame).catch(() => null))?.level ?? -1;
  };
  await until(async () => (await level()) >= 0, 'a lane');
  expect(await level()).toBe(1);
  server.pool.pressure('none');
  session.close();
});
