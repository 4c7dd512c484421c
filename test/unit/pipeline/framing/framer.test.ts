import { describe, expect, test } from 'vitest';
import { Framer, type FramingSettings } from '../../../../src/pipeline/framing/framer.ts';
import type { Rect } from '../../../../src/shared/geometry.ts';

const PICTURE = { width: 1280, height: 720 };
const FOLLOW: FramingSettings = { framing: 'face', zoom: 1 };
/** A face 150 pixels high. */
const faceAt = (x: number, y = 300): Rect => ({ x: x - 60, y: y - 75, width: 120, height: 150 });

/** Runs a framer at 30 a second. @returns the part after each picture. */
function run(
  framer: Framer,
  seconds: number,
  faces: (t: number) => Rect[],
  from = 0,
  settings = FOLLOW,
): (Rect | null)[] {
  return Array.from({ length: Math.round(30 * seconds) }, (_, n) =>
    framer.next(PICTURE, faces(n / 30), settings, 1000 * from + (1000 * n) / 30),
  );
}
const last = <T>(values: T[]): T => values.at(-1)!;
const middle = ({ x, width }: Rect): number => x + width / 2;

describe('Framer', () => {
  test('shows the whole picture unless it is asked for less', () => {
    const settings: FramingSettings = { framing: 'whole', zoom: 1 };
    expect(new Set(run(new Framer(), 2, () => [faceAt(900)], 0, settings))).toEqual(new Set([null]));
  });

  test('shows the middle, enlarged as far as asked', () => {
    const part = last(run(new Framer(), 5, () => [], 0, { framing: 'centre', zoom: 0.5 }))!;
    expect(part.width).toBeCloseTo(1280 / 1.5, 0);
    expect(middle(part)).toBeCloseTo(640, 0);
  });

  test('glides to a face without a jump, and rests there', () => {
    const parts = run(new Framer(), 6, () => [faceAt(800)]);
    const part = last(parts)!;
    expect(Math.abs(middle(part) - 800)).toBeLessThan(10);
    expect(part.width).toBeCloseTo(640, 0);
    const edges = parts.map((one) => one ?? { x: 0, y: 0, ...PICTURE });
    const steps = edges.slice(1).map((one, i) => Math.abs(one.x - edges[i]!.x));
    expect(Math.max(...steps)).toBeLessThan(25);
    expect(parts.slice(-30).every((one) => one!.x === part.x)).toBe(true);
  });

  test('never passes its goal and comes back', () => {
    const parts = run(new Framer(), 6, () => [faceAt(800)]).filter((one) => one !== null);
    for (const [i, { width }] of parts.slice(1).entries()) expect(width).toBeLessThanOrEqual(parts[i]!.width + 0.01);
  });

  test('does not follow a face that only sways', () => {
    const framer = new Framer();
    const before = last(run(framer, 6, () => [faceAt(640)]));
    const parts = run(framer, 4, (t) => [faceAt(640 + 40 * Math.sin(3 * t))], 6);
    expect(new Set(parts.map((one) => one!.x))).toEqual(new Set([before!.x]));
  });

  test('keeps its part in the picture', () => {
    for (const part of run(new Framer(), 6, () => [faceAt(1240, 40)])) {
      if (part === null) continue;
      expect(part.x).toBeGreaterThanOrEqual(0);
      expect(part.y).toBeGreaterThanOrEqual(0);
      expect(part.x + part.width).toBeLessThanOrEqual(1280.001);
      expect(part.y + part.height).toBeLessThanOrEqual(720.001);
    }
  });

  test('does not enlarge a face that is large already', () => {
    const near = { x: 400, y: 100, width: 400, height: 500 };
    expect(last(run(new Framer(), 5, () => [near]))).toBeNull();
  });

  test('shows all faces', () => {
    const part = last(run(new Framer(), 6, () => [faceAt(300), faceAt(700)]))!;
    expect(part.x).toBeLessThan(240);
    expect(part.x + part.width).toBeGreaterThan(760);
  });

  test('waits for a face that is gone, and then shows everything', () => {
    const framer = new Framer();
    run(framer, 6, () => [faceAt(800)]);
    const gone = run(framer, 8, () => [], 6);
    expect(gone[45]).not.toBeNull();
    expect(last(gone)).toBeNull();
  });

  test('begins anew where the camera’s picture has another shape, as of a phone that was turned', () => {
    const framer = new Framer();
    run(framer, 6, () => [faceAt(800)]);
    const first = framer.next({ width: 720, height: 1280 }, [faceAt(300)], FOLLOW, 6000);
    expect(first!.width).toBeGreaterThan(700);
  });
});
