/** The fuzzer finds nothing in a few hundred inputs of each quick target, and finds every kind of defect in a stand-in. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { Random } from '../../../fuzz/mutate/random.ts';
import { type Failure, growthOf, runInputs } from '../../../fuzz/run/run-inputs.ts';
import { type SuperviseOptions, supervise, type TargetResult } from '../../../fuzz/run/supervise.ts';
import { standInTarget } from '../../../fuzz/targets/parsers/stand-in-target.ts';
import { QUICK_TARGETS, TARGETS, targetNamed } from '../../../fuzz/targets/targets.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-fuzz-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(QUICK_TARGETS.map((target) => [target.name, target] as const))(
  'nothing fails in %s',
  async (_name, target) => {
    const failures: Failure[] = [];
    const open = await target.open(mkdtempSync(path.join(folder, 'target-')));
    const range = { seed: 1, from: 0, count: 300, untilMs: Date.now() + 60_000, hangMs: 5000 };
    const counts = await runInputs(target, open, { ...range, onFailure: (failure) => failures.push(failure) });
    await open.close();
    expect(failures).toEqual([]);
    expect(counts.fed).toBe(300);
    // Inputs that are all refused, or all taken, reach half of the code.
    expect(counts.taken).toBeGreaterThan(0);
    expect(counts.taken).toBeLessThan(300);
  },
);

test('inputs are the same for the same seed and number, and others for others', async () => {
  for (const target of QUICK_TARGETS) {
    const open = await target.open(mkdtempSync(path.join(folder, 'target-')));
    const made = (seed: number, index: number): string =>
      open.make(Random.of(seed, target.name, index)).toString('hex');
    expect(made(1, 5)).toBe(made(1, 5));
    const others = new Set(Array.from({ length: 20 }, (_, index) => made(1, index)));
    expect(others.size).toBeGreaterThan(15);
    expect(made(2, 5)).not.toBe(made(1, 5));
  }
});

test('targets have names of their own, and an unknown one is refused with all of them', () => {
  expect(new Set(TARGETS.map(({ name }) => name)).size).toBe(TARGETS.length);
  expect(() => targetNamed('nothing')).toThrow(/There are: offer, fragment/);
});

describe('a target with a defect fails:', () => {
  afterEach(() => {
    delete process.env.FACEOFF_FUZZ_STAND_IN;
  });

  async function run(defect: string, options: Partial<SuperviseOptions> = {}): Promise<TargetResult> {
    process.env.FACEOFF_FUZZ_STAND_IN = defect;
    return supervise({ target: standInTarget.name, seed: 3, count: 120, forMs: 60_000, folder, ...options });
  }

  const sound = { fed: 120, failures: [] };

  test('none, where nothing is wrong or an input is refused', async () => {
    expect(await run('none')).toMatchObject({ ...sound, taken: 120 });
    const refused = await run('refusal');
    expect(refused).toMatchObject(sound);
    expect(refused.taken).toBeLessThan(120);
  });

  test.each(['threw', 'wrong', 'stack', 'rejection', 'crash'] as const)('%s', async (kind) => {
    const { failures, fed } = await run(kind);
    expect(failures.length).toBeGreaterThan(1);
    expect(new Set(failures.map((failure) => failure.kind))).toEqual(new Set([kind]));
    // The inputs behind a crash are fed, too.
    expect(fed).toBe(120);
  });

  test.each([
    ['one that is never answered', 'hang'],
    ['one that holds the process', 'held'],
  ])('%s', async (_what, defect) => {
    const { failures } = await run(defect, { hangMs: 300, count: 40 });
    expect(failures.length).toBeGreaterThan(0);
    expect(new Set(failures.map((failure) => failure.kind))).toEqual(new Set(['hang']));
  });

  test('memory that grows', async () => {
    const { failures } = await run('growth', { count: 400 });
    expect(failures).toMatchObject([{ kind: 'growth', index: null, message: expect.stringMatching(/MiB over 400/) }]);
  });

  test('and is replayed from the saved input, or from its number', async () => {
    const { failures } = await run('wrong');
    const { file, index } = failures[0]!;
    expect(readFileSync(file!)).toEqual(Buffer.from([7]));
    expect((await run('wrong', { replay: file! })).failures).toMatchObject([{ kind: 'wrong' }]);
    expect((await run('none', { replay: file! })).failures).toEqual([]);
    expect((await run('wrong', { from: index!, count: 1 })).failures).toMatchObject([{ kind: 'wrong', index }]);
  });

  test('with its input also where the process crashed', async () => {
    const { failures } = await run('crash');
    expect(readFileSync(failures[0]!.file!)).toEqual(Buffer.from([7]));
  });
});

test('growth is the least of the last quarter over the least of the second', () => {
  const used = (...bytes: number[]) => bytes.map((value, n) => ({ done: (n + 1) / bytes.length, bytes: value }));
  // The first quarter is the warm-up, and one peak is no growth.
  expect(growthOf(used(1, 50, 50, 51, 90, 52, 99, 50))).toBe(0);
  expect(growthOf(used(50, 50, 50, 50, 60, 70, 80, 90))).toBe(20);
  expect(growthOf(used(1))).toBe(0);
});
