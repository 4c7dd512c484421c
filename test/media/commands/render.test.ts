import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { describe, expect, test, vi } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';
import { writeClip } from '../../support/clip.ts';
import { cutFrame, group } from '../../support/lane.ts';
import { at, clip, ffmpeg, folder, PART, render, renderByProgram, run, written } from '../../support/render.ts';

// Some start the program, twice.
vi.setConfig({ testTimeout: 120_000 });

test('a y4m clip keeps its size, rate and number of frames, and comes out the same each time', async () => {
  for (const name of ['a.y4m', 'b.y4m']) expect((await renderByProgram(clip, at(name))).stderr).toBe('');
  const [before, after] = [readFileSync(clip), readFileSync(at('a.y4m'))];
  expect(after.equals(readFileSync(at('b.y4m')))).toBe(true);
  expect(after.length).toBe(before.length);
  expect(after.subarray(0, 60).toString('latin1').split('\n')[0]).toBe(
    before.subarray(0, 60).toString('latin1').split('\n')[0],
  );
  // The upper left corner is far from the face; the middle is not.
  const start = after.indexOf('FRAME\n') + 6;
  expect(after.subarray(start, start + 60).equals(before.subarray(start, start + 60))).toBe(true);
  expect(after.equals(before)).toBe(false);
});

test.each(['png', 'jpg', 'webp'])('a picture comes out as %s', async (ending) => {
  expect((await render(group, at(`out.${ending}`))).stderr).toBe('');
  const { width, format } = await sharp(at(`out.${ending}`)).metadata();
  expect(width).toBe(1920);
  expect(format).toBe(ending === 'jpg' ? 'jpeg' : ending);
});

test('a picture larger than a camera’s is swapped as well', async () => {
  const square = sharp(group).extract(PART).resize(1600, 1600, { fit: 'fill' });
  await square.png().toFile(at('square.png'));
  expect((await render(at('square.png'), at('square-out.png'))).stderr).toBe('');
  const middle = { x: 600, y: 700, side: 400 };
  expect(await differ(at('square.png'), at('square-out.png'), 0, middle)).toBeGreaterThan(6);
});

/** The colour near the upper left corner of a picture. */
async function cornerOf(file: string): Promise<number[]> {
  const part = { left: 3, top: 3, width: 1, height: 1 };
  return [...(await sharp(file).removeAlpha().extract(part).raw().toBuffer())];
}

test('--background is behind the person, whether a face is found or not', async () => {
  const person = sharp(group).extract(PART);
  await person.clone().png().toFile(at('person.png'));
  await person.clone().blur(20).png().toFile(at('faceless.png'));
  for (const name of ['person', 'faceless']) {
    await render(at(`${name}.png`), at(`${name}-out.png`), ['--background', '#00b140']);
    const colour = await cornerOf(at(`${name}-out.png`));
    for (const [k, value] of [0, 177, 64].entries()) expect(Math.abs(colour[k]! - value)).toBeLessThan(4);
  }
});

test('--background takes a picture file, which is there in the first frame', async () => {
  const blue = sharp({ create: { width: 64, height: 48, channels: 3, background: '#2040c0' } });
  await blue.png().toFile(at('blue.png'));
  await sharp(group).extract(PART).png().toFile(at('person.png'));
  const { stderr } = await renderByProgram(at('person.png'), at('on-blue.png'), {}, ['--background', at('blue.png')]);
  expect(stderr).toBe('');
  const colour = await cornerOf(at('on-blue.png'));
  for (const [k, value] of [32, 64, 192].entries()) expect(Math.abs(colour[k]! - value)).toBeLessThan(6);
});

test('a GIF that stands still is a picture', async () => {
  await sharp(group).resize(640).gif().toFile(at('still.gif'));
  expect((await render(at('still.gif'), at('still-out.gif'))).stderr).toBe('');
  expect((await sharp(at('still-out.gif'), { pages: -1 }).metadata()).pages).toBe(1);
});

/** An animation of a person who moves a little, with these times, and a transparent corner if `clear`. */
async function writeAnimation(name: string, delay: number[], loop: number, clear = false): Promise<string> {
  const [width, height] = [241, 181];
  const pictures: Buffer[] = [];
  for (let n = 0; n < delay.length; n++) {
    const part = sharp(group).extract({ ...PART, left: PART.left + 6 * n });
    const person = part.resize(width, height, { fit: 'fill' }).ensureAlpha();
    const rgba = await person.raw().toBuffer();
    if (clear) for (let y = 0; y < 10; y++) for (let x = 0; x < 20; x++) rgba[4 * (y * width + x) + 3] = 0;
    pictures.push(rgba);
  }
  const raw = { width, height: height * delay.length, channels: 4, pageHeight: height } as const;
  const image = sharp(Buffer.concat(pictures), { raw });
  await (name.endsWith('gif') ? image.gif({ delay, loop }) : image.webp({ delay, loop, quality: 95 })).toFile(at(name));
  return at(name);
}
const pictureOf = (file: string, page: number) =>
  sharp(file, { page }).ensureAlpha().raw().toBuffer({ resolveWithObject: true });

