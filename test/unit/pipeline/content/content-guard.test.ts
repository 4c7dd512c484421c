import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ContentGuard } from '../../../../src/pipeline/content/content-guard.ts';
import { ContentVotes } from '../../../../src/pipeline/content/content-votes.ts';
import { sampleOf } from '../../../../src/pipeline/content/sample.ts';
import { planesOf } from '../../../../src/shared/i420.ts';
import type { SwappedFrame } from '../../../../src/shared/types.ts';

describe('votes', () => {
  const votes = (scores: readonly number[]): boolean[] => {
    const counted = new ContentVotes(0.8);
    return scores.map((score) => {
      counted.observe(score);
      return counted.isBlocked;
    });
  };

  test('block with the third in a row, and not with two and two', () => {
    expect(votes([0.9, 0.9, 0.9])).toEqual([false, false, true]);
    expect(votes([0.9, 0.9, 0.1, 0.9, 0.9])).toEqual([false, false, false, false, false]);
    expect(votes([0.8, 0.8, 0.8])).toEqual([false, false, false]);
  });

  test('end with five in a row, and not with four and four', () => {
    const blocked = [0.9, 0.9, 0.9];
    expect(votes([...blocked, 0, 0, 0, 0, 0]).slice(3)).toEqual([true, true, true, true, false]);
    expect(votes([...blocked, 0, 0, 0, 0, 1, 0, 0, 0, 0]).slice(3)).not.toContain(false);
  });
});

describe('a guard', () => {
  let nowMs: number;
  let answer: (sample: Uint8Array) => Promise<number>;
  let asked: Uint8Array[];
  let told: unknown[];
  let guard: ContentGuard;
  beforeEach(() => {
    nowMs = 1000;
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    answer = () => Promise.resolve(0);
    [asked, told] = [[], []];
    const check = {
      score(sample: Uint8Array<ArrayBuffer>) {
        asked.push(sample);
        return answer(sample);
      },
    };
    guard = new ContentGuard(check, 0.8, {
      onBlocked: (isBlocked) => told.push(isBlocked),
      onFailure: (error) => told.push(error),
    });
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const [width, height] = [320, 240];
  /** A frame of stripes, and with it whether it came back as a mosaic. */
  async function pass({ wants = true, guarded = false, atMs = 100 } = {}) {
    nowMs += atMs;
    const data = new Uint8Array(planesOf({ width, height }).bytes).fill(128);
    for (let i = 0; i < width * height; i++) data[i] = i % 2 === 0 ? 40 : 200;
    const frame = { width, height, data, receivedAtMs: nowMs };
    const before = data.slice();
    const done: SwappedFrame = {
      frame,
      result: 'swapped',
      hold: false,
      exposed: true,
      faces: [],
      stagesMs: {},
      waitMs: 0,
      plan: 'full',
      level: 0,
    };
    const passed = guard.pass(done, wants, guarded);
    // The answer of a check arrives before the next frame.
    await Promise.resolve().then(() => undefined);
    await Promise.resolve().then(() => undefined);
    const isMosaic = passed.frame.data[0] === 120 && passed.frame.data[1] === 120;
    expect(isMosaic || passed.frame.data.every((value, i) => value === before[i])).toBe(true);
    return { isMosaic, exposed: passed.exposed, hidden: guard.hidden };
  }
  async function passFor(ms: number, options = {}): Promise<(string | null)[]> {
    const seen: (string | null)[] = [];
    for (let spent = 0; spent < ms; spent += 100) {
      const { isMosaic, hidden, exposed } = await pass(options);
      expect([isMosaic, exposed]).toEqual([hidden !== null, hidden === null]);
      seen.push(hidden);
    }
    return seen;
  }

  test('checks once a second, and only what is swapped', async () => {
    expect(await passFor(3000)).not.toContain('blocked');
    expect(asked).toHaveLength(3);
    await passFor(3000, { wants: false });
    expect(asked).toHaveLength(3);
    expect(told).toEqual([]);
  });

  test('hides the picture within three seconds, and shows it again five checks after that', async () => {
    await passFor(1000);
    answer = () => Promise.resolve(0.95);
    const hidden = await passFor(3000);
    expect(hidden.at(0)).toBeNull();
    expect(hidden.at(-1)).toBe('blocked');
    expect(told).toEqual([true]);
    // It is the camera's picture that is checked, not the mosaic.
    expect(new Set(asked.at(-1))).toEqual(new Set(asked[0]));
    answer = () => Promise.resolve(0.1);
    expect((await passFor(4000)).at(-1)).toBe('blocked');
    expect((await passFor(2000)).at(-1)).toBeNull();
    expect(told).toEqual([true, false]);
  });

  test('that fails hides guarded streams alone, until it works', async () => {
    answer = () => Promise.reject(new Error('no model'));
    await pass();
    expect(told).toEqual([new Error('no model')]);
    expect(await pass()).toMatchObject({ isMosaic: false });
    expect(await pass({ guarded: true })).toMatchObject({ isMosaic: true, hidden: 'unchecked' });
    answer = () => Promise.resolve(0);
    await pass({ guarded: true, atMs: 1000 });
    expect(await pass({ guarded: true })).toMatchObject({ isMosaic: false, hidden: null });
    expect(told).toHaveLength(1);
  });

  test('that does not answer counts as failed', async () => {
    await pass({ guarded: true });
    answer = () => new Promise(() => undefined);
    await pass({ guarded: true, atMs: 1000 });
    expect(await pass({ guarded: true, atMs: 4000 })).toMatchObject({ isMosaic: false });
    expect(await pass({ guarded: true, atMs: 2000 })).toMatchObject({ isMosaic: true, hidden: 'unchecked' });
    expect(asked).toHaveLength(2);
  });

  test('hides the first frames of guarded streams alone, until a check has answered', async () => {
    expect(await pass({ guarded: true })).toMatchObject({ isMosaic: true, hidden: 'unchecked' });
    expect(await pass({ guarded: true })).toMatchObject({ isMosaic: false, hidden: null });
    expect(told).toEqual([]);
  });
});

test('a sample is the whole picture on a square, in RGB', () => {
  const [width, height] = [448, 224];
  const { bytes, u, v } = planesOf({ width, height });
  const data = new Uint8Array(bytes).fill(128);
  // Left half red, right half black, limited range.
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data[y * width + x] = x < 224 ? 81 : 16;
  for (let y = 0; y < height / 2; y++)
    for (let x = 0; x < 112; x++) {
      data[u + (y * width) / 2 + x] = 90;
      data[v + (y * width) / 2 + x] = 240;
    }
  const sample = sampleOf({ width, height, data, receivedAtMs: 0 });
  expect(sample).toHaveLength(224 * 224 * 3);
  expect([...sample.subarray(0, 3)]).toEqual([254, 0, 0]);
  expect([...sample.subarray(3 * 223, 3 * 224)]).toEqual([0, 0, 0]);
  expect([...sample.subarray(-3)]).toEqual([0, 0, 0]);
  const mirrored = sampleOf({ width, height, data, receivedAtMs: 0 }, true);
  expect([...mirrored.subarray(0, 3)]).toEqual([0, 0, 0]);
  expect([...mirrored.subarray(-3)]).toEqual([254, 0, 0]);
});
