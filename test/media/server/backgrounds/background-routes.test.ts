import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BackgroundInfo, PresetInfo } from '../../../../src/shared/messages.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';

let server: EchoServer;
beforeAll(async () => {
  server = await startEcho();
});
afterAll(() => server.close());

const SECRET = 'taken at home';

/** A JPEG as a phone makes it: larger than what is kept, on its side, with EXIF. */
const photo = (): Promise<Buffer> =>
  sharp({ create: { width: 2400, height: 1200, channels: 3, background: '#406080' } })
    .withExif({ IFD0: { ImageDescription: SECRET } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer();

async function ask(method: string, at: string, body?: string | FormData): Promise<{ status: number; json: unknown }> {
  const answer = await fetch(`${server.url}/api/${at}`, { method, ...(body !== undefined && { body }) });
  const text = await answer.text();
  return { status: answer.status, json: text === '' ? null : JSON.parse(text) };
}

function upload(file: Uint8Array): Promise<{ status: number; json: unknown }> {
  const form = new FormData();
  form.set('file', new Blob([new Uint8Array(file)]), 'photo.jpg');
  return ask('POST', 'backgrounds', form);
}

const folder = (): string => path.join(server.config.storage.dir, 'backgrounds');

test('a picture is kept upright, smaller, without its metadata', async () => {
  const file = await photo();
  expect(file.includes(SECRET)).toBe(true);
  const { status, json } = await upload(file);
  expect(status).toBe(201);
  const { id } = json as BackgroundInfo;
  expect(await ask('GET', 'backgrounds')).toMatchObject({ status: 200, json: [{ id }] });
  const kept = readFileSync(path.join(folder(), `${id}.webp`));
  expect(kept.includes(SECRET)).toBe(false);
  expect(await sharp(kept).metadata()).toMatchObject({ format: 'webp', width: 960, height: 1920 });
  const thumbnail = await fetch(`${server.url}/api/backgrounds/${id}/thumbnail`);
  expect(thumbnail.headers.get('content-type')).toBe('image/webp');
  const small = Buffer.from(await thumbnail.arrayBuffer());
  expect(await sharp(small).metadata()).toMatchObject({ width: 160, height: 90 });
});

test('what is deleted is gone from the folder and from presets', async () => {
  const { id } = (await upload(await photo())).json as BackgroundInfo;
  const settings = { background: 'picture', backgroundPicture: id, strength: 0.5 };
  await ask('PUT', 'presets/Beach', JSON.stringify(settings));
  expect((await ask('DELETE', `backgrounds/${id}`)).status).toBe(204);
  expect(readdirSync(folder())).not.toContain(`${id}.webp`);
  const presets = (await ask('GET', 'presets')).json as PresetInfo[];
  expect(presets.find(({ name }) => name === 'Beach')?.settings).toEqual({ ...settings, backgroundPicture: null });
  expect(await ask('DELETE', `backgrounds/${id}`)).toMatchObject({ status: 404, json: { code: 'unknown_background' } });
  expect(server.pool.withdrawn).toContain(id);
});

test.each(['none', '..%2f..%2fpresets', `${'a'.repeat(65)}`])('an id that there is not is refused: %s', async (id) => {
  expect((await ask('DELETE', `backgrounds/${id}`)).json).toMatchObject({ code: 'unknown_background' });
  expect((await ask('GET', `backgrounds/${id}/thumbnail`)).json).toMatchObject({ code: 'unknown_background' });
});

test('what is no picture, and what is beyond limits.backgrounds, is refused', async () => {
  expect(await upload(Buffer.from('hello'))).toMatchObject({ status: 415, json: { code: 'bad_picture' } });
  const { limits } = server.config;
  limits.backgrounds = 1;
  expect(await upload(await photo())).toMatchObject({ status: 507, json: { code: 'too_many_backgrounds' } });
});
