/** The visible mark in files that `faceoff render` writes. */

import { existsSync, readFileSync } from 'node:fs';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { openClip } from '../../../src/media/clip-reader.ts';
import { cutFrame, group } from '../../support/lane.ts';
import { at, PART, render, written } from '../../support/render.ts';

const WIDTH = 640;
const HEIGHT = 480;
/** Where the mark is looked for: the upper right corner. */
const CORNER = { left: 460, top: 8, width: 172, height: 40 };
const stored = ['--set', `storage.dir=${at('data')}`];

async function photo(name: string): Promise<string> {
  await sharp(group).extract(PART).resize(WIDTH, HEIGHT, { fit: 'fill' }).png().toFile(at(name));
  return at(name);
}
const corner = (file: string): Promise<Buffer> => sharp(file).extract(CORNER).removeAlpha().raw().toBuffer();

test('is in a picture without an option, and the rest of the corner stays', async () => {
  const input = await photo('in.png');
  expect((await render(input, at('marked.png'), stored)).status).toBe(0);
  const [before, after] = [await corner(input), await corner(at('marked.png'))];
  const changed = after.filter((value, n) => value !== before[n]).length / after.length;
  expect(changed).toBeGreaterThan(0.6);
  expect(Math.max(...after.subarray(0, 20_000))).toBeGreaterThan(230);
});

test('is left off only where the duty to disclose is acknowledged, which is recorded', async () => {
  const input = await photo('in.png');
  const refused = await render(input, at('unmarked.png'), [...stored, '--no-badge']);
  expect([refused.status, existsSync(at('unmarked.png')), existsSync(at('data/disclosure.json'))]).toEqual([
    1,
    false,
    false,
  ]);
  expect(refused.stderr).toMatch(/article 50.*--disclosure-acknowledged/);
  const given = [...stored, '--no-badge', '--disclosure-acknowledged'];
  expect((await render(input, at('unmarked.png'), given)).status).toBe(0);
  expect((await corner(at('unmarked.png'))).equals(await corner(input))).toBe(true);
  expect(JSON.parse(readFileSync(at('data/disclosure.json'), 'utf8'))).toEqual([
    { at: expect.any(String), by: 'render', session: null, acknowledged: expect.stringContaining('article 50') },
  ]);
});

test('shows in a picture that is transparent there', async () => {
  const { data } = await sharp(await photo('in.png'))
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  for (let n = 0; n < 60 * WIDTH; n++) data[4 * n + 3] = 0;
  const input = at('transparent.png');
  await sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels: 4 } })
    .png()
    .toFile(input);
  expect((await render(input, at('transparent-out.png'), stored)).status).toBe(0);
  const opacity = await sharp(at('transparent-out.png')).extract(CORNER).extractChannel(3).raw().toBuffer();
  expect(opacity.reduce((sum, value) => sum + value, 0) / opacity.length).toBeGreaterThan(120);
});

test('is in a clip from the first swapped picture on, and a clip without a face stays as it is', async () => {
  const person = await cutFrame(group, PART, WIDTH, HEIGHT);
  const even = new Uint8Array(person.data.length).fill(128);
  const clipOf = (name: string, frames: readonly Uint8Array[]): string =>
    written(
      name,
      Buffer.concat([
        Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F25:1 Ip A1:1 C420jpeg\n`),
        ...frames.flatMap((frame) => [Buffer.from('FRAME\n'), frame]),
      ]),
    );
  const input = clipOf('enters.y4m', [even, even, person.data, person.data]);
  expect((await render(input, at('enters-marked.y4m'), stored)).status).toBe(0);
  const marked: boolean[] = [];
  for await (const { data } of await openClip(at('enters-marked.y4m'))) {
    const before = marked.length < 2 ? even : person.data;
    let changed = 0;
    for (let y = CORNER.top; y < CORNER.top + CORNER.height; y++)
      for (let x = CORNER.left; x < CORNER.left + CORNER.width; x++)
        if (data[y * WIDTH + x] !== before[y * WIDTH + x]) changed++;
    marked.push(changed > 1000);
  }
  expect(marked).toEqual([false, false, true, true]);
  const faceless = clipOf('faceless.y4m', [even, even]);
  await render(faceless, at('faceless-out.y4m'), stored);
  for await (const { data } of await openClip(at('faceless-out.y4m')))
    expect(data.every((value) => value === 128)).toBe(true);
});
