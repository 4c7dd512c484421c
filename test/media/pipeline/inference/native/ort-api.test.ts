import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bundledFolder, libraryName, OrtApi, openApi } from '../../../../../src/pipeline/inference/native/ort-api.ts';
import { OrtFailure } from '../../../../../src/pipeline/inference/native/ort-faults.ts';
import { OrtTensors } from '../../../../../src/pipeline/inference/native/ort-tensors.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-api-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the C API', () => {
  test('is that of the library in onnxruntime-node', () => {
    const api = openApi();
    expect(api.version).toBe('1.29.0');
    expect(api.folder).toBe(bundledFolder());
    expect(api.availableProviders()).toContain('CPUExecutionProvider');
    expect(openApi()).toBe(api);
  });

  test('refuses a missing or wrong library with what to do', () => {
    expect(() => new OrtApi(path.join(folder, 'nowhere'))).toThrow(/cannot be loaded.*npm ci/);
    writeFileSync(path.join(folder, libraryName()), 'no library');
    expect(() => new OrtApi(folder)).toThrow(/cannot be loaded.*npm ci/);
  });

  const compiler = spawnSync('cc', ['--version']).status === 0;
  test.skipIf(!compiler)(`refuses another release${compiler ? '' : ' (skipped: there is no C compiler)'}`, () => {
    const other = path.join(folder, 'other');
    mkdirSync(other);
    const source = path.join(other, 'runtime.c');
    writeFileSync(
      source,
      `const void *api(unsigned version) { return &api; }
       const char *version(void) { return "1.28.1"; }
       const void *base[] = {api, version};
       const void *OrtGetApiBase(void) { return base; }`,
    );
    spawnSync('cc', ['-w', '-shared', '-fPIC', '-o', path.join(other, libraryName()), source]);
    expect(() => new OrtApi(other)).toThrow(/is ONNX Runtime 1\.28\.1; FaceOff knows the C API of 1\.29\./);
  });

  test('frees its statuses over half a million errors', () => {
    const api = openApi();
    const options = api.make('CreateSessionOptions');
    const times = (n: number): void => {
      for (let i = 0; i < n; i++)
        try {
          api.call('SetSessionGraphOptimizationLevel', options, 77);
        } catch {}
    };
    expect(() => api.call('SetSessionGraphOptimizationLevel', options, 77)).toThrow(OrtFailure);
    times(20_000);
    const before = process.memoryUsage.rss();
    times(500_000);
    // Statuses with their messages would take 50 MB.
    expect((process.memoryUsage.rss() - before) / 2 ** 20).toBeLessThan(24);
    api.release('ReleaseSessionOptions', options);
  });

  test('frees its tensors', () => {
    const api = openApi();
    const times = (n: number): void => {
      for (let i = 0; i < n; i++) {
        const tensors = new OrtTensors(api, [[{ name: 'x', shape: [1, 4] }, new Float32Array(8)]]);
        tensors.forBatch(1);
        tensors.forBatch(2);
        tensors.release();
      }
    };
    times(10_000);
    const before = process.memoryUsage.rss();
    times(100_000);
    expect((process.memoryUsage.rss() - before) / 2 ** 20).toBeLessThan(24);
  });
});
