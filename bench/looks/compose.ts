/**
 * Clips that the project composes itself, as a webcam would give them: a person of a group photo sways before the
 * camera, under lamps of the bench's own, with or without something in front.
 */

import path from 'node:path';
import sharp from 'sharp';
import { rgbToFrame } from '../../src/faces/portrait.ts';
import { root } from '../../src/lib/package-root.ts';
import type { Frame } from '../../src/shared/types.ts';

/** A clip to compose. */
export interface ClipRecipe {
  name: string;
  /** Group photo of npm @vladmandic/face-api (MIT), 1 to 6. */
  photo: number;
  /** Middle of the face in the photo, and the side of the part that the frame's height shows, in pixels. */
  face: { x: number; y: number; side: number };
  light: Light;
  camera: Camera;
  prop?: 'glasses' | 'strand';
}

/** What the bench's lamps do, on top of the photo's own light. */
export interface Light {
  /** Natural log of the gain at the right edge of the face over the left edge. */
  across?: number;
  /** The same from its top to its bottom. */
  down?: number;
  /** Factor on all of it. */
  level?: number;
  /** Factors on red, green and blue. */
  tint?: readonly [number, number, number];
  /** Added to all of it, 0..1: haze. */
  haze?: number;
}

/** What the camera does. */
export interface Camera {
  /** Standard deviation of its noise, 0..255. */
  noise: number;
  /** Sigma of its blur, in pixels. */
  blur: number;
}

const SHARP: Camera = { noise: 1, blur: 0 };
const CHEAP: Camera = { noise: 4, blur: 1.2 };

/** The clips of the bench. */
export const CLIPS: readonly ClipRecipe[] = [
  { name: 'two-lamps', photo: 3, face: { x: 1160, y: 345, side: 420 }, light: {}, camera: SHARP },
  { name: 'side-lamp', photo: 6, face: { x: 352, y: 690, side: 400 }, light: { across: 1.2 }, camera: SHARP },
  { name: 'dim-room', photo: 5, face: { x: 1170, y: 320, side: 360 }, light: { level: 0.45 }, camera: CHEAP },
  {
    name: 'warm-lamp',
    photo: 6,
    face: { x: 1570, y: 350, side: 400 },
    light: { tint: [1.15, 0.95, 0.7] },
    camera: CHEAP,
  },
  { name: 'hazy', photo: 5, face: { x: 860, y: 180, side: 340 }, light: { haze: 0.15, down: -0.5 }, camera: SHARP },
  { name: 'long-hair', photo: 6, face: { x: 860, y: 460, side: 400 }, light: { level: 1.1 }, camera: SHARP },
  { name: 'glasses', photo: 5, face: { x: 860, y: 180, side: 340 }, light: {}, camera: SHARP, prop: 'glasses' },
  { name: 'strand', photo: 6, face: { x: 1570, y: 350, side: 400 }, light: {}, camera: SHARP, prop: 'strand' },
];

/** Size of the frames. */
export const [WIDTH, HEIGHT] = [640, 480];

/** A group photo. */
const photoOf = (number: number): string =>
  path.join(root, `node_modules/@vladmandic/face-api/demo/sample${number}.jpg`);

/** The frames of a clip, without its prop: the same ones each time. */
export async function compose({ photo, face, light, camera }: ClipRecipe, count: number): Promise<Frame[]> {
  const { data, info } = await sharp(photoOf(photo)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const picture: RgbPicture = { data, width: info.width, height: info.height };
  const random = generator(photo * 1000 + face.x);
  const frames: Frame[] = [];
  for (let n = 0; n < count; n++) {
    const turn = 0.05 * Math.sin(n / 9);
    const scale = (face.side * (1 + 0.04 * Math.sin(n / 13))) / HEIGHT;
    const [cx, cy] = [face.x + 0.04 * face.side * Math.sin(n / 7), face.y + 0.02 * face.side * Math.sin(n / 5)];
    const [cos, sin] = [scale * Math.cos(turn), scale * Math.sin(turn)];
    const rgb = new Uint8Array(WIDTH * HEIGHT * 3);
    for (let y = 0; y < HEIGHT; y++) {
      for (let x = 0; x < WIDTH; x++) {
        const [u, v] = [x - WIDTH / 2, y - HEIGHT / 2];
        const at = 3 * (y * WIDTH + x);
        // The lamps stay where they are; the face moves under them.
        const gain = gainAt(light, u / (0.25 * HEIGHT), v / (0.3 * HEIGHT));
        const noise = camera.noise * (random() + random() + random() - 1.5) * 2;
        for (let c = 0; c < 3; c++) {
          const value = sampled(picture, cx + cos * u - sin * v, cy + sin * u + cos * v, c) / 255;
          const lit = value * gain * (light.tint?.[c] ?? 1);
          rgb[at + c] = clampByte(255 * (lit + (light.haze ?? 0) * (1 - lit)) + noise);
        }
      }
    }
    frames.push({ ...rgbToFrame(await blurred(rgb, camera.blur), WIDTH, HEIGHT, 3), receivedAtMs: n * 33 });
  }
  return frames;
}

const clampByte = (value: number): number => Math.min(255, Math.max(0, Math.round(value)));

/** @param x, y −1..1 over the face, 0 in its middle. */
const gainAt = ({ across = 0, down = 0, level = 1 }: Light, x: number, y: number): number =>
  level * Math.exp((across * Math.max(-1, Math.min(1, x)) + down * Math.max(-1, Math.min(1, y))) / 2);

async function blurred(rgb: Uint8Array, sigma: number): Promise<Uint8Array> {
  if (sigma === 0) return rgb;
  return sharp(rgb, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .blur(sigma)
    .raw()
    .toBuffer();
}

/** A picture of interleaved RGB. */
interface RgbPicture {
  data: Uint8Array;
  width: number;
  height: number;
}

/** Bilinear value of channel `c` at a place in pixels, edges replicated. */
function sampled({ data, width, height }: RgbPicture, x: number, y: number, c: number): number {
  const fx = Math.min(width - 1.01, Math.max(0, x));
  const fy = Math.min(height - 1.01, Math.max(0, y));
  const [x0, y0] = [Math.floor(fx), Math.floor(fy)];
  const [a, b] = [fx - x0, fy - y0];
  const at = 3 * (y0 * width + x0) + c;
  const row = 3 * width;
  const top = data[at]! * (1 - a) + data[at + 3]! * a;
  return top * (1 - b) + (data[at + row]! * (1 - a) + data[at + row + 3]! * a) * b;
}

/** A linear congruential generator of numbers 0..1 (Numerical Recipes): every run composes the same noise. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
