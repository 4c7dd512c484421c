import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { firstVisible, openGpu } from '../../../../src/server/monitor/gpu-sensor.ts';
import { readLine } from '../../../../src/server/monitor/nvidia-smi.ts';
import type { Gpu } from '../../../../src/shared/gpu.ts';
import { buildGpu, writeProgram } from '../../../support/gpu.ts';
import { until } from '../../../support/server.ts';

const GB = 2 ** 30;
const INFO = { name: 'Stand-in GPU', driver: '580.65.06', computeCapability: '8.9' };
const standIn = buildGpu();
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-smi-'));
const opened: Gpu[] = [];
const open = async (options: Parameters<typeof openGpu>[0]): Promise<Gpu | null> => {
  const gpu = await openGpu({ env: {}, library: null, program: null, ...options });
  if (gpu !== null) opened.push(gpu);
  return gpu;
};
afterEach(() => {
  for (const gpu of opened.splice(0)) gpu.close();
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  if (standIn !== null) rmSync(standIn.folder, { recursive: true, force: true });
});

test('a machine without library and program has no GPU, without a report', async () => {
  const problems: string[] = [];
  const onProblem = (why: string) => problems.push(why);
  expect(await open({ library: 'libnothing-of-the-kind.so.1', program: 'no-such-program', onProblem })).toBeNull();
  expect(problems).toEqual([]);
});

test('a program that may not be run is none', async () => {
  const program = path.join(folder, 'not-executable');
  writeFileSync(program, '', { mode: 0o600 });
  const problems: string[] = [];
  expect(await open({ program, onProblem: (why) => problems.push(why) })).toBeNull();
  expect(problems).toEqual([]);
});

test('the first GPU that CUDA may see is the one that is read', () => {
  expect(firstVisible(undefined)).toBe('0');
  expect(firstVisible('2,0')).toBe('2');
  expect(firstVisible('GPU-8f2e, 1')).toBe('GPU-8f2e');
  expect(firstVisible('')).toBeNull();
  expect(firstVisible('-1')).toBeNull();
});

describe.skipIf(standIn === null)('by the library (a stand-in, compiled here)', () => {
  const { library, say } = standIn ?? { library: '', say: () => undefined };

  test('name, driver, compute capability, memory and utilisation are told', async () => {
    say(3 * GB, 42);
    const gpu = await open({ library });
    expect(gpu).toMatchObject(INFO);
    expect(await gpu!.read()).toEqual({ usedBytes: 3 * GB, totalBytes: 8 * GB, utilisation: 0.42 });
    say(7.5 * GB, 99);
    expect(await gpu!.read()).toEqual({ usedBytes: 7.5 * GB, totalBytes: 8 * GB, utilisation: 0.99 });
  });

  test('a GPU slice without utilisation reports its memory', async () => {
    say(GB, 200);
    const gpu = await open({ library });
    expect(await gpu!.read()).toEqual({ usedBytes: GB, totalBytes: 8 * GB, utilisation: null });
  });

  test('a GPU that falls silent reads as null, and comes back', async () => {
    const gpu = await open({ library });
    say(GB, 1, 15);
    expect(await gpu!.read()).toBeNull();
    say(GB, 1);
    expect(await gpu!.read()).not.toBeNull();
  });

  test('a GPU is found by its id, and an unknown id is reported', async () => {
    const env = { CUDA_VISIBLE_DEVICES: 'GPU-stand-in' };
    expect(await open({ library, env })).toMatchObject(INFO);
    const problems: string[] = [];
    const options = { library, env: { CUDA_VISIBLE_DEVICES: '7' }, onProblem: (why: string) => problems.push(why) };
    expect(await open(options)).toBeNull();
    expect(problems).toEqual(['the NVIDIA driver answers "Unknown Error"']);
  });

  test('a driver that is not loaded is reported, and the program is asked instead', async () => {
    process.env.STAND_IN_NO_DRIVER = '1';
    try {
      const problems: string[] = [];
      const gpu = await open({ library, program: standIn!.program, onProblem: (why) => problems.push(why) });
      expect(problems).toEqual(['the NVIDIA driver answers "Driver Not Loaded"']);
      expect(gpu).toMatchObject(INFO);
    } finally {
      delete process.env.STAND_IN_NO_DRIVER;
    }
  });

  test('nothing is read after close, which is idempotent', async () => {
    const gpu = await open({ library });
    const last = gpu!.read();
    gpu!.close();
    gpu!.close();
    await last;
    expect(await gpu!.read()).toBeNull();
  });

  test('reading a thousand times leaves the memory of the process as it was', async () => {
    const gpu = await open({ library });
    const readAll = async (): Promise<void> => {
      for (let i = 0; i < 1000; i++) await gpu!.read();
    };
    await readAll();
    const before = process.memoryUsage.rss();
    await readAll();
    expect(process.memoryUsage.rss() - before).toBeLessThan(20 * 2 ** 20);
  });
});

describe('by the program (a stand-in script)', () => {
  test("the same figures come from one child process with the program's arguments", async () => {
    const gpu = await open({ program: writeProgram(folder, 'sleep 0.2'), env: { CUDA_VISIBLE_DEVICES: '1' } });
    expect(gpu).toMatchObject(INFO);
    expect(await gpu!.read()).toEqual({ usedBytes: 3 * GB, totalBytes: 8 * GB, utilisation: 0.42 });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(readFileSync(path.join(folder, 'asked'), 'utf8')).toBe(
      '-i 1 --query-gpu=name,driver_version,compute_cap,memory.used,memory.total,utilization.gpu --format=csv,noheader,nounits -lms 1000\n',
    );
  });

  test('the program is ended with the sensor', async () => {
    const mark = `${folder}/alive`;
    const gpu = await open({ program: writeProgram(folder, `date +%N > '${mark}'; sleep 0.05`) });
    const beat = () => readFileSync(mark, 'utf8');
    await until(() => existsSync(mark), 'a first beat');
    gpu!.close();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const last = beat();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(beat()).toBe(last);
    expect(await gpu!.read()).toBeNull();
  });

  test('a program without a driver is reported with its message', async () => {
    const program = writeProgram(folder, 'true');
    const said = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.";
    writeFileSync(program, `#!/bin/sh\necho "${said}"\nexit 9\n`);
    const problems: string[] = [];
    expect(await open({ program, onProblem: (why) => problems.push(why) })).toBeNull();
    expect(problems).toEqual([`nvidia-smi ended: ${said}`]);
  });

  test.each([
    ['what is not known is null', 'A, 1.2, [N/A], 100, 200, [N/A]', { utilisation: null, usedBytes: 100 * 2 ** 20 }],
    ['no memory, no answer', 'A, 1.2, 8.9, [Insufficient Permissions], 200, 5', null],
    ['other words, no answer', 'No devices were found', null],
  ])('%s', (_, line, state) => {
    const read = readLine(line);
    if (state === null) expect(read).toBeNull();
    else expect(read).toMatchObject({ info: { computeCapability: null }, state });
  });
});
