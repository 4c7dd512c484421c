import { describe, expect, test } from 'vitest';
import { BitrateRung } from '../../../../src/server/rtp/bitrate-rung.ts';

/** One report a second; returns the seconds at which the rung changed. */
function play(losses: readonly number[]): { changes: [atS: number, isLow: boolean][]; rung: BitrateRung } {
  const rung = new BitrateRung();
  const changes: [number, boolean][] = [];
  for (const [second, loss] of losses.entries()) {
    const before = rung.isLow;
    rung.observe(loss, 1000 * second);
    if (rung.isLow !== before) changes.push([second, rung.isLow]);
  }
  return { changes, rung };
}
const times = (count: number, loss: number): number[] => Array(count).fill(loss);

describe('the rung of a bit rate', () => {
  test('stays high where little is lost, and where a single report is bad', () => {
    expect(play([...times(20, 0.05), 0.5, 0.5, 0, 0.5, 0]).changes).toEqual([]);
  });

  test('goes down after three bad reports, and up after twenty seconds without loss', () => {
    expect(play([...times(5, 0), ...times(3, 0.2), ...times(30, 0)]).changes).toEqual([
      [7, true],
      [28, false],
    ]);
  });

  test('waits longer after a rise that did not hold', () => {
    const { changes } = play([...times(3, 0.2), ...times(21, 0), ...times(4, 0.2), ...times(100, 0)]);
    expect(changes.map(([, isLow]) => isLow)).toEqual([true, false, true, false]);
    const [, up, downAgain, upAgain] = changes.map(([atS]) => atS);
    expect(up! - changes[0]![0]).toBeLessThan(25);
    expect(upAgain! - downAgain!).toBeGreaterThan(38);
  });

  test('does not rise while anything is lost', () => {
    expect(play([...times(3, 0.2), ...times(100, 0.05)]).rung.isLow).toBe(true);
  });
});
