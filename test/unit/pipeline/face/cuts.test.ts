import { describe, expect, test } from 'vitest';
import { Cuts } from '../../../../src/pipeline/face/cuts.ts';
import type { Frame } from '../../../../src/shared/types.ts';

const [WIDTH, HEIGHT] = [641, 359];

/** Soft shapes that differ from scene to scene, in a picture so many times smaller. */
function scene(seed: number, shrink = 1): Frame {
  const [width, height] = [Math.round(WIDTH / shrink), Math.round(HEIGHT / shrink)];
  const chroma = ((width + 1) >> 1) * ((height + 1) >> 1);
  const data = new Uint8Array(width * height + 2 * chroma);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [shrink * (i % width), shrink * Math.floor(i / width)];
    data[i] = 120 + 60 * Math.sin(seed + x / (40 + seed)) * Math.cos(seed * y * 0.013);
  }
  data.fill(120 + seed, width * height, width * height + chroma);
  data.fill(130 - seed, width * height + chroma);
  return { width, height, data, receivedAtMs: 0 };
}

const changed = ({ data, ...rest }: Frame, by: (luma: number, x: number, y: number) => number): Frame => ({
  ...rest,
  data: data.map((value, i) => {
    if (i >= WIDTH * HEIGHT) return value;
    return Math.min(255, Math.max(0, by(value, i % WIDTH, Math.floor(i / WIDTH))));
  }),
});

/** After a few frames of a scene. */
function watching(frames: Frame[]): Cuts {
  const cuts = new Cuts();
  for (const frame of frames) expect(cuts.at(frame)).toBe(false);
  return cuts;
}

describe('a scene cut', () => {
  test('is found once at another scene', () => {
    const cuts = watching([scene(1), scene(1), scene(1)]);
    expect(cuts.at(scene(4))).toBe(true);
    expect(cuts.at(scene(4))).toBe(false);
    expect(cuts.at(scene(1))).toBe(true);
  });

  test('is found at another aspect ratio', () => {
    const cuts = watching([scene(1), scene(1)]);
    const data = new Uint8Array(320 * 240 * 1.5).fill(120);
    expect(cuts.at({ width: 320, height: 240, data, receivedAtMs: 0 })).toBe(true);
    expect(cuts.at({ width: 320, height: 240, data, receivedAtMs: 0 })).toBe(false);
  });

  test('is not found in the same scene at another size', () => {
    const cuts = watching([scene(1), scene(1), scene(1, 2), scene(1, 2), scene(1)]);
    expect(cuts.at(scene(4, 2))).toBe(true);
  });

  test('is not found when a lamp is switched on', () => {
    const cuts = watching([scene(1), scene(1)]);
    expect(cuts.at(changed(scene(1), (luma) => luma + 50))).toBe(false);
  });

  test('is not found when a person comes in', () => {
    const cuts = watching([scene(1), scene(1)]);
    const inside = (x: number, y: number): boolean => Math.hypot(x - 300, y - 200) < 120;
    expect(cuts.at(changed(scene(1), (luma, x, y) => (inside(x, y) ? 40 : luma)))).toBe(false);
  });

  test('is not found when a hand waves close to the camera', () => {
    const hand = (i: number): Frame => {
      const left = 100 + 60 * (i % 4);
      return changed(scene(1), (luma, x) => (x >= left && x < left + 180 ? 150 + 30 * Math.sin(x + 7 * i) : luma));
    };
    watching([scene(1), scene(1), ...Array.from({ length: 12 }, (_, i) => hand(i)), scene(1)]);
  });

  test('is not found in noise, but found through noise', () => {
    let state = 1;
    const grain = (): number => {
      state = (state * 16807) % 2147483647;
      return 60 * (state / 2147483647 - 0.5);
    };
    const cuts = watching(Array.from({ length: 30 }, () => changed(scene(1), (luma) => luma + grain())));
    expect(cuts.at(changed(scene(4), (luma) => luma + grain()))).toBe(true);
  });

  test('is not found in every frame of a moving camera', () => {
    const cuts = new Cuts();
    const walked = (i: number): Frame => changed(scene(1), (_luma, x) => 120 + 60 * Math.sin((x + 90 * i) / 60));
    const found = Array.from({ length: 60 }, (_, i) => cuts.at(walked(i)));
    expect(found.slice(20)).not.toContain(true);
  });

  test('is found in small frames, and not in the smallest', () => {
    expect(watching([scene(1, 13), scene(1, 13)]).at(scene(4, 13))).toBe(true);
    // Patches reach beyond such a frame.
    const tiny = (value: number): Frame => ({
      width: 2,
      height: 2,
      receivedAtMs: 0,
      data: new Uint8Array(6).fill(value),
    });
    expect(watching([tiny(10), tiny(10)]).at(tiny(200))).toBe(false);
  });
});
