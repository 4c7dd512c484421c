/** Which stages a frame goes through, and in which order, with a stream and tools that only write down what is asked. */

import { describe, expect, test } from 'vitest';
import type { Track } from '../../../../src/pipeline/face/track.ts';
import { Budget, Costs, type StageName } from '../../../../src/pipeline/lane/budget.ts';
import { type FrameInputs, swapFrame } from '../../../../src/pipeline/lane/pipeline.ts';
import { guarded, ladderFor, type Plan } from '../../../../src/pipeline/lane/quality-ladder.ts';

const [FULL] = ladderFor(false, false) as [Plan];
const PASSTHROUGH = ladderFor(false, false).at(-1)!;
/** A face that looks into the camera: the nose in the middle between the cheeks. */
const FACING = new Float32Array(478 * 3);
FACING[3 * 454] = 100;
FACING[3] = 50;

interface Scene {
  /** Tracks of the last frame, by id. */
  tracks?: number[];
  /** Ids that the landmark model finds, and what a run of the detector adds to them. */
  present?: number[];
  /** Ids of faces that the detector finds anew. */
  appears?: number[];
  isDue?: boolean;
  plan?: Plan;
  /** Whether stages fit into the budget. */
  hasTime?: boolean;
  /** Ids whose swapper awaits the device. */
  waits?: number[];
  /** Ids of people who have not been embedded. */
  unknown?: number[];
  /** Faces that are seen beyond those that are followed. */
  unfollowed?: number;
  /** Ids of tracks that an embedding shows to be the person of another track, which is dropped. */
  sameAs?: Record<number, number>;
}

async function play(scene: Scene) {
  const { present = [], appears = [], isDue = false, plan = FULL, hasTime = true, waits = [], unknown = [] } = scene;
  const log: string[] = [];
  const seen = new Set(present);
  const track = (id: number): Track => ({
    id,
    points: FACING,
    box: { x: 0, y: 0, width: 10, height: 10 },
    seen: false,
  });
  const tracks = (scene.tracks ?? []).map(track);
  const tracker = {
    tracks,
    unfollowed: scene.unfollowed ?? 0,
    beginFrame: () => undefined,
    isDetectionDue: () => tracks.length === 0 || isDue,
    detect: async () => {
      log.push('detect');
      for (const id of appears) {
        seen.add(id);
        if (!tracks.some((known) => known.id === id)) tracks.push(track(id));
      }
    },
    follow: async ({ id }: Track) => {
      log.push(`look ${id}`);
      return seen.has(id) ? { region: {}, square: {}, crop: {} } : null;
    },
    prune: () => [],
  };
  const stream = {
    cuts: { at: () => false },
    tracker,
    looks: {},
    selectTracks: (all: readonly Track[]) => [...all],
    needsEmbedding: ({ id }: Track, _nowMs: number, limit: string) => limit === 'none' || unknown.includes(id),
    assignIdentity: ({ id }: Track) => {
      log.push(`embed ${id}`);
      const other = scene.sameAs?.[id];
      if (other !== undefined)
        tracks.splice(
          tracks.findIndex((known) => known.id === other),
          1,
        );
    },
    swapperFor: ({ id }: Track) => ({
      waits: () => waits.includes(id),
      swap: () => log.push(`swap ${id}`),
      close: () => undefined,
    }),
    forget: () => undefined,
    cut: () => undefined,
  };
  const tools = {
    embedder: { embed: async () => new Float32Array(128) },
    restorer: null,
    runConcurrently: async (jobs: readonly (() => Promise<void>)[]) => {
      if (jobs.length > 0) log.push('together');
      for (const job of jobs) await job();
    },
  };
  const costs = new Costs();
  for (const stage of ['detect', 'recognise'] satisfies StageName[]) costs.note(stage, hasTime ? 1 : 100);
  const budget = new Budget({ receivedAtMs: 0, budgetMs: 30, costs, now: () => 0 });
  const frame = { width: 64, height: 64, data: new Uint8Array(6144), receivedAtMs: 0 };
  const outcome = await swapFrame({ frame, stream, tools, plan, budget } as unknown as FrameInputs);
  return { log, outcome };
}

