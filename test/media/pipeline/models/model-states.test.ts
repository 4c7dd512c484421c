import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ModelStates } from '../../../../src/pipeline/models/model-states.ts';
import type { ModelInfo } from '../../../../src/shared/messages.ts';
import { NONE } from '../../../../src/shared/settings.ts';
import { killLane } from '../../../support/crashes.ts';
import { copyFrame, cutFrame, group } from '../../../support/lane.ts';
import { startServer, type TestServer, until } from '../../../support/server.ts';
import { type StandIns, standIns } from '../../../support/stand-ins.ts';

const NEEDED = ['inswapper_128', 'arcface_w600k_r50'];
let models: StandIns;
beforeAll(() => {
  models = standIns([...NEEDED, 'ghost_1_256']);
});
afterAll(() => models.remove());

describe('the state of a model', () => {
  const lane = {};
  const other = {};
  const of = (states: ModelStates, name: string): ModelInfo => states.list().find((model) => model.name === name)!;

  test('before it is loaded says whether its file is here, and what it needs', () => {
    const states = new ModelStates(models.catalogue);
    expect(of(states, 'inswapper_128')).toMatchObject({ state: 'present', role: 'generator', needs: [] });
    expect(of(states, 'inswapper_128')).toMatchObject({ commercialUse: false, comesAlong: false });
    expect(of(states, 'ghost_1_256')).toMatchObject({ state: 'present', needs: ['crossface_ghost'] });
    expect(of(states, 'simswap_256')).toMatchObject({ state: 'absent' });
    expect(of(states, 'simswap_256').needs).toContain('simswap_256');
    expect(of(states, 'face-mesh')).toMatchObject({ state: 'present', comesAlong: true, role: 'face-mesh' });
  });

  test('is ready before loading, and loading before failed, over all threads', () => {
    const states = new ModelStates(models.catalogue);
    states.note(lane, { model: 'inswapper_128', state: 'failed', why: 'no memory' });
    expect(of(states, 'inswapper_128')).toMatchObject({ state: 'failed', why: 'no memory', provider: null });
    states.note(other, { model: 'inswapper_128', state: 'loading' });
    expect(of(states, 'inswapper_128')).toMatchObject({ state: 'loading', why: null });
    states.note(other, { model: 'inswapper_128', state: 'ready', provider: 'cuda' });
    expect(of(states, 'inswapper_128')).toMatchObject({ state: 'ready', provider: 'cuda' });
    expect(states.usesGpu).toBe(true);
  });

  test('forgets what an ended thread had loaded, but keeps what it found out', () => {
    const states = new ModelStates(models.catalogue);
    states.note(lane, { model: 'inswapper_128', state: 'ready', provider: 'cpu' });
    states.note(lane, { model: 'ghost_1_256', state: 'loading' });
    states.forget(lane);
    expect(of(states, 'inswapper_128')).toMatchObject({ state: 'verified', provider: null });
    expect(of(states, 'ghost_1_256')).toMatchObject({ state: 'present' });
    expect(states.usesGpu).toBe(false);
  });
});

describe('/api/models of a running server', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ models: { dir: models.folder, warmupRuns: 0 }, pipeline: { budgetMs: 1000 } });
  });
  afterAll(() => server.stop());

  const modelOf = async (name: string): Promise<ModelInfo> => {
    const list = (await (await fetch(`${server.url}/api/models`)).json()) as ModelInfo[];
    return list.find((model) => model.name === name)!;
  };
  const stateIs = (name: string, state: string) =>
    until(async () => (await modelOf(name)).state === state, `${name} to be ${state}`);

  test('lists the models of every lane as ready, the geometry as verified, the others as they are', async () => {
    expect(await modelOf('face-mesh')).toMatchObject({ state: 'ready', provider: 'cpu' });
    expect(await modelOf('face-geometry')).toMatchObject({ state: 'verified' });
    expect(await modelOf('inswapper_128')).toMatchObject({ state: 'present', provider: null });
  });

  test('follows an engine that is chosen live, let go, and lost with its lane', async () => {
    const camera = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
    const swap = () => session.swap({ ...copyFrame(camera), receivedAtMs: performance.now() }).catch(() => null);
    const session = server.pool.open('chooses', { engine: 'inswapper_128' });
    await until(async () => {
      await swap();
      return (await modelOf('inswapper_128')).state === 'ready';
    }, 'the engine');
    expect(await modelOf('inswapper_128')).toMatchObject({ provider: 'cpu', why: null });
    session.set({ engine: 'mesh' });
    await stateIs('inswapper_128', 'verified');
    session.set({ engine: 'inswapper_128' });
    await until(async () => {
      await swap();
      return (await modelOf('inswapper_128')).state === 'ready';
    }, 'the engine again');
    session.set({ engine: 'mesh' });
    await killLane();
    await until(async () => (await swap()) !== null, 'the next lane');
    await stateIs('face-mesh', 'ready');
    expect(await modelOf('inswapper_128')).toMatchObject({ state: 'verified' });
    session.close();
  });

  test('engine none shows every face unswapped at once, and mesh swaps again', async () => {
    const camera = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
    const swap = () => session.swap({ ...copyFrame(camera), receivedAtMs: performance.now() });
    const session = server.pool.open('none', {});
    await until(async () => (await swap()).result === 'swapped', 'a swap');
    session.set({ engine: NONE });
    const { result, frame } = await swap();
    expect(result).toBe('passed');
    expect(Buffer.compare(frame.data, camera.data)).toBe(0);
    session.set({ engine: NONE, choice: 'mapped' });
    expect((await swap()).result).toBe('passed');
    session.set({ engine: 'mesh', choice: 'all' });
    await until(async () => (await swap()).result === 'swapped', 'a swap again');
    session.close();
  });

  test('says why an engine failed', async () => {
    const folder = standIns([...NEEDED]);
    writeFileSync(path.join(folder.folder, 'optional/inswapper_128.onnx'), 'nonsense');
    const broken = await startServer({
      models: { dir: folder.folder, warmupRuns: 0 },
      swap: { engine: 'inswapper_128' },
    });
    try {
      const list = (await (await fetch(`${broken.url}/api/models`)).json()) as ModelInfo[];
      const model = list.find(({ name }) => name === 'inswapper_128')!;
      expect(model.state).toBe('failed');
      expect(model.why).toMatch(/cannot be read as an ONNX model/);
    } finally {
      await broken.stop();
      folder.remove();
    }
  });

  test('notices a file that goes away', async () => {
    rmSync(path.join(models.folder, 'optional/ghost_1_256.onnx'));
    expect(await modelOf('ghost_1_256')).toMatchObject({ state: 'absent', needs: ['ghost_1_256', 'crossface_ghost'] });
  });
});
