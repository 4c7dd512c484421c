/** Which job holds a lane's memory, and when. */

import { expect, test } from 'vitest';
import { LaneMutex } from '../../../../src/pipeline/lane/lane-mutex.ts';

const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

test('jobs run one at a time, in the order of asking', async () => {
  const mutex = new LaneMutex();
  const log: string[] = [];
  const work = (name: string) =>
    mutex.run(async () => {
      log.push(`${name} in`);
      await later(2);
      log.push(`${name} out`);
    });
  await Promise.all(['a', 'b', 'c'].map(work));
  expect(log).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
});

test('a job that yields lets others run, and continues when the mutex is free', async () => {
  const mutex = new LaneMutex();
  const log: string[] = [];
  const first = mutex.run(async () => {
    log.push('a asks');
    await mutex.yieldWhile(later(10));
    log.push('a goes on');
  });
  const second = mutex.run(async () => {
    log.push('b in');
    await later(20);
    log.push('b out');
  });
  await Promise.all([first, second]);
  expect(log).toEqual(['a asks', 'b in', 'b out', 'a goes on']);
});

test('concurrent jobs run beside each other, and their caller continues when all are done', async () => {
  const mutex = new LaneMutex();
  let [inside, most, away, mostAway, done] = [0, 0, 0, 0, 0];
  const work = async () => {
    most = Math.max(most, ++inside);
    await later(1);
    inside--;
    mostAway = Math.max(mostAway, ++away);
    await mutex.yieldWhile(later(10));
    away--;
    done++;
  };
  await mutex.run(async () => {
    await mutex.runConcurrently([work, work, work]);
    expect(done).toBe(3);
  });
  expect([most, mostAway]).toEqual([1, 3]);
});

test('a failure of a concurrent job is thrown once all are done, and the caller keeps the mutex', async () => {
  const mutex = new LaneMutex();
  let done = 0;
  const works = [
    () => Promise.reject(new Error('no')),
    async () => {
      await mutex.yieldWhile(later(5));
      done++;
    },
  ];
  await expect(mutex.run(() => mutex.runConcurrently(works))).rejects.toThrow('no');
  expect(done).toBe(1);
  expect(await mutex.run(() => 7)).toBe(7);
});
