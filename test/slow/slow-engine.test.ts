/** A generator that is slow, on a whole server with real publishers: streams never stand still, whatever it takes. */

import { afterEach, describe, expect, test } from 'vitest';
import { GeneratorRunner } from '../../src/pipeline/engines/neural/generator-runner.ts';
import type { Session } from '../../src/server/session/session.ts';
import type { Frame } from '../../src/shared/types.ts';
import { cutFrame, group } from '../support/lane.ts';
import { Publisher } from '../support/publisher.ts';
import { type Patch, startServer, type TestServer, until } from '../support/server.ts';
import { type StandIns, standIns } from '../support/stand-ins.ts';

const ENGINE = 'inswapper_128';
const [WIDTH, HEIGHT] = [640, 480];
const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

let unitMs: number | null = null;
/** Stand-ins whose generator takes about so long here, by what a convolution takes. */
async function slow(runMs: number): Promise<StandIns> {
  unitMs ??= await measure();
  return standIns([ENGINE, 'arcface_w600k_r50'], Math.max(1, Math.round(runMs / unitMs)));
}

/** @returns milliseconds a convolution of a stand-in takes. */
async function measure(): Promise<number> {
  const work = 8;
  const trial = standIns([ENGINE], work);
  const entry = trial.catalogue.named(ENGINE, 'generator');
  const painter = await GeneratorRunner.open(trial.catalogue, entry, {
    threads: 1,
    warmupRuns: 2,
    maxPixels: WIDTH * HEIGHT,
    boost: 1,
  });
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const beganMs = performance.now();
    await painter.run();
    times.push(performance.now() - beganMs);
  }
  await painter.close();
  trial.remove();
  return Math.min(...times) / work;
}

async function start(runMs: number, patch: Patch): Promise<{ server: TestServer; camera: Frame }> {
  const models = await slow(runMs);
  endings.push(() => models.remove());
  const server = await startServer({
    // The corner of the picture is compared with the face.
    disclosure: { badge: false, acknowledged: true, watermark: false },
    ...patch,
    models: { dir: models.folder, warmupRuns: 1 },
    limits: { sessions: 6 },
    swap: { engine: ENGINE, ...patch.swap },
  });
  endings.push(() => server.stop());
  const { face } = server.pool.defaults;
  await server.pool.preload(face!);
  return { server, camera: await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, WIDTH, HEIGHT) };
}

/** A camera that is on for as long as the test. */
async function publish(server: TestServer, camera: Frame, fps: number): Promise<{ one: Publisher; session: Session }> {
  const one = new Publisher();
  endings.push(() => one.close());
  one.play({ width: camera.width, height: camera.height }, [camera.data], fps);
  const answer = await one.whip(server.url);
  expect(answer.status).toBe(201);
  const session = server.sessions.get(one.location.split('/').at(-1)!)!;
  await until(() => one.received.length > 3, 'pictures', 20_000);
  return { one, session };
}

/** Waits until so many more pictures have come back; reports the longest time without one. */
async function goesOn({ timesMs }: Publisher, count: number): Promise<void> {
  const from = timesMs.length;
  await until(() => timesMs.length >= from + count, `${count} more pictures`, 60_000);
  const times = timesMs.slice(from);
  const longest = Math.max(...times.slice(1).map((at, i) => at - times[i]!));
  console.log(
    `longest gap between ${times.length} pictures in ${Math.round(times.at(-1)! - times[0]!)} ms: ${Math.round(longest)} ms`,
  );
}

/** What is done to the next pictures that are shown. */
async function shownNext(session: Session, camera: Frame, count = 15): Promise<Set<string>> {
  const seen = new Set<string>();
  let last: Frame | null = null;
  let pictures = 0;
  const isNext = (): boolean => {
    if (session.picture === last) return false;
    last = session.picture;
    seen.add(shown(session, camera));
    return ++pictures >= count;
  };
  await until(isNext, `${count} pictures`, 30_000);
  return seen;
}

/**
 * What was done to the picture that is shown: mesh changes the middle of the face a good deal; a generator that answers
 * with what it is given hardly changes it.
 */
