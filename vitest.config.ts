import os from 'node:os';
import path from 'node:path';
import { defineConfig } from 'vitest/config';

/** One kind of tests, which is a folder of test/. Kinds run one after another, in the order of `groupOrder`. */
const project = (name: string, groupOrder: number, options: object) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], sequence: { groupOrder }, ...options },
});

export default defineConfig({
  test: {
    // Native addons (WebRTC) must live on the main thread of a process of their own.
    pool: 'forks',
    poolOptions: { forks: { minForks: 2, maxForks: 2 }, threads: { minThreads: 2, maxThreads: 2 } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // No program that a test starts keeps anything in the repository's own data/.
    env: {
      NODE_ENV: 'test',
      ORT_DISABLE_TELEMETRY: '1',
      FACEOFF_STORAGE_DIR: path.join(os.tmpdir(), 'faceoff-test-data'),
    },
    projects: [
      // Pure functions and single classes: no WebRTC, no ONNX Runtime, no other process.
      project('unit', 0, { pool: 'threads' }),
      // Real WebRTC, ONNX Runtime, ffmpeg and programs.
      // Most of them wait for frames and timers most of their time, so that three files share two cores well.
      project('media', 1, { poolOptions: { forks: { minForks: 3, maxForks: 3 } } }),
      // Chromium against a running server: it needs both cores, so one file at a time.
      project('browser', 2, { poolOptions: { forks: { singleFork: true } } }),
      // Figures, soaks and other WebRTC stacks: one file at a time, so that files do not disturb each other's figures.
      project('slow', 3, { poolOptions: { forks: { singleFork: true } } }),
    ],
  },
});