/** How much two pictures differ on the mean in a part of them, 0 to 255. */
async function differ(a: string, b: string, page: number, part: { x: number; y: number; side: number }) {
  const [one, other] = [await pictureOf(a, page), await pictureOf(b, page)];
  let sum = 0;
  for (let y = part.y; y < part.y + part.side; y++)
    for (let i = 4 * (y * one.info.width + part.x); i < 4 * (y * one.info.width + part.x + part.side); i++)
      sum += Math.abs(one.data[i]! - other.data[i]!);
  return sum / (4 * part.side ** 2);
}

describe('an animation', () => {
  const DELAYS = [100, 250, 40, 500];
  const FACE = { x: 90, y: 80, side: 60 };
  const CORNER = { x: 200, y: 150, side: 25 };

  test.each([
    ['moving.gif', 'a.gif'],
    ['moving.gif', 'a.webp'],
    ['moving.webp', 'b.webp'],
  ])(
    '%s to %s keeps its times, how often it plays, and its size; the face is another in each picture',
    async (from, to) => {
      const input = await writeAnimation(from, DELAYS, 3);
      expect((await render(input, at(to))).stderr).toBe('');
      const { pages, delay, loop, width, pageHeight } = await sharp(at(to), { pages: -1 }).metadata();
      expect({ pages, delay, loop, width, pageHeight }).toEqual({
        pages: 4,
        delay: DELAYS,
        loop: 3,
        width: 241,
        pageHeight: 181,
      });
      for (let page = 0; page < 4; page++) {
        expect(await differ(input, at(to), page, FACE)).toBeGreaterThan(6);
        expect(await differ(input, at(to), page, CORNER)).toBeLessThan(6);
      }
    },
  );

  test.each(['gif', 'webp'])('that is see-through somewhere stays so (%s)', async (ending) => {
    const input = await writeAnimation(`clear.${ending}`, [100, 100], 0, true);
    expect((await render(input, at(`clear-out.${ending}`))).stderr).toBe('');
    const { data } = await pictureOf(at(`clear-out.${ending}`), 0);
    expect([data[3], data[4 * (241 * 100 + 120) + 3]]).toEqual([0, 255]);
  });

  test('becomes a clip that shows each picture as long', async () => {
    const input = await writeAnimation('to-clip.gif', [100, 300, 0], 0);
    expect((await render(input, at('from-gif.y4m'))).stderr).toBe('');
    const content = readFileSync(at('from-gif.y4m'));
    expect(content.subarray(0, 40).toString('latin1')).toMatch(/^YUV4MPEG2 W241 H181 F1000:100 /);
    // One that says no time is shown for a tenth of a second.
    const frame = 'FRAME\n'.length + 241 * 181 + 2 * 121 * 91;
    expect(content.length - content.indexOf('FRAME')).toBe(5 * frame);
  });

  test('is made of a clip, and does not get slower or faster by rounding', async () => {
    const long = writeClip(await cutFrame(group, PART, 160, 120), 31);
    expect((await render(long, at('from-clip.gif'))).stderr).toBe('');
    const { delay } = await sharp(at('from-clip.gif'), { pages: -1 }).metadata();
    expect(Math.abs(delay!.reduce((a, b) => a + b) - (31 * 1000) / 30)).toBeLessThan(10);
    expect(Math.min(...delay!)).toBeGreaterThanOrEqual(30);
    rmSync(path.dirname(long), { recursive: true });
  });

  test.each([
    ['cut short', () => readFileSync(at('moving.gif')).subarray(0, 20_000), /cannot be read|not a picture/],
    ['nothing', () => 'hello', /cannot be read|not a picture/],
  ])('that is %s is refused and leaves nothing', async (_what, content, message) => {
    await writeAnimation('moving.gif', DELAYS, 3);
    const { status, stderr } = await render(written('bad.gif', content()), at('bad-out.gif'));
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(readdirSync(folder).filter((name) => /bad-out|part-/.test(name))).toEqual([]);
  });

  test('is no single picture', async () => {
    const { status, stderr } = await render(await writeAnimation('two.gif', [100, 100], 0), at('two.png'));
    expect([status, stderr]).toEqual([1, expect.stringMatching(/not as one picture/)]);
  });
});

