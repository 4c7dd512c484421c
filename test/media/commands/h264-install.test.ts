import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import archives from '../../../src/commands/install/h264-archives.json' with { type: 'json' };
import { installH264 } from '../../../src/commands/install/h264-install.ts';
import { H264_RELEASES, h264Folder, hasH264, loadH264 } from '../../../src/server/h264/h264-packages.ts';

const digestOf = (data: Buffer): string => `sha512-${createHash('sha512').update(data).digest('base64')}`;

describe('installing the packages for H.264', () => {
  const cacheDir = mkdtempSync(path.join(os.tmpdir(), 'faceoff-h264-install-'));
  const served = new Map<string, Buffer>();
  let server: Server;
  let registry: string;
  let asked: string[] = [];
  const source = () => ({
    registry,
    archives: [
      { name: 'plain', version: '1.0.0', integrity: digestOf(served.get('/npm/plain/-/plain-1.0.0.tgz')!) },
      {
        name: '@scope/native',
        version: '2.0.0',
        integrity: digestOf(served.get('/npm/@scope/native/-/native-2.0.0.tgz')!),
      },
    ],
  });

  beforeAll(async () => {
    const archive = async (files: Record<string, string>): Promise<Buffer> => {
      const tar = pack();
      for (const [name, text] of Object.entries(files)) tar.entry({ name }, text);
      tar.entry({ name: 'package/link', type: 'symlink', linkname: '/etc/passwd' });
      tar.finalize();
      return gzipSync(await buffer(tar));
    };
    served.set(
      '/npm/plain/-/plain-1.0.0.tgz',
      await archive({
        'package/package.json': '{}',
        'package/dist/lib/index.js': 'code',
        'package/../../../evil': 'no',
      }),
    );
    served.set('/npm/@scope/native/-/native-2.0.0.tgz', await archive({ 'package/package.json': '{}' }));
    server = createServer((request, response) => {
      asked.push(request.url!);
      response.end(served.get(request.url!));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    registry = `http://127.0.0.1:${(server.address() as AddressInfo).port}/npm`;
  });
  beforeEach(() => {
    asked = [];
    rmSync(cacheDir, { recursive: true, force: true });
  });
  afterAll(() => {
    server.close();
    rmSync(cacheDir, { recursive: true, force: true });
  });

  test('unpacks each into the folder, whole, once, and nothing outside of it', async () => {
    expect([hasH264(cacheDir), await loadH264(cacheDir)]).toEqual([false, null]);
    await installH264(cacheDir, source());
    expect(asked).toEqual([...served.keys()]);
    const folder = h264Folder(cacheDir);
    expect(readdirSync(path.dirname(folder))).toEqual([path.basename(folder)]);
    expect(readdirSync(folder).sort()).toEqual(['manifest.json', 'node_modules']);
    expect(readdirSync(path.join(folder, 'node_modules')).sort()).toEqual(['@scope', 'plain']);
    expect(readFileSync(path.join(folder, 'node_modules/plain/dist/lib/index.js'), 'utf8')).toBe('code');
    expect(readdirSync(path.join(folder, 'node_modules/plain')).sort()).toEqual(['dist', 'package.json']);
    for (const at of ['evil', '../evil', '../../evil']) expect(existsSync(path.join(folder, at))).toBe(false);
    expect(hasH264(cacheDir)).toBe(true);
    await installH264(cacheDir, source());
    expect(asked).toHaveLength(2);
  });

  test('installs an incomplete folder again', async () => {
    await installH264(cacheDir, source());
    rmSync(path.join(h264Folder(cacheDir), 'node_modules/plain/package.json'));
    expect(hasH264(cacheDir)).toBe(false);
    await installH264(cacheDir, source());
    expect(hasH264(cacheDir)).toBe(true);
  });

  test('refuses a package with another digest and keeps nothing', async () => {
    const wrong = source();
    wrong.archives[1]!.integrity = digestOf(Buffer.from('other'));
    await expect(installH264(cacheDir, wrong)).rejects.toMatchObject({ code: 'model_differs' });
    expect(readdirSync(path.dirname(h264Folder(cacheDir)))).toEqual([]);
  });

  test('knows the digests of the releases that are loaded, for every platform', () => {
    const of = (name: string) => archives.common.find((one) => one.name === name)!.version;
    expect({ transport: of('node-datachannel'), codec: of('node-av') }).toEqual(H264_RELEASES);
    for (const [platform, own] of Object.entries(archives.platforms)) {
      expect(
        own.map(({ version }) => version),
        platform,
      ).toEqual([H264_RELEASES.transport, H264_RELEASES.codec]);
      const [os, arch] = platform.split('-');
      for (const { name } of own) expect(name).toContain(`${os}-${arch}`);
    }
    for (const { integrity } of [...archives.common, ...Object.values(archives.platforms).flat()])
      expect(integrity).toMatch(/^sha512-[\w+/]{86}==$/);
  });
});
