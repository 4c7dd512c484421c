import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { renderCommand } from '../../../src/commands/render.ts';
import { defaultConfig } from '../../../src/config.ts';
import { root } from '../../../src/lib/package-root.ts';
import { Pool } from '../../../src/pipeline/pool/pool.ts';
import { writeClip } from '../../support/clip.ts';
import { astronaut, cutFrame, group, modelsDir } from '../../support/lane.ts';
import { patchedConfig } from '../../support/server.ts';

// Some start the program, twice.
vi.setConfig({ testTimeout: 120_000 });

const PART = { left: 1400, top: 130, width: 460, height: 345 };
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-render-'));
const at = (name: string): string => path.join(folder, name);
let clip: string;

beforeAll(async () => {
  clip = writeClip(await cutFrame(group, PART, 321, 241), 4);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(path.dirname(clip), { recursive: true, force: true });
});

/** The program; not in this thread, which has to answer its runner. */
function run(args: string[], env: Record<string, string> = {}): Promise<{ status: number; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env: { ...process.env, ...env } }, (error, _stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stderr }),
    );
  });
}

/** `faceoff render` as people start it. */
function renderByProgram(input: string, output: string, env: Record<string, string> = {}) {
  const main = path.join(root, 'dist/main.js');
  const settings = ['--set', 'models.warmupRuns=0'];
  return run([main, 'render', '--quiet', ...settings, '--source', astronaut, input, output], env);
}

let pool: Pool;
let isEnrolled = false;
/**
 * The command in this process, with one pool for all calls, in which the source is enrolled once: what is left is what
 * becomes of files.
 */
async function render(input: string, output: string): Promise<{ status: number; stderr: string }> {
  const command = renderCommand(path.join(root, 'config.yaml')).exitOverride();
  try {
    await command.parseAsync(['--quiet', '--source', astronaut, input, output], { from: 'user' });
    return { status: 0, stderr: '' };
  } catch (error) {
    return { status: 1, stderr: (error as Error).message };
  }
}
/** The shared pool as a call sees it: what the call opens is closed with it, the pool is not. */
function lentPool(): Pool {
  const sessions: { close(): void }[] = [];
  const lent: Partial<Pool> = {
    offer: (...args) => {
      if (!isEnrolled) pool.offer(...args);
    },
    preload: async (face) => {
      if (!isEnrolled) await pool.preload(face);
      isEnrolled = true;
    },
    open: (...args) => {
      const session = pool.open(...args);
      sessions.push(session);
      return session;
    },
    close: async () => {
      for (const session of sessions) session.close();
    },
  };
  const ofPool = (key: keyof Pool): unknown => {
    const value = pool[key];
    return typeof value === 'function' ? value.bind(pool) : value;
  };
  return new Proxy(pool, { get: (_, key) => lent[key as keyof Pool] ?? ofPool(key as keyof Pool) });
}
beforeAll(async () => {
  const limits = { ...defaultConfig().limits, frameWidth: 3000, frameHeight: 2000 };
  const config = patchedConfig({ limits, pipeline: { lanes: 1 }, models: { dir: modelsDir, warmupRuns: 0 } });
  pool = await Pool.start(config, pino({ level: 'silent' }), { deadline: false });
  vi.spyOn(Pool, 'start').mockImplementation(async () => lentPool());
});
afterAll(async () => {
  vi.restoreAllMocks();
  await pool.close();
});

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

const ffmpeg = (...args: string[]) => spawnSync('ffmpeg', ['-hide_banner', '-y', ...args], { encoding: 'utf8' });

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

function written(name: string, content: string | Uint8Array): string {
  writeFileSync(at(name), content);
  return at(name);
}

