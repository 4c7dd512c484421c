/** What is gathered into a run, and how the size of runs follows what happens to them; on a clock of the test's own. */

import { describe, expect, test } from 'vitest';
import { Batcher, type BatcherOptions } from '../../../../src/pipeline/device/batcher.ts';
import { FaceOffError } from '../../../../src/shared/errors.ts';

/** A device that takes so many milliseconds for a run, on a clock that only it moves. */
function device(takesMs: (size: number) => number, options: Partial<BatcherOptions> = {}) {
  let nowMs = 0;
  const sizes: number[] = [];
  const held: number[] = [];
  let fails: (size: number) => unknown = () => null;
  let freed = 0;
  const batcher = new Batcher(
    {
      place: (at, [values]) => (held[at] = values![0]!),
      async run(size) {
        const failure = fails(size);
        if (failure !== null) throw failure;
        sizes.push(size);
        nowMs += takesMs(size);
      },
      read: (at) => [Float32Array.of(10 * held[at]!)],
    },
    {
      max: 8,
      start: 1,
      now: () => nowMs,
      onOutOfMemory: async () => {
        freed++;
      },
      ...options,
    },
  );
  const ask = (value: number, withinMs = Number.POSITIVE_INFINITY): Promise<number | string> =>
    new Promise((resolve) =>
      batcher.add({
        inputs: [Float32Array.of(value)],
        deadlineMs: nowMs + withinMs,
        done: ([out]) => resolve(out![0]!),
        fail: (error) => resolve(error instanceof FaceOffError ? error.code : String(error)),
      }),
    );
  return {
    batcher,
    sizes,
    ask,
    get freed() {
      return freed;
    },
    get nowMs() {
      return nowMs;
    },
    failWith: (how: typeof fails) => {
      fails = how;
    },
  };
}
const outOfMemory = new FaceOffError('out_of_memory', 'no memory');
const counted = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

test('every request gets its own answer', async () => {
  const { ask } = device(() => 1, { start: 4 });
  expect(await Promise.all(counted(10).map((i) => ask(i)))).toEqual(counted(10).map((i) => 10 * i));
});

test('a lone request runs at once and alone', async () => {
  const one = device(() => 5, { start: 8 });
  for (const i of counted(5)) expect(await one.ask(i, 10)).toBe(10 * i);
  expect(one.sizes).toEqual([1, 1, 1, 1, 1]);
  expect(one.nowMs).toBe(25);
});

test('the most urgent goes first', async () => {
  const { ask } = device(() => 1, { start: 1 });
  const order: number[] = [];
  const within = [50, 10, 30];
  await Promise.all(within.map((ms) => ask(ms, ms).then(() => order.push(ms))));
  expect(order).toEqual([10, 30, 50]);
});

test('batches grow by one while they are on time, up to the most', async () => {
  const { batcher, ask, sizes } = device((size) => 2 + size);
  expect(batcher.limit).toBe(1);
  for (let round = 0; round < 60; round++) await Promise.all(counted(8).map((i) => ask(i, 1000)));
  expect(batcher.limit).toBe(8);
  for (const [i, size] of sizes.entries())
    if (i > 0) expect(size).toBeLessThanOrEqual(Math.max(...sizes.slice(0, i)) + 1);
});

test('a batch that made a request late halves the next ones', async () => {
  const { batcher, ask } = device((size) => 10 * size, { start: 8 });
  await Promise.all(counted(8).map((i) => ask(i, 50)));
  expect(batcher.limit).toBe(4);
  await Promise.all(counted(4).map((i) => ask(i, 45)));
  expect(batcher.limit).toBe(4);
});

test('a request past its deadline is not run', async () => {
  let late = 0;
  const { ask, sizes } = device(() => 20, { start: 2, onLate: () => late++ });
  // The two most urgent are run, though they will be late; the third's time is over by then, the fourth's is not.
  expect(await Promise.all([ask(1, 15), ask(2, 16), ask(3, 17), ask(4, 90)])).toEqual([10, 20, 'too_late', 40]);
  expect(late).toBe(1);
  expect(sizes).toEqual([2, 1]);
});

describe('out of memory', () => {
  test('frees memory, halves the batch, and runs each half once more', async () => {
    const one = device(() => 1, { start: 8 });
    one.failWith((size) => (size > 4 ? outOfMemory : null));
    expect(await Promise.all(counted(8).map((i) => one.ask(i)))).toEqual(counted(8).map((i) => 10 * i));
    expect(one.sizes).toEqual([4, 4]);
    expect(one.batcher.limit).toBe(4);
    expect(one.freed).toBe(1);
  });

  test('fails the requests of a half that has no memory either, and later ones succeed', async () => {
    const one = device(() => 1, { start: 2 });
    one.failWith(() => outOfMemory);
    expect(await Promise.all([one.ask(1), one.ask(2)])).toEqual(['out_of_memory', 'out_of_memory']);
    expect(one.batcher.limit).toBe(1);
    one.failWith(() => null);
    expect(await one.ask(3)).toBe(30);
  });

  test('leaves nothing behind after five hundred times', async () => {
    const one = device(() => 1, { start: 8 });
    let n = 0;
    one.failWith(() => (n++ % 3 === 0 ? outOfMemory : null));
    for (let round = 0; round < 500; round++) {
      const answers = await Promise.all(counted(3).map((i) => one.ask(i)));
      for (const [i, answer] of answers.entries()) expect([10 * i, 'out_of_memory']).toContain(answer);
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(one.batcher.busy).toBe(false);
    n = 1;
    expect(await one.ask(4)).toBe(40);
  });
});

test('requests still waiting at close fail with an error', async () => {
  const { batcher, ask } = device(() => 1, { start: 1 });
  const asked = counted(3).map((i) => ask(i));
  await batcher.close();
  expect(await Promise.all(asked)).toEqual(['model_closed', 'model_closed', 'model_closed']);
  expect(await ask(9)).toBe('model_closed');
});
