import { expect, test } from 'vitest';
import { HeapTrim, trimHeap } from '../../../../src/server/monitor/heap-trim.ts';

test('memory is given back once sessions have gone and no more go or come', async () => {
  let trims = 0;
  const trim = new HeapTrim(async () => void trims++);
  const observe = (...counts: number[]): number => {
    for (const count of counts) trim.observe(count);
    return trims;
  };
  expect(observe(0, 1, 2, 2, 2, 2, 2, 2, 2, 2)).toBe(0);
  expect(observe(1, 1, 1, 0, 0, 0, 0, 0)).toBe(0);
  expect(observe(0)).toBe(1);
  await Promise.resolve();
  expect(observe(0, 0, 0, 0, 0, 0, 0)).toBe(1);
});

test('while others are live it happens every five minutes at most', async () => {
  let [trims, nowMs] = [0, 0];
  const trim = new HeapTrim(
    async () => void trims++,
    () => nowMs,
  );
  const leave = (): number => {
    for (const count of [2, 1, 1, 1, 1, 1, 1]) trim.observe(count);
    return trims;
  };
  expect(leave()).toBe(0);
  nowMs = 301_000;
  expect(leave()).toBe(1);
  await Promise.resolve();
  nowMs = 400_000;
  expect(leave()).toBe(1);
});

test('only one trim runs at a time', async () => {
  let trims = 0;
  let end = (): void => undefined;
  const trim = new HeapTrim(() => {
    trims++;
    return new Promise((resolve) => {
      end = resolve;
    });
  });
  trim.trimNow();
  trim.trimNow();
  expect(trims).toBe(1);
  end();
  await new Promise((resolve) => setTimeout(resolve));
  trim.trimNow();
  expect(trims).toBe(2);
});

test('the system is asked for it where its C library can', async () => {
  await expect(trimHeap()).resolves.toBeUndefined();
});
