/** What rendered files say of themselves: XMP in all formats that have it, C2PA manifests in PNG and JPEG. */

import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { describe, expect, test, vi } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';
import { fullDisk, whyNoMounts, withDisks } from '../../support/faulty-disk.ts';
import { astronaut } from '../../support/lane.ts';
import { boxesOf, manifestOf, xmpBoxOf } from '../../support/provenance.ts';
import { at, clip, ffmpeg, render, run, written } from '../../support/render.ts';
import { complaints, probe } from '../../support/video.ts';

vi.setConfig({ testTimeout: 120_000 });

const FIELD =
  'Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia<';
/** An XMP packet of a person. */
const OWN =
  '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:rights>All mine</dc:rights></rdf:Description></rdf:RDF></x:xmpmeta>';
const xmpOf = async (file: string): Promise<string | undefined> => (await sharp(file).metadata()).xmpAsString;
const hasFfmpeg = ffmpeg('-version').status === 0;

describe('a picture with a swapped face', () => {
  test.each(['jpg', 'png'])('as %s says so and is signed', async (kind) => {
    expect(await render(astronaut, at(`signed.${kind}`))).toEqual({ status: 0, stderr: '' });
    expect(await xmpOf(at(`signed.${kind}`))).toContain(FIELD);
    const manifest = await manifestOf(readFileSync(at(`signed.${kind}`)));
    expect(manifest).toMatchObject({ isValid: true, failures: [] });
    expect(manifest!.actions.map(({ action }) => action)).toEqual(['c2pa.opened', 'c2pa.edited']);
  });

  test.each(['webp', 'avif', 'tiff'])('as %s says so', async (kind) => {
    expect(await render(astronaut, at(`said.${kind}`))).toEqual({ status: 0, stderr: '' });
    expect(await xmpOf(at(`said.${kind}`))).toContain(FIELD);
  });

  test('keeps its own XMP', async () => {
    const input = written('own.png', await sharp(astronaut).withXmp(OWN).png().toBuffer());
    expect((await render(input, at('own-out.jpg'))).stderr).toBe('');
    expect(await xmpOf(at('own-out.jpg'))).toContain('All mine');
    expect(await xmpOf(at('own-out.jpg'))).toContain(FIELD);
    expect(await manifestOf(readFileSync(at('own-out.jpg')))).toMatchObject({ isValid: true });
  });

  test('is rendered again: one field, one manifest', async () => {
    expect((await render(astronaut, at('once.png'))).stderr).toBe('');
    expect((await render(at('once.png'), at('twice.png'))).stderr).toBe('');
    expect((await xmpOf(at('twice.png')))!.split(FIELD)).toHaveLength(2);
    expect(await manifestOf(readFileSync(at('twice.png')))).toMatchObject({ isValid: true });
  });
});

test('a picture without a face says nothing, is not signed, and keeps its XMP', async () => {
  const grey = sharp({ create: { width: 320, height: 240, channels: 3, background: '#7090a0' } });
  const own = '<x:xmpmeta xmlns:x="adobe:ns:meta/">mine</x:xmpmeta>';
  const input = written('grey.png', await grey.withXmp(own).png().toBuffer());
  expect((await render(input, at('grey-out.jpg'))).stderr).toBe('');
  process.exitCode = 0;
  expect(await xmpOf(at('grey-out.jpg'))).toBe(own);
  expect(await manifestOf(readFileSync(at('grey-out.jpg')))).toBeNull();
});

describe('an animation', () => {
  test('as webp says that a face was swapped', async () => {
    const { data, info } = await sharp(astronaut).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const raw = { width: info.width, height: 2 * info.height, channels: 3 as const, pageHeight: info.height };
    const moving = sharp(Buffer.concat([data, data.map((value) => value >> 1)]), { raw });
    const input = written(
      'moving.webp',
      await moving
        .withXmp(OWN)
        .webp({ delay: [100, 100] })
        .toBuffer(),
    );
    expect((await render(input, at('said-moving.webp'))).stderr).toBe('');
    expect((await sharp(at('said-moving.webp'), { pages: -1 }).metadata()).pages).toBe(2);
    expect(await xmpOf(at('said-moving.webp'))).toContain(FIELD);
    expect(await xmpOf(at('said-moving.webp'))).toContain('All mine');
  });
});

describe.skipIf(!hasFfmpeg)('a video (needs ffmpeg)', () => {
  test.each(['mp4', 'mov', 'm4v'])('as %s says that a face was swapped, and plays', async (kind) => {
    expect((await render(clip, at(`said.${kind}`))).stderr).toBe('');
    expect(boxesOf(at(`said.${kind}`)).at(-1)!.type).toBe('uuid');
    expect(xmpBoxOf(at(`said.${kind}`))).toContain(FIELD);
    expect(probe(at(`said.${kind}`)).timesMs).toHaveLength(4);
    expect(complaints(at(`said.${kind}`))).toBe('');
  });

  test('without a face says nothing', async () => {
    const grey = ['-f', 'lavfi', '-i', 'color=gray:size=320x240:rate=10:duration=0.5', at('grey.mp4')];
    expect(ffmpeg(...grey).status).toBe(0);
    expect((await render(at('grey.mp4'), at('grey-out.mp4'))).stderr).toBe('');
    process.exitCode = 0;
    expect(boxesOf(at('grey-out.mp4')).map(({ type }) => type)).not.toContain('uuid');
  });
});

describe('the program', () => {
  const main = path.join(root, 'dist/main.js');
  const line = (output: string, ...set: string[]): string[] => [
    ...[main, 'render', '--quiet', '--set', 'models.warmupRuns=0', ...set.flatMap((one) => ['--set', one])],
    ...['--source', astronaut, astronaut, output],
  ];

  test('signs nothing and makes no key with disclosure.sign off', async () => {
    const set = ['disclosure.sign=false', `storage.dir=${at('no-key')}`];
    expect(await run(line(at('unsigned.png'), ...set))).toMatchObject({ status: 0, stderr: '' });
    expect(await xmpOf(at('unsigned.png'))).toContain(FIELD);
    expect(await manifestOf(readFileSync(at('unsigned.png')))).toBeNull();
    expect(existsSync(at('no-key/signing-key.pem'))).toBe(false);
  });

  test.skipIf(whyNoMounts !== null)(
    'writes the picture unsigned, and says so once, where the disk of the key is full',
    async () => {
      const disk = at('full-key');
      const [unshare, ...rest] = withDisks(fullDisk(disk, { kB: 64 }));
      const command = [...rest, process.execPath, ...line(at('full.png'), `storage.dir=${disk}`)];
      const { status, stderr } = await run(command, {}, unshare);
      expect([status, stderr.trim()]).toEqual([0, expect.stringMatching(/^Pictures stay unsigned: ENOSPC.*$/)]);
      expect(statSync(at('full.png')).size).toBeGreaterThan(10_000);
      expect(await xmpOf(at('full.png'))).toContain(FIELD);
      expect(await manifestOf(readFileSync(at('full.png')))).toBeNull();
    },
  );
});
