/** The clients in docs/api.md do what is said of them. */

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root } from '../../../../src/lib/package-root.ts';
import type { FaceInfo } from '../../../../src/shared/messages.ts';
import { type EchoServer, noFaces, startEcho } from '../../../support/echo.ts';
import { Publisher } from '../../../support/publisher.ts';

const token = 'a-token-of-this-test';
const hasPython = spawnSync('python3', ['--version']).status === 0;
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-examples-'));
const faces = { ...noFaces, list: () => ['a', 'b'].map((id) => ({ id, name: `Face ${id}` }) as FaceInfo) };
let server: EchoServer;
let camera: Publisher;
beforeAll(async () => {
  server = await startEcho({ server: { token }, swap: { face: 'a' } }, null, faces);
  camera = new Publisher();
  camera.send(160, 120);
  await camera.whip(server.url, '?stream=studio', { authorization: `Bearer ${token}` });
});
afterAll(async () => {
  camera.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The only block of that language in the document, as a file. */
function fileOf(language: string, name: string, change = (text: string): string => text): string {
  const blocks = [...readFileSync(path.join(root, 'docs/api.md'), 'utf8').matchAll(/^```(\w+)\n(.*?)^```/gms)];
  const found = blocks.filter(([, of]) => of === language).map(([, , text]) => text!);
  expect(found).toHaveLength(1);
  const file = path.join(folder, name);
  writeFileSync(file, change(found[0]!));
  return file;
}

function python(args: readonly string[], given: string): Promise<{ status: number | null; said: string }> {
  return new Promise((resolve) => {
    const child = spawn('python3', args, { env: { ...process.env, TOKEN: given } });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => {
        said += data.toString();
      });
    child.once('exit', (status) => resolve({ status, said }));
  });
}

test.runIf(hasPython)('the Python client changes settings, and says the code of a refusal', async () => {
  const file = fileOf('python', 'faceoff.py');
  expect(await python([file, server.url, 'studio'], token)).toMatchObject({
    status: 0,
    said: expect.stringContaining("'strength': 0.5"),
  });
  expect(server.sessions.all()[0]!.settings).toMatchObject({ strength: 0.5, keepEyes: true });
  expect(await python([file, server.url, 'none'], token)).toMatchObject({
    status: 1,
    said: expect.stringContaining('unknown_stream'),
  });
  expect((await python([file, server.url, 'studio'], 'wrong')).said).toContain('wrong_token');
});

test('the key of a stream deck steps to the next face and shows its name', async () => {
  process.env.TOKEN = token;
  try {
    const file = fileOf('js', 'key.mjs', (text) => text.replace('http://127.0.0.1:8080', server.url));
    const { onKey } = (await import(pathToFileURL(file).href)) as { onKey(stream?: string): Promise<string> };
    expect([await onKey(), await onKey()]).toEqual(['Face b', 'Face a']);
    expect(await onKey('none')).toBe('not live');
  } finally {
    delete process.env.TOKEN;
  }
});