describe('two people', () => {
  const plans = [false, true].flatMap((restores) => [false, true].flatMap((reserve) => ladderFor(restores, reserve)));

  test.each(plans.filter(({ swap }) => swap).map((plan) => [plan.name, plan] as const))(
    'are both swapped, however little time there is (%s)',
    async (_name, plan) => {
      const { log, outcome } = await play({ tracks: [1, 2], present: [1, 2], plan, hasTime: false });
      expect(log).toEqual(['look 1', 'swap 1', 'look 2', 'swap 2']);
      expect(outcome.exposed).toBe(false);
    },
  );

  test('are not all hidden where a third one is not followed', async () => {
    const { outcome } = await play({ tracks: [1, 2], present: [1, 2], unfollowed: 1 });
    expect(outcome).toMatchObject({ result: 'swapped', exposed: true, unfollowed: 1 });
  });
});

describe('a frame', () => {
  test('without tracks is searched, even without time', async () => {
    const { log } = await play({ appears: [1], hasTime: false });
    expect(log).toEqual(['detect', 'look 1', 'swap 1']);
  });

  test('with tracks is searched when that is due and there is time', async () => {
    const due = { tracks: [1], present: [1], isDue: true };
    expect((await play(due)).log).toEqual(['detect', 'look 1', 'swap 1']);
    expect((await play({ ...due, hasTime: false })).log).toEqual(['look 1', 'swap 1']);
    expect((await play({ ...due, isDue: false })).log).toEqual(['look 1', 'embed 1', 'swap 1']);
  });

  test('of a guarded stream is searched without time, and people are embedded beside that', async () => {
    const plan = guarded(FULL);
    const scene = { tracks: [1], present: [1], isDue: true, plan };
    expect((await play(scene)).log).toEqual(['detect', 'look 1', 'embed 1', 'swap 1']);
    expect((await play({ ...scene, hasTime: false })).log).toEqual(['detect', 'look 1', 'swap 1']);
  });

  test('in which a track is lost is searched once, and new faces come after the others', async () => {
    const { log, outcome } = await play({ tracks: [1, 2, 3], present: [2], appears: [1, 4] });
    // The embeddings stop once the detector has run.
    expect(log).toEqual(['look 1', 'detect', 'look 1', 'swap 1', 'look 2', 'swap 2', 'look 3', 'look 4', 'swap 4']);
    expect(outcome.faces.map(({ swapped }) => swapped)).toEqual([true, true, false, true]);
    expect(outcome.exposed).toBe(true);
  });

  test('embeds an unknown person although the detector has run', async () => {
    const { log } = await play({ tracks: [1], present: [1], isDue: true, unknown: [1] });
    expect(log).toEqual(['detect', 'look 1', 'embed 1', 'swap 1']);
  });

  test('does not look at a track that turned out to be another one’s person', async () => {
    const { log } = await play({ tracks: [1, 2], present: [1, 2], sameAs: { 1: 2 } });
    expect(log).toEqual(['look 1', 'embed 1', 'swap 1']);
  });

  test('swaps those that await the device together, after the others', async () => {
    const { log, outcome } = await play({ tracks: [1, 2, 3], present: [1, 2, 3], waits: [1, 3], hasTime: false });
    expect(log).toEqual(['look 1', 'look 2', 'swap 2', 'look 3', 'together', 'swap 1', 'swap 3']);
    expect(outcome).toMatchObject({ result: 'swapped', exposed: false });
  });

  test('of a plan that does not swap goes through no stage', async () => {
    const { log, outcome } = await play({ tracks: [1], present: [1], plan: PASSTHROUGH });
    expect(log).toEqual([]);
    expect(outcome).toEqual({ result: 'passed', faces: [], exposed: true });
  });
});
