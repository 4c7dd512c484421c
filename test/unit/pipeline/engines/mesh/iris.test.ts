import { describe, expect, test } from 'vitest';
import { IrisTint, irisColourOf } from '../../../../../src/pipeline/engines/mesh/iris.ts';
import { ALL_POINTS, EYE_LEFT, EYE_RIGHT, POINTS } from '../../../../../src/pipeline/face/topology.ts';
import type { RegionPlanes } from '../../../../../src/pipeline/kernels/frame-region.ts';
import { planesOf } from '../../../../../src/shared/i420.ts';
import type { Frame } from '../../../../../src/shared/types.ts';

const [WIDTH, HEIGHT] = [200, 100];
const RADIUS = 9;
/** Middle of each eye and the landmarks that belong to it. */
const EYES = [
  { x: 60, y: 40, iris: 468, lids: EYE_RIGHT, skin: [117, 118, 101] },
  { x: 140, y: 40, iris: 473, lids: EYE_LEFT, skin: [346, 347, 330] },
];
const SKIN = [150, 110, 150] as const;
const WHITE = [200, 128, 128] as const;
const BROWN = [70, 120, 138] as const;
const BLUE = [110, 150, 115] as const;

/** Landmarks of two eyes. @param open half the opening of the lids, in pixels. */
function landmarks(open: number): Float32Array {
  const points = new Float32Array(ALL_POINTS * 3);
  for (const { x, y, iris, lids, skin } of EYES) {
    const put = (i: number, px: number, py: number): void => points.set([px, py, 0], 3 * i);
    put(iris, x, y);
    [RADIUS, 0, -RADIUS, 0].forEach((dx, k) => {
      put(iris + 1 + k, x + dx, y + (dx === 0 ? (k === 1 ? -RADIUS : RADIUS) : 0));
    });
    lids.forEach((i, k) => {
      const angle = (2 * Math.PI * k) / lids.length;
      put(i, x + 22 * Math.cos(angle), y + open * Math.sin(angle));
    });
    for (const i of skin) put(i, x, y + 35);
  }
  return points;
}

/** Two eyes with irises of a colour, black pupils and a highlight. */
function eyes(colour: readonly [number, number, number]): Frame {
  const planes = planesOf({ width: WIDTH, height: HEIGHT });
  const data = new Uint8Array(planes.bytes);
  const colourAt = (x: number, y: number): readonly [number, number, number] => {
    for (const eye of EYES) {
      const r = Math.hypot(x - eye.x, y - eye.y);
      if (Math.hypot(x - eye.x - 3, y - eye.y + 3) < 2) return [235, 128, 128];
      if (r < 3) return [20, 128, 128];
      if (r <= RADIUS) return colour;
      if (Math.hypot((x - eye.x) / 22, (y - eye.y) / 12) < 1) return WHITE;
    }
    return SKIN;
  };
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const [luma, u, v] = colourAt(x, y);
      data[y * WIDTH + x] = luma;
      const c = (y >> 1) * planes.chromaWidth + (x >> 1);
      data[planes.u + c] = u;
      data[planes.v + c] = v;
    }
  }
  return { width: WIDTH, height: HEIGHT, data, receivedAtMs: 0 };
}

function planesIn({ data }: Frame): RegionPlanes {
  const { u, v, chromaWidth, chromaHeight } = planesOf({ width: WIDTH, height: HEIGHT });
  const chroma = { stride: chromaWidth, width: chromaWidth, height: chromaHeight };
  return {
    bytes: data,
    luma: { at: 0, stride: WIDTH, width: WIDTH, height: HEIGHT },
    u: { at: u, ...chroma },
    v: { at: v, ...chroma },
  };
}

const at = ({ data }: Frame, x: number, y: number): [number, number, number] => {
  const { u, v, chromaWidth } = planesOf({ width: WIDTH, height: HEIGHT });
  const c = (y >> 1) * chromaWidth + (x >> 1);
  return [data[y * WIDTH + x]!, data[u + c]!, data[v + c]!];
};

/** A brown-eyed frame after the irises of a photo were put on it. */
function tinted(photo: Frame, open: number, strength = 1): { before: Frame; after: Frame } {
  const points = landmarks(open);
  const drawn = new Float32Array(POINTS * 2);
  for (let i = 0; i < POINTS; i++) drawn.set([points[3 * i]!, points[3 * i + 1]!], 2 * i);
  const before = eyes(BROWN);
  const after = { ...before, data: before.data.slice() };
  const tint = new IrisTint(irisColourOf(photo, landmarks(12)));
  tint.follow(planesIn(after), points, 0, 0);
  tint.draw(planesIn(after), points, drawn, { left: 0, top: 0, strength });
  return { before, after };
}

describe('the iris colour', () => {
  test('of the photo is put on the live irises', () => {
    const { after } = tinted(eyes(BLUE), 12);
    for (const { x, y } of EYES) {
      const [luma, u, v] = at(after, x - 6, y);
      expect(luma).toBeGreaterThan(95);
      expect(luma).toBeLessThan(130);
      expect(u).toBeGreaterThan(140);
      expect(v).toBeLessThan(122);
    }
  });

  test('leaves highlight, pupil, the white of the eye and the skin as they were', () => {
    const { before, after } = tinted(eyes(BLUE), 12);
    for (const { x, y } of EYES) {
      expect(at(after, x + 3, y - 3)[0]).toBe(at(before, x + 3, y - 3)[0]);
      expect(Math.abs(at(after, x, y)[0] - at(before, x, y)[0])).toBeLessThan(6);
      expect(at(after, x + 16, y)).toEqual(at(before, x + 16, y));
      expect(at(after, x, y + 35)).toEqual(at(before, x, y + 35));
    }
  });

  test('is not put on closed eyes, and follows the strength', () => {
    const closed = tinted(eyes(BLUE), 0.4);
    expect(closed.after.data).toEqual(closed.before.data);
    const half = at(tinted(eyes(BLUE), 12, 0.5).after, 54, 40);
    const whole = at(tinted(eyes(BLUE), 12).after, 54, 40);
    expect(half[0]).toBeGreaterThan(BROWN[0]);
    expect(half[0]).toBeLessThan(whole[0]);
  });

  test('is not told by a photo with small eyes', () => {
    const points = landmarks(12);
    for (const { x, y, iris } of EYES)
      for (let k = 1; k <= 4; k++)
        points.set([x + (k % 2 === 0 ? 0 : 2), y + (k % 2 === 0 ? 2 : 0), 0], 3 * (iris + k));
    expect(irisColourOf(eyes(BLUE), points)).toBeNull();
  });
});