describe('a picture', () => {
  const rawOf = async (file: string) => sharp(file).raw().toBuffer({ resolveWithObject: true });

  test('keeps its size and, away from the face, every pixel', async () => {
    const large = await sharp(group).resize(3000).png().toBuffer();
    expect(await render(written('large.png', large), at('large-out.png'))).toEqual({ status: 0, stderr: '' });
    const [before, after] = [await rawOf(at('large.png')), await rawOf(at('large-out.png'))];
    expect([after.info.width, after.info.height]).toEqual([3000, 2000]);
    let same = 0;
    for (let p = 0; p < before.data.length; p++) if (before.data[p] === after.data[p]) same++;
    expect(same / before.data.length).toBeGreaterThan(0.9);
    expect(same).toBeLessThan(before.data.length);
  });

  test('keeps what is transparent, its colour profile and its EXIF', async () => {
    const { width, height } = await sharp(astronaut).metadata();
    const hole = { create: { width: 40, height: 40, channels: 4 as const, background: '#000' } };
    const clear = await sharp(astronaut)
      .ensureAlpha()
      .composite([{ input: hole, left: 5, top: 5, blend: 'dest-out' }])
      .withIccProfile('p3')
      .withExif({ IFD0: { Artist: 'A photographer' } })
      .png()
      .toBuffer();
    expect((await render(written('clear.png', clear), at('clear-out.png'))).stderr).toBe('');
    const { data, info } = await rawOf(at('clear-out.png'));
    expect(info).toMatchObject({ width, height, channels: 4 });
    expect([data[4 * (10 * width + 10) + 3], data[4 * (100 * width + 100) + 3]]).toEqual([0, 255]);
    const { icc, exif } = await sharp(at('clear-out.png')).metadata();
    expect(icc?.length).toBe((await sharp(at('clear.png')).metadata()).icc?.length);
    expect(exif?.toString('latin1')).toContain('A photographer');
  });

  test.each(['avif', 'tiff', 'jfif'])('of the kind %s is read and written', async (kind) => {
    const format = kind === 'jfif' ? 'jpeg' : (kind as 'avif' | 'tiff');
    const input = written(`in.${kind}`, await sharp(astronaut).toFormat(format).toBuffer());
    expect((await render(input, at(`kind-out.${kind}`))).stderr).toBe('');
    expect((await sharp(at(`kind-out.${kind}`)).metadata()).width).toBe((await sharp(astronaut).metadata()).width);
  });

  test.each([90, 180, 270])('that is turned by %d degrees is swapped, and stays turned', async (degrees) => {
    const input = written('turned.png', await sharp(astronaut).rotate(degrees).png().toBuffer());
    expect((await render(input, at('turned-out.png'))).stderr).toBe('');
    const [before, after] = [await rawOf(input), await rawOf(at('turned-out.png'))];
    expect(after.info).toMatchObject({ width: before.info.width, height: before.info.height });
    const changed = after.data.reduce((sum, value, p) => sum + (value === before.data[p] ? 0 : 1), 0);
    expect(changed / after.data.length).toBeGreaterThan(0.02);
    expect(changed / after.data.length).toBeLessThan(0.5);
  });

  test('without a face is written as it was, and the exit code tells', async () => {
    const grey = sharp({ create: { width: 320, height: 240, channels: 3, background: '#7090a0' } });
    const input = written('empty.png', await grey.png().toBuffer());
    const { status, stderr } = await renderByProgram(input, at('empty-out.png'));
    expect(status).toBe(3);
    expect(stderr).toMatch(/No face was found in .*empty\.png/);
    expect(await rawOf(at('empty-out.png'))).toEqual(await rawOf(input));
  });
});

test('names of any kind are names', async () => {
  const names = ['2024-05-01T12:30:00.png', 'a:b.webp', '-dash.png', `${'日本語の写真'.repeat(13)}.png`];
  for (const name of names) {
    const input = written(`in-${name}`.slice(-80), await sharp(astronaut).resize(200).png().toBuffer());
    const cwd = process.cwd();
    process.chdir(folder);
    const { stderr } = await render(path.basename(input), `./${name}`).finally(() => process.chdir(cwd));
    expect(stderr, name).toBe('');
    expect(existsSync(at(name)), name).toBe(true);
  }
});

