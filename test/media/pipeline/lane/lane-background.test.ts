/** The background in a lane: with and without a swap, changed live, and where it cannot be replaced. */

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Lane } from '../../../../src/pipeline/lane/lane.ts';
import type { SettingsPatch } from '../../../../src/shared/settings.ts';
import type { Frame } from '../../../../src/shared/types.ts';
import { astronaut, copyFrame, cutFrame, group, readFrame, startLane } from '../../../support/lane.ts';
import { swapSettings } from '../../../support/settings.ts';

/** One of the people in the group photo, as a camera would show her. */
const PART = { left: 1400, top: 130, width: 460, height: 345 };
const [WIDTH, HEIGHT] = [640, 480];
const GREEN: SettingsPatch = { background: 'colour', backgroundColour: '#00b140' };
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-backgrounds-'));

let lane: Lane;
let camera: Frame;
const faults: unknown[] = [];
beforeAll(async () => {
  const blue = sharp({ create: { width: 320, height: 180, channels: 3, background: '#2040c0' } });
  await blue.webp({ lossless: true }).toFile(path.join(folder, 'blue.webp'));
  lane = await startLane((error) => faults.push(error), { backgroundsDir: folder, maxPixels: 1280 * 720 });
  const picture = await readFrame(astronaut);
  const [face] = await lane.analyse(picture);
  await lane.take('source', await lane.enrol([{ picture, points: face!.points }]));
  camera = await cutFrame(group, PART, WIDTH, HEIGHT);
});
afterAll(async () => {
  await lane.end();
  rmSync(folder, { recursive: true });
});

const settings = swapSettings();
let streams = 0;
async function open(patch: SettingsPatch): Promise<{ id: string; frame(like?: Frame): ReturnType<Lane['swap']> }> {
  const id = `background-${streams++}`;
  await lane.open(id, { ...settings, ...patch });
  let at = 1000;
  return {
    id,
    frame(like = camera) {
      at += 33;
      return lane.swap(id, { ...copyFrame(like), receivedAtMs: at });
    },
  };
}

/** The corner above, where the room is. */
const corner = ({ data, width, height }: Frame): [number, number, number] => [
  data[5 * width + 5]!,
  data[width * height + 2 * (width / 2) + 2]!,
  data[width * height * 1.25 + 2 * (width / 2) + 2]!,
];
/** Pixels of a frame whose luma is the camera's. */
const asTheCamera = ({ data }: Frame): number =>
  data.subarray(0, WIDTH * HEIGHT).filter((y, i) => y === camera.data[i]).length;

test('a background is replaced behind a swapped face, behind one that is not, and not without the setting', async () => {
  const swapped = await (await open({ face: 'source', ...GREEN })).frame();
  expect(swapped.result).toBe('swapped');
  expect(corner(swapped.frame)).toEqual([111, 105, 58]);
  expect(swapped.stagesMs.background).toBeGreaterThan(0);
  const as = await (await open({ face: null, ...GREEN })).frame();
  expect(corner(as.frame)).toEqual([111, 105, 58]);
  expect(asTheCamera(as.frame)).toBeGreaterThan(0.15 * WIDTH * HEIGHT);
  const bare = await (await open({ face: null })).frame();
  expect(bare.frame.data).toEqual(camera.data);
  expect(bare.stagesMs.background).toBeUndefined();
});

test('a change while live shows the room in no frame', async () => {
  const stream = await open({ face: null, background: 'strong-blur' });
  const changes: SettingsPatch[] = [
    GREEN,
    { background: 'picture', backgroundPicture: 'blue' },
    { background: 'picture', backgroundPicture: 'gone' },
    { background: 'blur' },
    GREEN,
  ];
  const room = corner(camera);
  for (const change of changes) {
    await lane.set(stream.id, { ...settings, face: null, ...change });
    const { frame } = await stream.frame();
    expect(asTheCamera(frame) / (WIDTH * HEIGHT)).toBeLessThan(0.8);
    if (change.background === 'colour') expect(corner(frame)).toEqual([111, 105, 58]);
    if (change.backgroundPicture === 'blue') expect(corner(frame)).not.toEqual(room);
  }
  // Another size of frame, and the picture that is gone, which was told.
  const small = await cutFrame(group, PART, 320, 240);
  expect(corner((await stream.frame(small)).frame)).toEqual([111, 105, 58]);
  expect(faults.splice(0)).toHaveLength(1);
});

test('a frame that is too large becomes a mosaic', async () => {
  const large = await cutFrame(group, PART, 1920, 1080);
  const { frame } = await (await open({ face: null, ...GREEN })).frame(large);
  const row = [...frame.data.subarray(0, 40)];
  expect(new Set(row).size).toBe(1);
  expect(corner(frame)).not.toEqual([111, 105, 58]);
});