function shown(session: Session, camera: Frame): 'mesh' | 'generator' | 'squares' | 'camera' {
  const { data } = session.picture!;
  const mean = (x0: number, x1: number, y0: number, y1: number): number => {
    let sum = 0;
    for (let y = y0; y < y1; y++)
      for (let x = x0; x < x1; x++) sum += Math.abs(data[y * WIDTH + x]! - camera.data[y * WIDTH + x]!);
    return sum / ((x1 - x0) * (y1 - y0));
  };
  const [face, corner] = [mean(220, 380, 180, 330), mean(0, WIDTH, 0, 60)];
  // In coarse squares nearly every pixel is the one beside it.
  const row = data.subarray(240 * WIDTH, 241 * WIDTH);
  if (row.filter((value, x) => value === row[x - 1]).length > 0.9 * WIDTH) return 'squares';
  // The codec on the way in changes the camera's picture a little everywhere.
  return face - corner > 5 ? 'mesh' : face - corner > 0.3 ? 'generator' : 'camera';
}

describe('a generator of about 60 ms', () => {
  test('swaps within a long budget; too many streams lower the quality, which recovers when they end', async () => {
    const { server, camera } = await start(60, { pipeline: { budgetMs: 250, lanes: 1 } });
    const first = await publish(server, camera, 8);
    await until(() => shown(first.session, camera) === 'generator', 'the generator', 15_000);
    await goesOn(first.one, 15);
    expect(first.session.stats.plan).toBe('full');

    const more = [];
    for (let i = 0; i < 5; i++) more.push(await publish(server, camera, 8));
    const all = [first, ...more];
    await Promise.all([
      Promise.all(all.map(({ one }) => goesOn(one, 40))),
      until(() => all.some(({ session }) => session.level > 0), 'a step down', 30_000),
    ]);

    for (const { one, session } of more) {
      session.close('the test is over');
      one.close();
    }
    await until(
      () => first.session.stats.plan === 'full' && shown(first.session, camera) === 'generator',
      'full quality',
      40_000,
    );
    await goesOn(first.one, 8);
  }, 120_000);

  test('is replaced by mesh within a budget shorter than its run', async () => {
    const { server, camera } = await start(60, { pipeline: { budgetMs: 33, lanes: 1 } });
    const { one, session } = await publish(server, camera, 15);
    await until(() => shown(session, camera) === 'mesh', 'mesh', 15_000);
    await goesOn(one, 45);
    expect(await shownNext(session, camera)).toEqual(new Set(['mesh']));
  }, 60_000);
});

describe('a generator of about 500 ms', () => {
  test('swaps within a long budget', async () => {
    const { server, camera } = await start(500, {
      pipeline: { budgetMs: 2500, lanes: 1 },
      inference: { batch: 1 },
    });
    const { one, session } = await publish(server, camera, 15);
    await until(() => shown(session, camera) === 'generator', 'the generator', 20_000);
    await goesOn(one, 8);
    expect(shown(session, camera)).toBe('generator');
  }, 60_000);

  test('is replaced by mesh within a short budget, and pictures continue while the generator is tried again', async () => {
    const { server, camera } = await start(500, { pipeline: { budgetMs: 100, lanes: 1 } });
    const { one, session } = await publish(server, camera, 15);
    await until(() => shown(session, camera) === 'mesh', 'mesh', 15_000);
    // A trial is made every ten seconds.
    await goesOn(one, 165);
    const { swapped } = session.stats;
    await until(() => session.stats.swapped > swapped + 5, 'more swaps');
    expect(shown(session, camera)).toBe('mesh');
  }, 60_000);

  test('leaves frames to the fallback without a reserve', async () => {
    const patch: Patch = { pipeline: { budgetMs: 100, lanes: 1, fallback: 'blur' }, swap: { reserve: 'none' } };
    const { server, camera } = await start(500, patch);
    const { one, session } = await publish(server, camera, 15);
    await until(() => shown(session, camera) === 'squares', 'the fallback', 15_000);
    await goesOn(one, 45);
    expect(await shownNext(session, camera)).toEqual(new Set(['squares']));
  }, 60_000);
});