describe.skipIf(ffmpeg('-version').status !== 0)('a video with sound (needs ffmpeg)', () => {
  const SECONDS = 1;
  /** A person for that long, at even or uneven times, and a tone that begins with the picture. */
  function film(name: string, sound: string[], times = 'N/25/TB'): string {
    const tone = ['-f', 'lavfi', '-i', `sine=f=440:d=${SECONDS}`];
    const still = ['-stream_loop', '-1', '-i', clip, '-vf', `scale=320:240,setpts=${times}`, '-t', String(SECONDS)];
    const made = ffmpeg(...still.slice(0, 4), ...tone, ...still.slice(4), '-fps_mode', 'vfr', ...sound, at(name));
    expect(made.status, made.stderr).toBe(0);
    return at(name);
  }
  /** As ffmpeg itself reads it: the sound's codec, and the seconds of picture and sound. */
  function heard(file: string) {
    const codec = ffmpeg('-i', file).stderr.match(/Audio: (\w+)/)?.[1];
    const seconds = (map: string): number => {
      const { stderr } = ffmpeg('-i', file, '-map', map, '-f', 'null', '-');
      const [, minutes, rest] = [...stderr.matchAll(/time=\d+:(\d+):([\d.]+)/g)].at(-1) ?? [];
      return 60 * Number(minutes) + Number(rest);
    };
    return { codec, picture: seconds('0:v'), sound: seconds('0:a') };
  }
  /** Packets of the sound as they lie in the file. */
  const packets = (file: string) =>
    ffmpeg('-v', 'error', '-i', file, '-map', '0:a', '-c', 'copy', '-f', 'md5', '-').stdout;

  test('keeps it as it is, where the file can hold it', async () => {
    const input = film('in.mp4', ['-c:a', 'aac']);
    expect((await render(input, at('out.mkv'))).stderr).toBe('');
    expect((await render(input, at('out.mp4'))).stderr).toBe('');
    expect(packets(input)).toMatch(/^MD5=/);
    expect(packets(at('out.mp4'))).toBe(packets(input));
    expect(heard(at('out.mkv')).codec).toBe('aac');
  });

  test.each([
    ['pcm.avi', ['-c:v', 'libx264', '-c:a', 'pcm_s16le'], 'pcm.mp4', 'aac'],
    ['to-web.mp4', ['-c:a', 'aac'], 'to-web.webm', /opus|vorbis/],
  ])('%s %j to %s codes it anew as %s', async (from, sound, to, codec) => {
    const { stderr } = await render(film(from, sound), at(to));
    expect(stderr).toBe('');
    const after = heard(at(to));
    expect(after.codec).toMatch(codec);
    expect(Math.abs(after.sound - SECONDS)).toBeLessThan(0.1);
    expect(Math.abs(after.picture - SECONDS)).toBeLessThan(0.1);
  });

  test('stays in step with pictures that come at uneven times, as a phone films', async () => {
    // Ten a second, then thirty.
    const input = film('uneven.mp4', ['-c:a', 'aac'], 'if(lt(N\\,5)\\,N/10\\,0.5+(N-5)/30)/TB');
    expect((await render(input, at('uneven-out.mp4'))).stderr).toBe('');
    const [before, after] = [heard(input), heard(at('uneven-out.mp4'))];
    expect(Math.abs(after.picture - before.picture)).toBeLessThan(0.1);
    expect(Math.abs(after.sound - before.sound)).toBeLessThan(0.05);
  });

  test('has none as a GIF, and one without sound stays without', async () => {
    expect((await render(film('short.mp4', ['-an'], 'N/25/TB'), at('short.gif'))).stderr).toBe('');
    expect((await render(at('short.mp4'), at('silent.mp4'))).stderr).toBe('');
    expect(heard(at('silent.mp4')).codec).toBeUndefined();
  });
});

describe('what cannot be rendered is said in a sentence and leaves no file', () => {
  const cases: [what: string, input: () => string, output: string, message: RegExp][] = [
    ['an input that is not there', () => at('nothing.y4m'), 'x.y4m', /does not exist/],
    ['a clip that is none', () => written('bad.y4m', 'hello\n'), 'x.y4m', /not a clip/],
    [
      'a clip that ends in the middle of a frame',
      () => written('cut.y4m', readFileSync(clip).subarray(0, 200_000)),
      'x.y4m',
      /ends in the middle of frame/,
    ],
    [
      'a clip of another picture format',
      () => written('444.y4m', 'YUV4MPEG2 W4 H4 F30:1 C444\nFRAME\n'),
      'x.y4m',
      /must be 8-bit 4:2:0/,
    ],
    ['a picture to a clip', () => group, 'x.mp4', /\.png, \.jpg, \.webp, \.gif, \.avif or \.tiff/],
  ];
  test.each(cases)('%s', async (_what, input, output, message) => {
    const { status, stderr } = await renderByProgram(input(), at(output));
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(readdirSync(folder).filter((name) => name.startsWith('x.') || name.startsWith('.part-'))).toEqual([]);
  });

  test('a video where there is no ffmpeg', async () => {
    const { status, stderr } = await renderByProgram(written('film.mp4', 'x'), at('film-out.mp4'), {
      PATH: folder,
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/needs ffmpeg, which is not on the PATH/);
    expect(existsSync(at('film-out.mp4'))).toBe(false);
  });

  test('a source that shows several faces, until one is picked', async () => {
    const settings = ['--set', 'models.warmupRuns=0'];
    const args = [
      path.join(root, 'dist/main.js'),
      'render',
      '--quiet',
      ...settings,
      '--source',
      group,
      clip,
      at('y.y4m'),
    ];
    const refused = await run(args);
    expect(refused.stderr).toMatch(/3 faces in this picture.*Pick/);
    expect((await run([...args, '--pick', '1'])).status).toBe(0);
  });
});
