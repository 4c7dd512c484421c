/** Runners made when needed, while other frames have the lane. */

import { expect, test } from 'vitest';
import { type PooledRunner, RunnerPool } from '../../../../../src/pipeline/engines/neural/runner-pool.ts';
import { LaneMutex } from '../../../../../src/pipeline/lane/lane-mutex.ts';
import { gate } from '../../../../support/puppet.ts';

/** A pool whose second runner is made when the gate opens. */
async function runners() {
  const [mutex, second] = [new LaneMutex(), gate()];
  let [made, closed] = [0, 0];
  const close = async () => {
    closed++;
  };
  const make = async (): Promise<PooledRunner> => {
    if (made++ > 0) await second.opened;
    return { runner: { close } as never, mask: null };
  };
  const all = await RunnerPool.open(make, mutex.yieldWhile);
  const paint = (deadlineMs: number, work: () => Promise<unknown>) => mutex.run(() => all.use(deadlineMs, work));
  return { mutex, second, all, paint, made: () => made, closed: () => closed };
}
const inMs = (ms: number): number => performance.now() + ms;

test('other jobs of the lane run while a runner is made', async () => {
  const { mutex, second, paint } = await runners();
  const work = gate();
  const first = paint(Infinity, () => mutex.yieldWhile(work.opened));
  const log: string[] = [];
  const next = paint(Infinity, async () => log.push('painted'));
  await mutex.run(() => log.push('another stream'));
  second.open();
  await next;
  expect(log).toEqual(['another stream', 'painted']);
  work.open();
  await first;
});

test('a runner that takes too long is not awaited, and only one is made', async () => {
  const { mutex, second, paint, made } = await runners();
  const work = gate();
  const first = paint(Infinity, () => mutex.yieldWhile(work.opened));
  for (let i = 0; i < 3; i++)
    await expect(paint(inMs(5), async () => 'painted')).rejects.toMatchObject({ code: 'too_late' });
  second.open();
  expect(await paint(inMs(1000), async () => 'painted')).toBe('painted');
  expect(made()).toBe(2);
  work.open();
  await first;
});

test('a closed pool makes no runner, and closes busy ones when they are done', async () => {
  const { mutex, all, second, paint, made, closed } = await runners();
  const work = gate();
  const first = paint(Infinity, () => mutex.yieldWhile(work.opened));
  const late = paint(inMs(5), async () => 'painted');
  await expect(late).rejects.toMatchObject({ code: 'too_late' });
  await all.close();
  await expect(paint(Infinity, async () => 'painted')).rejects.toMatchObject({ code: 'model_closed' });
  second.open();
  work.open();
  await first;
  await new Promise((resolve) => setImmediate(resolve));
  expect([made(), closed()]).toEqual([2, 2]);
});
