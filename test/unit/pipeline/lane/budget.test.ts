import { expect, test } from 'vitest';
import { Budget, Costs, type StageName } from '../../../../src/pipeline/lane/budget.ts';

test('a stage is left out when what it usually takes no longer fits beside those that must run', async () => {
  let nowMs = 0;
  const costs = new Costs();
  const frame = (): Budget => new Budget({ receivedAtMs: nowMs, budgetMs: 30, costs, now: () => nowMs });
  const take = (budget: Budget, stage: StageName, ms: number): Promise<void> =>
    budget.stage(stage, () => {
      nowMs += ms;
    });
  const first = frame();
  expect(first.allows('recognise', 'swap')).toBe(true);
  await take(first, 'recognise', 12);
  await take(first, 'swap', 10);
  expect(first.stagesMs).toEqual({ recognise: 12, swap: 10 });
  const next = frame();
  await take(next, 'landmark', 5);
  expect(next.allows('recognise', 'swap')).toBe(true);
  await take(next, 'landmark', 5);
  expect(next.leftMs).toBe(20);
  expect(next.allows('recognise', 'swap')).toBe(false);
  expect(next.allows('swap')).toBe(true);
});

test('a stream that begins goes by what others have measured, and then by its own', async () => {
  const lane = new Costs();
  const [old, fresh] = [new Costs(lane), new Costs(lane)];
  expect(fresh.of('detect')).toBe(0);
  old.note('detect', 6);
  expect(fresh.of('detect')).toBe(6);
  fresh.note('detect', 20);
  expect(fresh.of('detect')).toBe(20);
  expect(old.of('detect')).toBe(6);
});