describe.skipIf(ffmpeg('-version').status !== 0)('a video (needs ffmpeg)', () => {
  /** A second of a person, with ffmpeg's arguments for the output. */
  function video(name: string, ...output: string[]): string {
    const made = ffmpeg('-stream_loop', '-1', '-i', clip, '-vf', 'scale=320:240', '-t', '1', ...output, at(name));
    expect(made.status, made.stderr).toBe(0);
    return at(name);
  }
  const described = (file: string): string => ffmpeg('-i', file).stderr;
  const times = (file: string): number[] => [
    ...ffmpeg('-v', 'error', '-i', file, '-map', '0:v', '-fps_mode', 'passthrough', '-f', 'framecrc', '-')
      .stdout.split('\n')
      .flatMap((line) => (/^\d/.test(line) ? [Number(line.split(',')[2])] : [])),
  ];

  test('that a browser recorded keeps its pictures and their times', async () => {
    const input = video(
      'browser.webm',
      '-an',
      '-vf',
      'scale=320:240,setpts=if(lt(N\\,5)\\,N/10\\,0.5+(N-5)/30)/TB',
      '-fps_mode',
      'vfr',
      '-c:v',
      'libvpx',
    );
    // MediaRecorder writes no DefaultDuration.
    const bytes = readFileSync(input);
    const place = bytes.indexOf(Buffer.from('23e383', 'hex'));
    expect(place).toBeGreaterThan(0);
    bytes.set([0xec, 0x80 | ((bytes[place + 3]! & 0x7f) + 2)], place);
    writeFileSync(input, bytes);
    const count = times(input).length;
    expect((await render(input, at('browser-out.mkv'))).stderr).toBe('');
    const [before, after] = [times(input), times(at('browser-out.mkv'))];
    expect(after).toHaveLength(count);
    // Matroska counts in milliseconds, as the WebM does.
    expect(Math.max(...after.map((at, n) => Math.abs(at - after[0]! - (before[n]! - before[0]!))))).toBeLessThan(3);
  });

  test('keeps the shape of its pixels and the names of its colours', async () => {
    const input = video(
      'pal.mp4',
      '-vf',
      'scale=360:288,setsar=64/45,setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv',
    );
    expect((await render(input, at('pal-out.mp4'))).stderr).toBe('');
    expect(described(at('pal-out.mp4'))).toMatch(/360x288 \[SAR 64:45/);
    expect(described(at('pal-out.mp4'))).toMatch(/tv, bt709/);
  });

  test('has the right colours as a GIF, whatever range and matrix it has', async () => {
    const red = ['-f', 'lavfi', '-i', 'color=red:s=64x64:r=10:d=0.5'];
    for (const matrix of ['bt709', 'bt601']) {
      const name = `red-${matrix}.mp4`;
      const filter = `scale=out_color_matrix=${matrix}:out_range=pc,format=yuvj444p,format=yuvj420p`;
      const tags = ['-colorspace', matrix === 'bt709' ? 'bt709' : 'smpte170m', '-color_range', 'pc'];
      expect(ffmpeg(...red, '-vf', filter, ...tags, at(name)).status).toBe(0);
      await render(at(name), at('red.webp'));
      const { data } = await sharp(at('red.webp')).removeAlpha().raw().toBuffer({ resolveWithObject: true });
      expect(
        [Math.abs(data[0]! - 255), data[1]!, data[2]!].every((off) => off <= 4),
        `${matrix}: ${data.subarray(0, 3).join()}`,
      ).toBe(true);
    }
    process.exitCode = 0;
  });

  test('keeps every sound track, subtitles, chapters and its title where the file can hold them', async () => {
    const subtitles = written('words.srt', '1\n00:00:00,000 --> 00:00:01,000\nHello\n');
    const about = written(
      'about.txt',
      ';FFMETADATA1\ntitle=Of two\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=First\n',
    );
    const picture = video('picture.mp4', '-an');
    const tones = ['-f', 'lavfi', '-i', 'sine=f=440:d=1', '-f', 'lavfi', '-i', 'sine=f=880:d=1'];
    const maps = ['0:v', '1:a', '2:a', '3'].flatMap((map) => ['-map', map]);
    const made = ffmpeg(
      '-i',
      picture,
      ...tones,
      '-i',
      subtitles,
      '-i',
      about,
      ...maps,
      '-map_metadata',
      '4',
      '-c:a',
      'flac',
      at('all.mkv'),
    );
    expect(made.status, made.stderr).toBe(0);
    for (const ending of ['mkv', 'mp4']) {
      expect((await render(at('all.mkv'), at(`all-out.${ending}`))).stderr).toBe('');
      const said = described(at(`all-out.${ending}`));
      expect(said.match(/Audio: /g), said).toHaveLength(2);
      expect(said).toMatch(/Subtitle: /);
      expect(said).toMatch(/title\s+: Of two/);
      expect(said).toMatch(/title\s+: First/);
    }
  });

  test('leaves nothing where it is interrupted', async () => {
    const input = video('long.mp4', '-an');
    const child = execFile(process.execPath, [
      path.join(root, 'dist/main.js'),
      'render',
      '--quiet',
      '--source',
      astronaut,
      input,
      at('cut-out.mp4'),
    ]);
    await vi.waitFor(() => expect(readdirSync(folder).some((name) => name.startsWith('.part-'))).toBe(true), 60_000);
    child.kill('SIGINT');
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect(code).toBe(130);
    expect(readdirSync(folder).filter((name) => /part-|cut-out/.test(name))).toEqual([]);
  });

  test('that is too long for a GIF is refused at once', async () => {
    const input = video(
      'large.mp4',
      '-an',
      '-vf',
      'scale=1920:1080,loop=-1:1:0,setpts=N/30/TB',
      '-t',
      '8',
      '-preset',
      'ultrafast',
    );
    const { stderr } = await render(input, at('too-long.gif'));
    expect(stderr).toMatch(/can have \d+ pictures here/);
    expect(existsSync(at('too-long.gif'))).toBe(false);
  });
});
