/** Who has a lane's memory, and when. */

import { expect, test } from 'vitest';
import { Turns } from '../../../../src/pipeline/lane/lane-mutex.ts';

const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

test('one at a time, in the order of asking', async () => {
  const turns = new Turns();
  const log: string[] = [];
  const work = (name: string) =>
    turns.hold(async () => {
      log.push(`${name} in`);
      await later(2);
      log.push(`${name} out`);
    });
  await Promise.all(['a', 'b', 'c'].map(work));
  expect(log).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
});

test('who is away lets others in, and comes back when it is free', async () => {
  const turns = new Turns();
  const log: string[] = [];
  const first = turns.hold(async () => {
    log.push('a asks');
    await turns.away(later(10));
    log.push('a goes on');
  });
  const second = turns.hold(async () => {
    log.push('b in');
    await later(20);
    log.push('b out');
  });
  await Promise.all([first, second]);
  expect(log).toEqual(['a asks', 'b in', 'b out', 'a goes on']);
});

test('several are done beside each other, and the one who asked goes on when all are done', async () => {
  const turns = new Turns();
  let [inside, most, away, mostAway, done] = [0, 0, 0, 0, 0];
  const work = async () => {
    most = Math.max(most, ++inside);
    await later(1);
    inside--;
    mostAway = Math.max(mostAway, ++away);
    await turns.away(later(10));
    away--;
    done++;
  };
  await turns.hold(async () => {
    await turns.together([work, work, work]);
    expect(done).toBe(3);
  });
  expect([most, mostAway]).toEqual([1, 3]);
});

test('a failure is told once all are done, and the turn goes on', async () => {
  const turns = new Turns();
  let done = 0;
  const works = [
    () => Promise.reject(new Error('no')),
    async () => {
      await turns.away(later(5));
      done++;
    },
  ];
  await expect(turns.hold(() => turns.together(works))).rejects.toThrow('no');
  expect(done).toBe(1);
  expect(await turns.hold(() => 7)).toBe(7);
});
