import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Finding } from '../../../src/commands/doctor.ts';
import { root } from '../../../src/lib/package-root.ts';
import { buildCuda, cacheDir, whyNoGpuTests } from '../../support/cuda.ts';
import { whyNoH264 } from '../../support/h264.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-doctor-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function doctor(env: Record<string, string>, ...args: string[]) {
  const command = [path.join(root, 'dist/main.js'), 'doctor', ...args];
  const { status, stdout } = spawnSync(process.execPath, command, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  expect(status).toBe(0);
  return stdout;
}
function findings(env: Record<string, string>, ...args: string[]): Map<string, Finding> {
  const list = JSON.parse(doctor(env, '--json', ...args)) as Finding[];
  return new Map(list.map((finding) => [finding.name, finding]));
}

describe('the doctor', () => {
  test('lists what works, and for what is missing its use and how to get it', () => {
    const found = findings({ FACEOFF_MODELS_CACHE_DIR: folder, PATH: '/nowhere' });
    for (const name of ['Node', 'Processor', 'WebAssembly SIMD', 'ONNX Runtime', 'Models on cpu'])
      expect(found.get(name)?.state, name).toBe('ok');
    expect(found.get('ONNX Runtime')!.found).toContain('1.29.0');
    expect(found.get('GPU provider libraries')).toMatchObject({
      state: 'absent',
      advice: expect.stringContaining('gpu:install'),
    });
    expect(found.get('H.264 (OBS, GStreamer)')).toMatchObject({
      state: 'absent',
      advice: expect.stringContaining('h264:install'),
    });
    expect(found.get('ffmpeg')).toMatchObject({
      state: 'absent',
      advice: expect.stringContaining('apt install ffmpeg'),
    });
    expect(found.get('Models on cpu')!.found).toMatch(/^works; face-detector takes [\d.]+ ms/);
  });

  test('reports a configured provider that is not available', () => {
    const found = findings({ FACEOFF_MODELS_CACHE_DIR: folder }, '--set', 'inference.provider=tensorrt');
    expect(found.get('Added models run on')!.found).toMatch(/^\w+, not on tensorrt as inference\.provider says$/);
  });

  test('prints a table for people', () => {
    expect(doctor({ FACEOFF_MODELS_CACHE_DIR: folder })).toMatch(/^✓ Node {2,}v\d+/);
  });

  const whyNot = whyNoH264();
  test.skipIf(whyNot !== null)(`tells the packages for H.264${whyNot === null ? '' : ` (skipped: ${whyNot})`}`, () => {
    const found = findings({ FACEOFF_MODELS_CACHE_DIR: path.join(root, 'cache') });
    expect(found.get('H.264 (OBS, GStreamer)')).toMatchObject({
      state: 'ok',
      found: expect.stringMatching(/GPL.*; pictures are encoded by (libx264|h264_\w+)$/),
    });
  });

  const why = whyNoGpuTests();
  test.skipIf(why !== null)(`outlives a driver that crashes${why === null ? '' : ` (skipped: ${why})`}`, () => {
    const cuda = buildCuda();
    try {
      const found = findings({ FACEOFF_MODELS_CACHE_DIR: cacheDir, LD_LIBRARY_PATH: cuda.folder });
      expect(found.get('NVIDIA card')).toMatchObject({ state: 'ok', found: expect.stringContaining('driver 580.95') });
      expect(found.get('CUDA libraries')!.state).toBe('ok');
      // The stand-in of TensorRT builds no engine, and that of cuDNN knows no convolution.
      expect(found.get('Models on tensorrt')).toMatchObject({ state: 'absent', found: 'it crashed (SIGSEGV)' });
      expect(found.get('Models on cuda')).toMatchObject({ state: 'absent', found: expect.stringContaining('cuDNN') });
    } finally {
      cuda.remove();
    }
  });
});
