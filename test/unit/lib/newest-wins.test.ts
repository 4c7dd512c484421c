import { expect, test } from 'vitest';
import { NewestWins } from '../../../src/lib/newest-wins.ts';

/** Work that ends when told. */
function stepped() {
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  let drops = 0;
  const latest = new NewestWins<number>(
    (item) => {
      begun.push(item);
      return new Promise((resolve) => ends.push(resolve));
    },
    () => drops++,
  );
  const end = async (): Promise<void> => {
    ends.shift()!();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { latest, begun, end, drops: () => drops };
}

test('one item is processed, the newest waits, those between are dropped and counted', async () => {
  const { latest, begun, end, drops } = stepped();
  for (const item of [1, 2, 3, 4]) latest.put(item);
  expect(begun).toEqual([1]);
  expect(drops()).toBe(2);
  await end();
  expect(begun).toEqual([1, 4]);
  await end();
  latest.put(5);
  expect(begun).toEqual([1, 4, 5]);
  expect(drops()).toBe(2);
});

test('a cleared item is not processed', async () => {
  const { latest, begun, end, drops } = stepped();
  latest.put(1);
  latest.put(2);
  latest.clear();
  await end();
  expect(begun).toEqual([1]);
  expect(drops()).toBe(0);
});
