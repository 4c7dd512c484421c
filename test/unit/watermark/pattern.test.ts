import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { allChips, MESSAGE_CHIPS, syncChips, TILE } from '../../../src/watermark/chips.ts';
import { messageChips } from '../../../src/watermark/message.ts';
import { cellSide, drawTiles, STRENGTHS } from '../../../src/watermark/pattern.ts';
import { testLayout } from '../../support/watermark.ts';

const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);
const chips = allChips(messageChips(0xdeadbeef), testLayout);

describe('sync chips', () => {
  test('have the mean 0, and take half of the tile', () => {
    const sync = syncChips();
    expect(sum(sync)).toBe(0);
    expect(sync.filter((chip) => chip !== 0)).toHaveLength(TILE * TILE - MESSAGE_CHIPS);
  });

  test('are those of every earlier version, so that old marks are found', () => {
    expect(createHash('sha256').update(syncChips()).digest('hex')).toBe(
      '008ba745adb7c266c489594fdcf399db8f51b4cb40049d68e3a374ca06890861',
    );
  });
});

describe('chips with a message', () => {
  test('contain the sync chips', () => {
    for (const [i, chip] of syncChips().entries()) if (chip !== 0) expect(chips[i]).toBe(chip);
  });

  test('are 1 or -1 everywhere', () => {
    expect(chips.every((chip) => Math.abs(chip) === 1)).toBe(true);
  });
});

describe('tiles', () => {
  const cell = 8;
  const side = TILE * cell;
  const tiles = drawTiles(chips, cell);
  const tile = (strength: number): Int8Array => tiles.subarray(strength * side * side, (strength + 1) * side * side);

  test('are the same every time', () => {
    expect(drawTiles(chips, cell)).toEqual(tiles);
  });

  test.each(STRENGTHS.map((strength, k) => [strength, k] as const))(
    'of strength %f change luma by no more',
    (strength, k) => {
      const most = Math.ceil(strength);
      expect(tile(k).every((value) => Math.abs(value) <= most)).toBe(true);
    },
  );

  test.each(STRENGTHS.map((strength, k) => [strength, k] as const))(
    'of strength %f have it in the middle of cells',
    (strength, k) => {
      let total = 0;
      let count = 0;
      for (const [i, value] of tile(k).entries()) {
        const [x, y] = [i % side, Math.floor(i / side)];
        // The flat part of a cell.
        if (x % cell < 3 || x % cell > 4 || y % cell < 3 || y % cell > 4) continue;
        total += value * chips[Math.floor(y / cell) * TILE + Math.floor(x / cell)]!;
        count++;
      }
      expect(total / count).toBeCloseTo(strength, 1);
    },
  );

  test('have nearly the mean 0', () => {
    for (const k of STRENGTHS.keys()) expect(Math.abs(sum(tile(k)) / side ** 2)).toBeLessThan(0.1);
  });
});

describe('side of a cell', () => {
  test.each([
    [1280, 720, 16],
    [720, 1280, 16],
    [640, 480, 8],
    [854, 480, 11],
    [160, 120, 4],
    [3840, 2160, 24],
  ])('in %i x %i is %i', (width, height, side) => {
    expect(cellSide(width, height)).toBe(side);
  });
});
