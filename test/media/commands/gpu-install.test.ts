import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { installGpu } from '../../../src/commands/install/gpu-install.ts';
import { bundledFolder, libraryName } from '../../../src/pipeline/inference/native/ort-api.ts';
import { gpuFolder, hasGpuLibraries, runtimeFolder } from '../../../src/pipeline/inference/native/runtime-paths.ts';

const here = process.platform === 'linux' && process.arch === 'x64';

describe.skipIf(!here)(`installing the GPU libraries${here ? '' : ' (skipped: for Linux on x64)'}`, () => {
  let server: Server;
  let archive: Buffer;
  let registry: string;
  let asked: string[];
  const cacheDir = mkdtempSync(path.join(os.tmpdir(), 'faceoff-gpu-'));
  const source = () => ({
    name: 'gpu-libraries',
    version: '1.0.0',
    bytes: archive.length,
    registry,
    sha256: createHash('sha256').update(archive).digest('hex'),
  });

  beforeAll(async () => {
    const tar = pack();
    tar.entry({ name: 'package/package.json' }, '{}');
    for (const name of ['shared', 'cuda', 'tensorrt'])
      tar.entry({ name: `package/Plugins/Linux/x64/libonnxruntime_providers_${name}.so` }, `the library ${name}`);
    tar.entry({ name: 'package/Plugins/Linux/x64/libonnxruntime_providers_cuda.so.meta' }, 'no library');
    tar.finalize();
    archive = gzipSync(await buffer(tar));
    server = createServer((request, response) => {
      asked.push(request.url!);
      response.end(archive);
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

  test('libraries that came with the program serve an empty cache, and those of the cache come first', async () => {
    const programDir = path.join(cacheDir, 'program');
    await installGpu(programDir, source());
    expect(hasGpuLibraries(cacheDir, programDir)).toBe(true);
    expect(runtimeFolder(cacheDir, programDir)).toBe(gpuFolder(programDir));
    await installGpu(cacheDir, source());
    expect(runtimeFolder(cacheDir, programDir)).toBe(gpuFolder(cacheDir));
  });

  test('places the libraries beside a copy of ONNX Runtime, whole, and once', async () => {
    expect(runtimeFolder(cacheDir)).toBe(bundledFolder());
    await installGpu(cacheDir, source());
    expect(asked).toEqual(['/npm/gpu-libraries/-/gpu-libraries-1.0.0.tgz']);
    const folder = gpuFolder(cacheDir);
    expect(readdirSync(path.join(cacheDir, 'gpu'))).toEqual([path.basename(folder)]);
    expect(readdirSync(folder).sort()).toEqual([
      'libonnxruntime.so.1',
      'libonnxruntime_providers_cuda.so',
      'libonnxruntime_providers_shared.so',
      'libonnxruntime_providers_tensorrt.so',
      'manifest.json',
    ]);
    expect(readFileSync(path.join(folder, 'libonnxruntime_providers_cuda.so'), 'utf8')).toBe('the library cuda');
    const bundled = readFileSync(path.join(bundledFolder(), libraryName()));
    expect(readFileSync(path.join(folder, libraryName())).equals(bundled)).toBe(true);
    // In an image root installs them, and another user runs the program.
    expect(statSync(folder).mode & 0o777).toBe(0o755);
    expect(runtimeFolder(cacheDir)).toBe(folder);
    await installGpu(cacheDir, source());
    expect(asked).toHaveLength(1);
  });

  test('reinstalls an incomplete folder', async () => {
    await installGpu(cacheDir, source());
    rmSync(path.join(gpuFolder(cacheDir), 'libonnxruntime_providers_cuda.so'));
    expect(hasGpuLibraries(cacheDir)).toBe(false);
    expect(runtimeFolder(cacheDir)).toBe(bundledFolder());
    await installGpu(cacheDir, source());
    expect(hasGpuLibraries(cacheDir)).toBe(true);
  });

  test('refuses a file with another digest and keeps nothing of it', async () => {
    await expect(installGpu(cacheDir, { ...source(), sha256: '0'.repeat(64) })).rejects.toMatchObject({
      code: 'model_differs',
    });
    expect(readdirSync(path.join(cacheDir, 'gpu'))).toEqual([]);
  });

  test('refuses an archive without the libraries and keeps nothing of it', async () => {
    const whole = archive;
    archive = gzipSync(Buffer.alloc(1024));
    await expect(installGpu(cacheDir, source())).rejects.toThrow();
    archive = whole;
    expect(readdirSync(path.join(cacheDir, 'gpu')).filter((name) => !name.endsWith('.tgz'))).toEqual([]);
  });
});
