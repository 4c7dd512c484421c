/** The jobs of a worker, with sessions that the test plays. */

import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AgentMetrics } from '../../../src/agent/agent-metrics.ts';
import type { LinkTarget, RoomLink } from '../../../src/agent/room-link.ts';
import { SwapJobs } from '../../../src/agent/swap-jobs.ts';
import type { WorkerJob } from '../../../src/agent/worker-protocol.ts';
import type { Sessions } from '../../../src/server/session/sessions.ts';
import { FaceOffError } from '../../../src/shared/errors.ts';
import { DEFAULT_SETTINGS, type SettingsPatch, type SwapSettings } from '../../../src/shared/settings.ts';

class FakeSession {
  readonly id = 'S';
  settings: SwapSettings;
  isClosed = false;
  target: LinkTarget | null = null;
  shown: Record<string, string>[] = [];
  readonly #onClose: (why: string) => void;
  readonly peer = {
    fps: 0,
    isPublished: false,
    join: async (target: LinkTarget): Promise<void> => {
      this.target = target;
      await joining();
    },
    sendStats: (stats: object): void => void this.told.push(stats),
    showPublisher: (attributes: Record<string, string>): void => void this.shown.push(attributes),
  };
  readonly told: object[] = [];
  readonly stats = { maxFps: null as number | null };

  constructor(settings: SettingsPatch, onClose: (why: string) => void) {
    this.settings = { ...DEFAULT_SETTINGS, map: {}, ...settings };
    this.#onClose = onClose;
  }
  set(patch: SettingsPatch): void {
    if (patch.face === 'nobody' || (patch.face === 'new' && !known.has('new')))
      throw new FaceOffError('unknown_face', 'There is no face nobody.');
    this.settings = { ...this.settings, ...patch };
  }
  close(why: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#onClose(why);
  }
}

let sessions: FakeSession[] = [];
let joining: () => Promise<void> = async () => undefined;
let opening: () => void = () => undefined;
/** Faces of other processes that a look at the shared folder finds. */
let added: string[] = [];
const known = new Set<string>();
let ends: string[] = [];
let most = 3;
let registry: Registry;
let jobs: SwapJobs;

beforeEach(() => {
  vi.useFakeTimers();
  added = [];
  known.clear();
  [sessions, ends, most, joining, opening] = [[], [], 3, async () => undefined, () => undefined];
  registry = new Registry();
  jobs = new SwapJobs({
    at: { url: 'wss://livekit.example/', key: 'key', secret: 'secret' },
    sessions: {
      open: (settings: SettingsPatch, { onClose }: { onClose: (why: string) => void }) => {
        opening();
        const session = new FakeSession(settings, onClose);
        sessions.push(session);
        return session;
      },
    } as unknown as Sessions<RoomLink>,
    defaults: { guarded: true },
    lookForFaces: async () => {
      for (const face of added.splice(0)) known.add(face);
    },
    hasRoom: (count) => count < most,
    onEnd: (job, status, error) => ends.push(`${job} ${status} ${error}`),
    onChange: () => undefined,
    metrics: new AgentMetrics(registry),
    log: pino({ level: 'silent' }),
  });
});
afterEach(() => {
  jobs.close();
  vi.useRealTimers();
});

const job = (id: string, settings?: string, room = 'show.in.ann', identity = 'ann'): WorkerJob => ({
  id,
  dispatchId: 'D',
  room: { name: room },
  participant: { identity, attributes: settings === undefined ? {} : { 'faceoff.settings': settings } },
});
const begin = (id: string, settings?: string): FakeSession => {
  jobs.offer(job(id, settings));
  jobs.begin({ job: job(id, settings), token: 'T' });
  return sessions.at(-1)!;
};

test('takes publishers of cameras’ rooms, under an identity of the job’s own', () => {
  expect(jobs.offer(job('J1'))).toBe('faceoff-ann-J1');
  for (const [room, identity] of [
    ['show', 'ann'],
    ['show.in.ann', 'bob'],
    ['show.in.ann.x', 'ann'],
  ])
    expect(jobs.offer(job('J2', '{}', room, identity))).toBeNull();
});

test('what was accepted counts as taken, and is forgotten where another worker got it', async () => {
  most = 1;
  expect(jobs.offer(job('J1'))).not.toBeNull();
  expect(jobs.offer(job('J2'))).toBeNull();
  expect(await registry.getSingleMetricAsString('faceoff_agent_refused_total')).toMatch(
    /^faceoff_agent_refused_total 1$/m,
  );
  await vi.advanceTimersByTimeAsync(11_000);
  expect(jobs.pending).toBe(0);
  expect(jobs.offer(job('J3'))).not.toBeNull();
});

