import { expect, test } from 'vitest';
import { Degrader, LADDER } from '../../src/pipeline/degrade.ts';

const BUDGET = 33;
const FRAME = 33;

/** Plays a curve of frame ages, one a frame; a lower plan makes each frame as much cheaper as it leaves frames out. */
function play(degrader: Degrader, ageMs: (atMs: number, cost: number) => number, fromMs: number, toMs: number) {
  const levels: number[] = [];
  for (let atMs = fromMs; atMs < toMs; atMs += FRAME) {
    const { swap, every } = degrader.plan;
    const cost = swap ? 1 / every : 0.05;
    degrader.observe(ageMs(atMs, cost), atMs);
    levels.push(degrader.level);
  }
  return { levels, changes: levels.filter((level, i) => i > 0 && level !== levels[i - 1]).length };
}

test('an easy stream stays at full quality', () => {
  expect(play(new Degrader(BUDGET), () => 8, 0, 60_000).changes).toBe(0);
});

test('a hiccup of one frame changes nothing', () => {
  const degrader = new Degrader(BUDGET);
  expect(play(degrader, (atMs) => (atMs % 3000 < FRAME ? 400 : 10), 0, 60_000).changes).toBe(0);
});

test('overload is answered within a second, as far down as it takes', () => {
  const degrader = new Degrader(BUDGET);
  play(degrader, () => 8, 0, 3000);
  const { levels } = play(degrader, (_atMs, cost) => 60 * cost, 3000, 10_000);
  expect(levels[Math.round(1000 / FRAME)]).toBeGreaterThan(0);
  // Half of the frames cost half of the time, which is within the budget.
  expect(LADDER[levels.at(-1)!]!.every).toBeGreaterThan(1);
  expect(LADDER[levels.at(-1)!]!.swap).toBe(true);
});

test('a load that begins at once is answered within an eighth of a second, and by three rungs within half of one', () => {
  const degrader = new Degrader(BUDGET);
  play(degrader, () => 8, 0, 3000);
  const { levels } = play(degrader, () => 60, 3000, 3500);
  expect(levels[Math.floor(125 / FRAME)]).toBe(1);
  expect(levels.at(-1)).toBe(3);
});

test('hopeless overload ends at passthrough, and full quality is back within ten seconds of its end', () => {
  const degrader = new Degrader(BUDGET);
  const { levels } = play(degrader, (_atMs, cost) => (cost < 0.1 ? 20 : 500), 0, 20_000);
  expect(levels.at(-1)).toBe(LADDER.length - 1);
  play(degrader, () => 8, 20_000, 30_000);
  expect(degrader.level).toBe(0);
});

test('a load that only the second plan can carry does not make it go back and forth', () => {
  const degrader = new Degrader(BUDGET);
  // At full rate too old, at half the rate comfortable: the curve that tempts a controller to oscillate.
  const { changes } = play(degrader, (_atMs, cost) => (cost > 0.6 ? 45 : 12), 0, 120_000);
  expect(changes).toBeLessThan(40);
  const late = play(degrader, (_atMs, cost) => (cost > 0.6 ? 45 : 12), 120_000, 180_000);
  expect(late.changes).toBeLessThan(20);
});

test('a step up that never holds is tried ever more rarely, however easy the rung below is', () => {
  const degrader = new Degrader(BUDGET);
  // An engine that takes longer than the budget, and costs nothing where it is not asked.
  const heavy = (_atMs: number, cost: number): number => (cost < 0.1 ? 4 : 90);
  play(degrader, heavy, 0, 60_000);
  expect(play(degrader, heavy, 60_000, 120_000).changes).toBeLessThan(14);
});

test('after many steps up in vain, the end of the load is noticed within ten seconds', () => {
  const degrader = new Degrader(BUDGET);
  // Bearable at the bottom, and no better however often it is tried.
  play(degrader, (_atMs, cost) => (cost < 0.1 ? 15 : 120), 0, 60_000);
  play(degrader, (_atMs, cost) => 2 + 8 * cost, 60_000, 70_000);
  expect(degrader.level).toBe(0);
});

test('while memory is short a stream is one rung down and does not climb, then it climbs as ever', () => {
  const degrader = new Degrader(BUDGET);
  play(degrader, () => 8, 0, 3000);
  degrader.hold(true, 3000);
  degrader.hold(true, 3100);
  expect(degrader.level).toBe(1);
  expect(play(degrader, () => 8, 3000, 60_000).changes).toBe(0);
  degrader.hold(false, 60_000);
  expect(degrader.level).toBe(1);
  play(degrader, () => 8, 60_000, 64_000);
  expect(degrader.level).toBe(0);
});

test('overload while memory is short still goes down, and back up as far as memory allows', () => {
  const degrader = new Degrader(BUDGET);
  degrader.hold(true, 0);
  play(degrader, (_atMs, cost) => (cost < 0.1 ? 20 : 500), 0, 20_000);
  expect(degrader.level).toBe(LADDER.length - 1);
  play(degrader, () => 8, 20_000, 60_000);
  expect(degrader.level).toBe(1);
});

test('a stream at the last rung stays there while memory is short', () => {
  const degrader = new Degrader(BUDGET);
  play(degrader, (_atMs, cost) => (cost < 0.1 ? 20 : 500), 0, 20_000);
  degrader.hold(true, 20_000);
  play(degrader, () => 8, 20_000, 60_000);
  expect(degrader.level).toBe(LADDER.length - 1);
});
