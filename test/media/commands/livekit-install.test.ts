import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasRtc, loadRtc, RTC_RELEASE, rtcFolder } from '../../../src/agent/rtc-packages.ts';
import archives from '../../../src/commands/install/livekit-archives.json' with { type: 'json' };
import { installPackages, type NpmArchive, sourceFor } from '../../../src/commands/install/npm-packages.ts';
import { root } from '../../../src/lib/package-root.ts';
import { hasPackages, PACKAGES_MANIFEST } from '../../../src/lib/system/package-folder.ts';

const cacheDir = mkdtempSync(path.join(os.tmpdir(), 'faceoff-livekit-install-'));
afterAll(() => rmSync(cacheDir, { recursive: true, force: true }));

describe('installing npm packages', () => {
  let archive: Buffer;
  let server: Server;

  beforeAll(async () => {
    const tar = pack();
    tar.entry({ name: 'package/package.json' }, '{}');
    tar.finalize();
    archive = gzipSync(await buffer(tar));
    server = createServer((_request, response) => response.end(archive));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => server.close());

  test('puts a package below the one that needs another version of it, and misses it there', async () => {
    const integrity = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
    const folder = path.join(cacheDir, 'nested');
    await installPackages(folder, {
      registry: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      archives: [
        { name: 'one', version: '1.0.0', integrity },
        { name: 'two', version: '1.0.0', integrity },
        { name: 'two', version: '2.0.0', integrity, at: 'one/node_modules/two' },
      ],
    });
    expect(readdirSync(path.join(folder, 'node_modules')).sort()).toEqual(['one', 'two']);
    expect(existsSync(path.join(folder, 'node_modules/one/node_modules/two/package.json'))).toBe(true);
    expect(hasPackages(folder)).toBe(true);
    // In an image root installs them, and another user runs the program.
    if (process.platform !== 'win32') expect(statSync(folder).mode & 0o777).toBe(0o755);
    rmSync(path.join(folder, 'node_modules/one/node_modules/two'), { recursive: true });
    expect(hasPackages(folder)).toBe(false);
  });
});

describe('the packages for LiveKit', () => {
  test('have digests, are those that are loaded, and carry a native part for each platform', () => {
    const { common, platforms } = archives as { common: NpmArchive[]; platforms: Record<string, NpmArchive[]> };
    expect(common.find(({ name }) => name === '@livekit/rtc-node')?.version).toBe(RTC_RELEASE);
    const { version } = common.find(({ name }) => name === '@livekit/rtc-ffi-bindings')!;
    for (const [platform, own] of Object.entries(platforms)) {
      expect(own.map((one) => one.version)).toEqual([version]);
      expect(own[0]!.name).toContain(`@livekit/rtc-ffi-bindings-${platform}`);
    }
    for (const { integrity } of [...common, ...Object.values(platforms).flat()])
      expect(integrity).toMatch(/^sha512-[\w+/]{86}==$/);
    expect(sourceFor({ common, platforms: {} })).toBeNull();
    // The framework for voice agents brings another licence, and is not wanted.
    expect(common.map(({ name }) => name)).not.toContain('@livekit/agents');
  });

  test('that are not installed are told in a sentence, with the command', async () => {
    expect(hasRtc(cacheDir)).toBe(false);
    await expect(loadRtc(cacheDir)).rejects.toMatchObject({
      code: 'no_livekit_packages',
      message: expect.stringContaining(`are not in ${rtcFolder(cacheDir)}. Install them: npm run livekit:install.`),
    });
  });

  test('are installed by the settings that stand behind `agent install`', () => {
    const args = ['dist/main.js', 'agent', 'install', '--set', 'models.no=1'];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
    expect([status, stderr]).toEqual([1, expect.stringContaining('models.no')]);
  });

  test('may come with the program, as in an image', () => {
    const programDir = path.join(cacheDir, 'program');
    mkdirSync(rtcFolder(programDir), { recursive: true });
    writeFileSync(path.join(rtcFolder(programDir), PACKAGES_MANIFEST), JSON.stringify({ packages: [] }));
    expect(hasRtc(cacheDir, programDir)).toBe(true);
    expect(hasRtc(cacheDir, cacheDir)).toBe(false);
  });
});