test('a job is pending until its frames show in the lanes', async () => {
  begin('J1');
  expect([jobs.size, jobs.pending, jobs.settled]).toEqual([1, 1, 0]);
  await vi.advanceTimersByTimeAsync(2100);
  expect([jobs.size, jobs.pending, jobs.settled]).toEqual([1, 0, 1]);
});

test('begins with the publisher’s settings, guarded unless they say otherwise, and enters the rooms by its own tokens', () => {
  const session = begin('J1', '{"strength":0.5}');
  expect(session.settings).toMatchObject({ guarded: true, strength: 0.5 });
  expect(session.target).toMatchObject({
    stream: 'show',
    publisher: 'ann',
    url: 'wss://livekit.example',
    identity: 'faceoff-ann-J1',
    cameraToken: 'T',
  });
  expect(begin('J2', '{"guarded":false}').settings.guarded).toBe(false);
});

test('settings that are left out later are as at the beginning', () => {
  const session = begin('J1', '{"strength":0.5,"guarded":false}');
  session.target!.onSettings('{"shape":0.1}');
  expect(session.settings).toMatchObject({ strength: DEFAULT_SETTINGS.strength, guarded: true, shape: 0.1 });
});

test.each(['no JSON', '3', '{"strength":7}', '{"unknown":1}'])(
  'settings that cannot be used change nothing, and are told: %s',
  (text) => {
    const session = begin('J1', text);
    expect(session.settings).toMatchObject({ guarded: true, face: DEFAULT_SETTINGS.face });
    const state = JSON.parse(session.shown.at(-1)!['faceoff.state']!) as { problem?: string };
    expect(state.problem).toMatch(/./);
    session.target!.onSettings('{}');
    expect(JSON.parse(session.shown.at(-1)!['faceoff.state']!)).not.toHaveProperty('problem');
  },
);

test('a face that is not there is told after some looks for it', async () => {
  const session = begin('J1', '{"face":"nobody"}');
  expect(session.shown).toEqual([]);
  await vi.advanceTimersByTimeAsync(6000);
  const state = JSON.parse(session.shown.at(-1)!['faceoff.state']!) as { problem?: string };
  expect(state.problem).toBe('There is no face nobody.');
});

test('a face that another process added a moment ago is found', async () => {
  const session = begin('J1', '{"face":"new"}');
  added = ['new'];
  await vi.advanceTimersByTimeAsync(1100);
  expect(session.settings.face).toBe('new');
  expect(JSON.parse(session.shown.at(-1)!['faceoff.state']!)).not.toHaveProperty('problem');
});

test('settings that come while a face is looked for hold', async () => {
  const session = begin('J1', '{"face":"nobody"}');
  session.target!.onSettings('{"strength":0.5}');
  await vi.advanceTimersByTimeAsync(6000);
  expect(session.settings.strength).toBe(0.5);
  expect(session.shown.map((one) => JSON.parse(one['faceoff.state']!).problem)).toEqual([undefined]);
});

test('pages are told statistics once a second', async () => {
  const session = begin('J1');
  for (let tick = 0; tick < 10; tick++) {
    await vi.advanceTimersByTimeAsync(500);
    jobs.tick();
  }
  expect(session.told).toHaveLength(5);
});

test('ends are told: of the server, of the publisher, of rooms that cannot be entered, of a worker without memory', async () => {
  begin('J1');
  jobs.terminate('J1');
  begin('J2').close('connection closed');
  joining = async () => {
    throw new Error('no permission');
  };
  begin('J3');
  await vi.advanceTimersByTimeAsync(1);
  opening = () => {
    throw new FaceOffError('server_full', 'Memory is short.');
  };
  begin('J4');
  expect(ends).toEqual([
    'J1 JS_SUCCESS ',
    'J2 JS_SUCCESS ',
    'J3 JS_FAILED the rooms could not be entered',
    'J4 JS_FAILED Memory is short.',
  ]);
  expect(jobs.size).toBe(0);
  jobs.terminate('unknown');
});

test('the bit rate follows the plan, and the first picture is noted once', async () => {
  const session = begin('J1');
  session.stats.maxFps = 12;
  jobs.tick();
  expect(session.peer.fps).toBe(12);
  session.peer.isPublished = true;
  jobs.tick();
  jobs.tick();
  expect(await registry.getSingleMetricAsString('faceoff_agent_first_picture_seconds')).toMatch(/_count 1$/m);
});

test('a worker that drains takes no job, and knows when one ended or has a successor', async () => {
  const session = begin('J1');
  begin('J2');
  jobs.drain();
  expect(jobs.offer(job('J3'))).toBeNull();
  const [first, second] = jobs.all();
  session.target!.onSuccessor();
  sessions[1]!.close('connection closed');
  await Promise.all([first!.successor, second!.ended]);
});
