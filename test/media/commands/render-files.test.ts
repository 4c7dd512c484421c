/** Strangers' files: what they hold stays. */

import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { describe, expect, test, vi } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';
import { astronaut, group } from '../../support/lane.ts';
import { at, clip, ffmpeg, folder, render, renderByProgram, written } from '../../support/render.ts';

vi.setConfig({ testTimeout: 120_000 });

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

  test('of more than 60 pictures a second becomes one of 60', async () => {
    const fast = ['-vf', 'scale=320:240,setpts=N/120/TB', '-r', '120', '-t', '0.5', '-an'];
    const input = video('fast.mp4', ...fast);
    expect(times(input).length).toBeGreaterThan(55);
    expect((await render(input, at('fast-out.mp4'))).stderr).toBe('');
    expect(Math.abs(times(at('fast-out.mp4')).length - 30)).toBeLessThanOrEqual(1);
    expect(described(at('fast-out.mp4'))).toMatch(/Duration: 00:00:00\.(49|50|51)/);
    // Also where the shape of its pixels is no simple fraction.
    expect(ffmpeg('-i', input, '-vf', 'setsar=r=297/296:max=1000', at('fast-odd.mp4')).status).toBe(0);
    await render(at('fast-odd.mp4'), at('fast-odd-out.mp4'));
    expect(described(at('fast-odd-out.mp4'))).toContain('SAR 297:296');
  });

  test('that a phone held upright comes out upright, with its own times', async () => {
    const uneven = 'scale=320:240,setpts=if(lt(N\\,5)\\,N/10\\,0.5+(N-5)/30)/TB';
    video('lying.mov', '-an', '-vf', uneven, '-fps_mode', 'vfr');
    const turned = ffmpeg('-i', at('lying.mov'), '-c', 'copy', '-metadata:s:v', 'rotate=90', at('turned.mov'));
    expect(turned.status, turned.stderr).toBe(0);
    await render(at('turned.mov'), at('turned-out.mp4'));
    expect(described(at('turned-out.mp4'))).toMatch(/ 240x320/);
    process.exitCode = 0;
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

  test('of RGB keeps its colours, which then have names', async () => {
    const red = 'color=0xE02010:s=320x240:r=10:d=0.3';
    expect(ffmpeg('-f', 'lavfi', '-i', red, '-c:v', 'libx264rgb', '-qp', '0', at('rgb.mkv')).status).toBe(0);
    await render(at('rgb.mkv'), at('rgb-out.mp4'));
    expect(described(at('rgb-out.mp4'))).toMatch(/yuv420p\(tv, bt709/);
    ffmpeg('-i', at('rgb-out.mp4'), '-frames:v', '1', '-pix_fmt', 'rgb24', '-f', 'rawvideo', at('rgb.raw'));
    const off = [...readFileSync(at('rgb.raw')).subarray(0, 3)].map((value, n) => value - [0xe0, 0x20, 0x10][n]!);
    expect(Math.max(...off.map(Math.abs)), off.join()).toBeLessThan(6);
    process.exitCode = 0;
  });

  test('that is interlaced gets whole pictures', async () => {
    // A bar that moves by 8 pixels a field: in the rows of one field it is elsewhere than in those of the other.
    const [width, height, pictures] = [320, 240, 12];
    const raw = Buffer.alloc(width * height * pictures, 90);
    for (let n = 0; n < pictures; n++)
      for (let y = 0; y < height; y++) {
        const x = 20 + 8 * (2 * n + (y % 2));
        raw.fill(220, width * (height * n + y) + x, width * (height * n + y) + x + 40);
      }
    const input = ['-f', 'rawvideo', '-pix_fmt', 'gray', '-s', '320x240', '-r', '25', '-i', written('comb.gray', raw)];
    const fields = ['-vf', 'setfield=tff,format=yuv420p', '-flags', '+ilme+ildct', '-c:v', 'libx264'];
    const made = ffmpeg(...input, ...fields, '-x264opts', 'tff=1', '-qp', '4', at('comb.mkv'));
    expect(made.status, made.stderr).toBe(0);
    await render(at('comb.mkv'), at('comb-out.mp4'));
    expect(times(at('comb-out.mp4'))).toHaveLength(times(at('comb.mkv')).length);
    /** Share of pixels of the fifth picture that differ by much from the mean of those above and below. */
    const combing = (file: string): number => {
      ffmpeg(
        '-i',
        file,
        '-vf',
        'select=eq(n\\,5)',
        '-frames:v',
        '1',
        '-pix_fmt',
        'gray',
        '-f',
        'rawvideo',
        at('comb.raw'),
      );
      const luma = readFileSync(at('comb.raw'));
      let torn = 0;
      for (let p = 320; p < luma.length - 320; p++)
        if (Math.abs(luma[p]! - (luma[p - 320]! + luma[p + 320]!) / 2) > 40) torn++;
      return torn / luma.length;
    };
    expect(combing(at('comb.mkv'))).toBeGreaterThan(0.02);
    expect(combing(at('comb-out.mp4'))).toBeLessThan(0.003);
    process.exitCode = 0;
  });

  test('without pictures is refused in a sentence', async () => {
    expect(ffmpeg('-f', 'lavfi', '-i', 'sine=d=1', at('voice.m4a')).status).toBe(0);
    const { status, stderr } = await render(at('voice.m4a'), at('voice-out.mp4'));
    expect([status, stderr]).toEqual([1, expect.stringContaining('voice.m4a has no moving pictures in it')]);
    process.exitCode = 0;
  });

  test.skipIf(!ffmpeg('-filters').stdout.includes('zscale'))(
    'of high dynamic range is as bright on other displays, and says what its colours are',
    async () => {
      const steps =
        'drawbox=0:0:80:240:0xBFBFBF:t=fill,drawbox=80:0:80:240:0x808080:t=fill,drawbox=160:0:80:240:red:t=fill';
      for (const [name, transfer] of [
        ['hlg', 'arib-std-b67'],
        ['pq', 'smpte2084'],
      ] as const) {
        const tags = `setparams=color_primaries=bt2020:color_trc=${transfer}:colorspace=bt2020nc:range=tv`;
        const black = 'color=c=black:s=320x240:r=10:d=0.3,format=yuv420p10le';
        const input = ['-f', 'lavfi', '-i', black, '-vf', `${steps},${tags}`, '-c:v', 'ffv1', at(`${name}.mkv`)];
        expect(ffmpeg(...input).status).toBe(0);
        await render(at(`${name}.mkv`), at(`${name}.mp4`));
        expect(described(at(`${name}.mp4`))).toMatch(/yuv420p\(tv, bt709/);
        const picture = ['-frames:v', '1', '-pix_fmt', 'rgb24', '-f', 'rawvideo', at('hdr.rgb')];
        expect(ffmpeg('-i', at(`${name}.mp4`), ...picture).status).toBe(0);
        const pixels = readFileSync(at('hdr.rgb'));
        const [white, grey, red, black0] = [40, 120, 200, 280].map((x) => [
          ...pixels.subarray(3 * (320 * 100 + x)).subarray(0, 3),
        ]);
        // 75 % of HLG is the white of paper; the same value of PQ is a lamp.
        if (name === 'hlg') expect(white![0]).toBeGreaterThan(195);
        if (name === 'hlg') expect(white![0]).toBeLessThan(240);
        expect(white![0]! - grey![0]!).toBeGreaterThan(20);
        expect(Math.max(...white!) - Math.min(...white!)).toBeLessThan(6);
        expect(red![0]! - red![1]!).toBeGreaterThan(150);
        expect(Math.max(...black0!)).toBeLessThan(12);
      }
    },
  );

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
