/** Strangers' clips, and names of files: what they hold stays. */

import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { describe, expect, test, vi } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';
import { animationSink } from '../../../src/media/animation.ts';
import { openClip } from '../../../src/media/clip-reader.ts';
import { openSink } from '../../../src/media/clip-writer.ts';
import { astronaut } from '../../support/lane.ts';
import { at, clip, ffmpeg, folder, render, written } from '../../support/render.ts';

vi.setConfig({ testTimeout: 120_000 });

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

test.skipIf(!existsSync('/dev/full')).each(['y4m', 'gif'])('a full disk is told in a sentence (%s)', async (ending) => {
  symlinkSync('/dev/full', at(`full.${ending}`));
  const read = await openClip(clip);
  const sink =
    ending === 'gif'
      ? animationSink(at('full.gif'), read, { lossless: false })
      : await openSink(at('full.y4m'), read, { lossless: false, audioFrom: clip });
  const writing = async (): Promise<void> => {
    for await (const frame of read) await sink.write(frame);
    await sink.end();
  };
  await expect(writing()).rejects.toMatchObject({
    code: 'bad_output',
    message: expect.stringMatching(/cannot be written/),
  });
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

  /** A clip of pictures at these times (an expression of N, in seconds), with ffmpeg's further arguments. */
  const uneven = (name: string, seconds: string, ...more: string[]): string =>
    video(
      name,
      '-vf',
      `scale=320:240,settb=1/90000,setpts=(${seconds})*90000`,
      ...['-enc_time_base:v', '1/90000', '-fps_mode', 'passthrough', '-bf', '0', ...more],
    );
  const millis = (file: string): number[] => {
    const packets = ffmpeg('-v', 'error', '-i', file, '-map', '0:v', '-c', 'copy', '-f', 'framecrc', '-').stdout;
    const [, ticks, second] = /^#tb 0: (\d+)\/(\d+)/m.exec(packets)!;
    return [...packets.matchAll(/^0,\s*-?\d+,\s*(-?\d+)/gm)]
      .map(([, pts]) => (1000 * Number(pts) * Number(ticks)) / Number(second))
      .sort((a, b) => a - b);
  };

  test('of uneven times that no frame rate has keeps every picture at its time', async () => {
    // A third of them late by 11 ms, and half a second without a picture: 12 pictures a second on average.
    const input = uneven(
      'gaps.mp4',
      'N/30+if(mod(N\\,3)\\,0.011\\,0)+if(gt(N\\,8)\\,0.55\\,0)',
      '-frames:v',
      '12',
      '-an',
    );
    expect((await render(input, at('gaps-out.mp4'))).stderr).toBe('');
    const [before, after] = [millis(input), millis(at('gaps-out.mp4'))];
    expect(after).toHaveLength(12);
    expect(Math.max(...after.map((ms, n) => Math.abs(ms - before[n]!)))).toBeLessThan(2);
  });

  test('whose last picture stays for long ends when it did', async () => {
    const input = uneven('stays.mp4', 'if(lt(N\\,4)\\,N*0.11\\,0.5)', '-frames:v', '5', '-an');
    const words = written('long.srt', '1\n00:00:00,000 --> 00:00:03,500\nHello\n');
    expect(
      ffmpeg('-i', input, '-i', words, '-map', '0', '-map', '1', '-c:v', 'copy', '-c:s', 'mov_text', at('said.mp4'))
        .status,
    ).toBe(0);
    expect((await render(at('said.mp4'), at('said-out.mp4'))).stderr).toBe('');
    // The last picture comes again, to be shown until then.
    expect(millis(at('said-out.mp4')).slice(-2).map(Math.round)).toEqual([500, 3467]);
  });

  test.each([
    ['even', 'N/30'],
    ['uneven', 'N/30+if(mod(N\\,3)\\,0.011\\,0)'],
  ])('whose pictures begin after its sound stays in step (%s times)', async (name, seconds) => {
    const pictures = uneven(`${name}-late.mp4`, seconds, '-frames:v', '12', '-an');
    const sound = ['-f', 'lavfi', '-i', 'sine=d=1', '-map', '0:v', '-map', '1:a', '-c:v', 'copy', '-c:a', 'aac'];
    const input = at(`${name}-late-sound.mp4`);
    expect(ffmpeg('-itsoffset', '0.5', '-i', pictures, ...sound, input).status).toBe(0);
    expect((await render(input, at(`${name}-late-out.mp4`))).stderr).toBe('');
    const [before, after] = [millis(input), millis(at(`${name}-late-out.mp4`))];
    expect(before[0]).toBeGreaterThan(450);
    expect(after[0]).toBeLessThan(1);
    expect(Math.abs(after.at(-1)! - before.at(-1)!)).toBeLessThan(3);
  });

  test.each(['avi', 'wmv'])('as .%s begins with its first picture', async (ending) => {
    const input = video('order.mp4', '-an');
    expect((await render(input, at(`order-out.${ending}`))).stderr).toBe('');
    // Without times of display, B-frames would put it two pictures late.
    expect(times(at(`order-out.${ending}`))[0]).toBe(0);
  });

  test('of uneven times as .avi, which has one rate, is as long', async () => {
    const input = uneven('avi.mp4', 'N/30+if(mod(N\\,3)\\,0.011\\,0)', '-frames:v', '12', '-an');
    expect((await render(input, at('uneven-out.avi'))).stderr).toBe('');
    expect(described(at('uneven-out.avi'))).toMatch(/ 60 fps/);
    expect(Math.abs(times(at('uneven-out.avi')).length - 60 * 0.4)).toBeLessThan(3);
  });

  test('says what is left out, and keeps the fonts of subtitles', async () => {
    const picture = video('plain.mp4', '-an');
    const font = ['-attach', written('letters.ttf', 'font'), '-metadata:s:t', 'mimetype=application/x-truetype-font'];
    expect(ffmpeg('-i', picture, ...font, '-c', 'copy', at('font.mkv')).status).toBe(0);
    await render(at('font.mkv'), at('font-out.mkv'));
    expect(described(at('font-out.mkv'))).toMatch(/Attachment: ttf/);
    const cover = written('cover.png', await sharp(astronaut).resize(64).png().toBuffer());
    const two = ['-map', '0', '-map', '1', '-map', '0', '-c', 'copy', '-disposition:v:1', 'attached_pic'];
    expect(ffmpeg('-i', picture, '-i', cover, ...two, at('two.mp4')).status).toBe(0);
    const clear = ['-vf', 'format=argb', '-c:v', 'qtrle', '-map', '0:v', '-an', at('clear.mov')];
    expect(ffmpeg('-i', picture, ...clear).status).toBe(0);
    const said: string[] = [];
    const listening = vi.spyOn(console, 'error').mockImplementation((note) => void said.push(String(note)));
    await render(at('font.mkv'), at('font-out.mp4'));
    await render(at('two.mp4'), at('two-out.mp4'));
    await render(at('clear.mov'), at('clear-out.mov'));
    listening.mockRestore();
    expect(said.map((note) => note.replace(folder, ''))).toEqual([
      'A .mp4 file cannot hold attached files; they are left out.',
      'The cover picture is left out, as it may show the face that was swapped.',
      '/two.mp4 has 2 tracks of pictures; the first is written.',
      '/clear.mov may be transparent in places, which a .mov file is not here.',
    ]);
    expect(described(at('two-out.mp4')).match(/Video: /g)).toHaveLength(1);
  });

  test('keeps its language, its timecode, and which subtitles are shown', async () => {
    const words = written('forced.srt', '1\n00:00:00,000 --> 00:00:01,000\nHello\n');
    const tags = ['-metadata:s:v', 'language=jpn', '-disposition:s:0', 'forced', '-timecode', '01:00:00:00'];
    const input = ['-i', video('tags.mp4', '-an'), '-i', words, '-map', '0', '-map', '1', '-c:v', 'copy'];
    expect(ffmpeg(...input, '-c:s', 'mov_text', ...tags, at('tags.mov')).status).toBe(0);
    expect(ffmpeg(...input, '-c:s', 'srt', ...tags, at('tags.mkv')).status).toBe(0);
    await render(at('tags.mov'), at('tags-out.mov'));
    await render(at('tags.mkv'), at('tags-out.mkv'));
    expect(described(at('tags-out.mov'))).toMatch(/\(jpn\): Video: [\s\S]*timecode\s*: 01:00:00:00/);
    expect(described(at('tags-out.mkv'))).toMatch(/\(jpn\): Video: [\s\S]*Subtitle: subrip \(forced\)/);
  });

  test.each(['ogv', 'xyz'])('is refused as .%s in a sentence that names what can be written', async (ending) => {
    const { status, stderr } = await render(video('some.mp4', '-an'), at(`some.${ending}`));
    expect([status, stderr]).toEqual([1, expect.stringContaining(`cannot be written as .${ending}. Use .mp4`)]);
    process.exitCode = 0;
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

  test.each(['gif', 'webp'])('has the right colours as a %s, whatever range and matrix it has', async (ending) => {
    const red = ['-f', 'lavfi', '-i', 'color=red:s=64x64:r=10:d=0.5'];
    for (const matrix of ['bt709', 'smpte170m'])
      for (const range of ['pc', 'tv']) {
        const name = `red-${matrix}-${range}.mp4`;
        const filter = `scale=out_color_matrix=${matrix}:out_range=${range},format=yuv420p`;
        const tags = ['-colorspace', matrix, '-color_range', range];
        expect(ffmpeg(...red, '-vf', filter, ...tags, at(name)).status).toBe(0);
        await render(at(name), at(`red.${ending}`));
        const { data } = await sharp(at(`red.${ending}`))
          .removeAlpha()
          .raw()
          .toBuffer({ resolveWithObject: true });
        // Coding to whole numbers leaves 251 to 254 of 255.
        const known = ['-vf', `scale=in_color_matrix=${matrix}:in_range=${range}:out_range=pc,format=rgb24`];
        expect(ffmpeg('-i', at(name), ...known, '-frames:v', '1', at('red.png')).status).toBe(0);
        const wanted = await sharp(at('red.png')).removeAlpha().raw().toBuffer();
        const off = [0, 1, 2].map((channel) => Math.abs(data[channel]! - wanted[channel]!));
        expect(Math.max(...off), `${name}: ${data.subarray(0, 3).join()}`).toBeLessThanOrEqual(2);
        expect(wanted[0]).toBeGreaterThan(248);
      }
    process.exitCode = 0;
  });

  test('keeps every sound track, subtitles, chapters and its title where the file can hold them', async () => {
    const subtitles = written('words.srt', '1\n00:00:00,000 --> 00:00:01,000\nHello\n');
    const about = written(
      'about.txt',
      ';FFMETADATA1\ntitle=Of two\ndate=2024\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=First\n',
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
      expect(said).toMatch(/date\s+: 2024/i);
      expect(said).toMatch(/title\s+: First/);
    }
  });

  test.each([
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const)('leaves nothing where it is ended by %s', async (signal, status) => {
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
    child.kill(signal);
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect(code).toBe(status);
    expect(readdirSync(folder).filter((name) => /part-|cut-out/.test(name))).toEqual([]);
  });

  test('made of a GIF has a picture for each of its pictures, for as long', async () => {
    const page = await sharp(astronaut).resize(160, 160, { fit: 'cover' }).removeAlpha().raw().toBuffer();
    const pages = Buffer.concat([page, Buffer.alloc(page.length, 90), page]);
    const raw = { width: 160, height: 480, channels: 3 as const, pageHeight: 160 };
    const input = written(
      'delays.gif',
      await sharp(pages, { raw })
        .gif({ delay: [120, 130, 170] })
        .toBuffer(),
    );
    expect((await render(input, at('delays.mp4'))).stderr).toBe('');
    expect(millis(at('delays.mp4')).map(Math.round)).toEqual([0, 120, 250, 403]);
    expect(described(at('delays.mp4'))).toMatch(/Duration: 00:00:00\.42/);
  });

  test.each(['', 'not a clip'])('of %j is refused in a sentence', async (text) => {
    const { stderr } = await render(written('none.mp4', text), at('none-out.mp4'));
    expect(stderr).toMatch(/none\.mp4 cannot be read: it is empty, cut off, or not a video/);
  });

  test('that cannot be written is refused at its first pictures', async () => {
    const input = video('stops.mp4', '-an');
    const sink = await openSink(at('stops.ogv'), await openClip(input), { lossless: false, audioFrom: input });
    const data = new Uint8Array((320 * 240 * 3) / 2);
    const writing = async (): Promise<void> => {
      for (let n = 0; n < 500; n++) await sink.write({ data });
    };
    await expect(writing()).rejects.toMatchObject({ code: 'bad_output' });
  });
});
