import os from 'node:os';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Gpu } from '../../../../src/shared/gpu.ts';
import type { MachineHistory } from '../../../../src/shared/messages.ts';
import { Publisher } from '../../../support/publisher.ts';
import { startServer, type TestServer, until } from '../../../support/server.ts';

const GB = 2 ** 30;

/** A GPU whose memory is as full as the test says. */
class FullGpu implements Gpu {
  readonly name = 'Stand-in GPU';
  readonly driver = '580.65.06';
  readonly computeCapability = '8.9';
  usedBytes = 2 * GB;
  silent = false;
  stuck = false;
  broken = false;
  asked = 0;
  closed = false;
  async read() {
    this.asked++;
    if (this.stuck) await new Promise(() => undefined);
    if (this.broken) throw new Error('the library failed');
    return this.silent ? null : { usedBytes: this.usedBytes, totalBytes: 8 * GB, utilisation: 0.25 };
  }
  close(): void {
    this.closed = true;
  }
}

let gpu: FullGpu;
let server: TestServer;
const json = async <T>(path: string): Promise<T> => (await (await fetch(server.url + path)).json()) as T;
const history = (since = 0) => json<MachineHistory>(`/api/status/memory?since=${since}`);
const pressureIs = (wanted: string) =>
  until(async () => (await history()).samples.at(-1)?.pressure === wanted, `pressure ${wanted}`, 20_000);

describe('a machine with a GPU', () => {
  let camera: Publisher | null = null;
  beforeAll(async () => {
    gpu = new FullGpu();
    server = await startServer({ memory: { intervalMs: 100, historyMinutes: 1 } }, gpu);
  });
  afterEach(() => {
    camera?.close();
    camera = null;
    gpu.usedBytes = 2 * GB;
    gpu.silent = false;
  });
  afterAll(async () => {
    await server.stop();
    expect(gpu.closed).toBe(true);
  });

  test('is sampled: GPU, memory, processor, event loop', async () => {
    await until(async () => (await history()).samples.length >= 5, 'five samples');
    const { samples, ...rest } = await history();
    expect(rest).toEqual({
      intervalMs: 100,
      gpu: { name: 'Stand-in GPU', driver: '580.65.06', computeCapability: '8.9' },
    });
    const last = samples.at(-1)!;
    expect(last.gpu).toEqual({ usedBytes: 2 * GB, totalBytes: 8 * GB, utilisation: 0.25 });
    expect(last.rssBytes).toBeGreaterThan(50 * 2 ** 20);
    expect(last.availableBytes).toBeGreaterThan(0);
    expect(last.cores).toBeGreaterThanOrEqual(0);
    expect(last.processor.cores).toBe(os.cpus().length);
    expect(last.processor.busy).toBeGreaterThanOrEqual(0);
    expect(last).toMatchObject({ sessions: 0, fps: 0, level: 0, pressure: 'none' });
    expect(samples.every(({ atMs }, i) => i === 0 || atMs > samples[i - 1]!.atMs)).toBe(true);
  });

  test('shows a blocked event loop in its samples', async () => {
    await until(async () => (await history()).samples.length > 0, 'a first sample');
    const { atMs } = (await history()).samples.at(-1)!;
    const endMs = performance.now() + 300;
    while (performance.now() < endMs);
    await until(async () => (await history(atMs)).samples.some(({ loopDelayMs }) => loopDelayMs > 200), 'the delay');
    expect(Math.max(...(await history(atMs)).samples.map(({ cores }) => cores))).toBeGreaterThan(0.05);
  });

  test('sends only samples newer than the given time', async () => {
    const { samples } = await history();
    const { atMs } = samples.at(-1)!;
    await until(async () => (await history(atMs)).samples.length > 0, 'a newer one');
    expect((await history(atMs)).samples.every((sample) => sample.atMs > atMs)).toBe(true);
    expect((await history(Number.NaN)).samples.length).toBeGreaterThan(1);
  });

  test('is exported as a table with a header and units', async () => {
    const response = await fetch(`${server.url}/api/status/memory.csv`);
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(response.headers.get('content-disposition')).toContain('memory.csv');
    const [header, first, ...rest] = (await response.text()).trimEnd().split('\r\n');
    expect(header).toBe(
      'time,gpu_memory_used_bytes,gpu_memory_total_bytes,gpu_utilization_ratio,process_memory_bytes,machine_available_bytes,process_cpu_cores,event_loop_delay_ms,sessions,frames_per_second,frame_time_p95_ms,degradation_level,memory_pressure,machine_cpu_cores,machine_cpu_cores_busy',
    );
    expect(first).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z,2147483648,8589934592,0\.25,\d+,\d+,[\d.]+,[\d.]+,0,0,0,0,0,\d+,[\d.]+$/,
    );
    expect(rest.every((line) => line.split(',').length === header!.split(',').length)).toBe(true);
  });

  test('/api/status tells the GPU and memory as they are now', async () => {
    expect(await json('/api/status')).toMatchObject({
      gpu: { name: 'Stand-in GPU', usedBytes: 2 * GB, totalBytes: 8 * GB, utilisation: 0.25 },
      memory: { pressure: 'none', limitBytes: 4 * GB },
    });
  });

  test('Prometheus reads it', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toContain(`faceoff_vram_bytes{kind="used"} ${2 * GB}`);
    expect(text).toContain(`faceoff_vram_bytes{kind="total"} ${8 * GB}`);
    expect(text).toContain('faceoff_gpu_utilization_ratio 0.25');
    expect(text).toContain('faceoff_memory_pressure 0');
    expect(text).toContain('faceoff_oom_total 0');
  });

  test('continues when the GPU falls silent', async () => {
    gpu.silent = true;
    await until(async () => (await history()).samples.at(-1)!.gpu === null, 'silence');
    expect(await json('/api/status')).toMatchObject({ gpu: { name: 'Stand-in GPU' } });
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain('faceoff_gpu_utilization_ratio Nan');
    gpu.silent = false;
    await until(async () => (await history()).samples.at(-1)!.gpu !== null, 'an answer');
  });

  test('limits all streams, new ones too, when its memory is short, and all recover', async () => {
    const level = async () => (await json<{ level: number }[]>('/api/sessions')).map((session) => session.level);
    camera = new Publisher();
    camera.send(320, 240);
    await camera.whip(server.url);
    await until(() => camera!.received.length > 5, 'pictures');
    gpu.usedBytes = 7 * GB;
    await pressureIs('release');
    gpu.usedBytes = 7.8 * GB;
    await pressureIs('degrade');
    await until(async () => (await level())[0]! >= 1, 'the ladder');
    const late = new Publisher();
    late.send(320, 240);
    await late.whip(server.url);
    await until(() => late.received.length > 5, 'pictures of the one that came late');
    await until(async () => (await level()).every((one) => one >= 1), 'both to do less');
    const before = camera.received.length;
    gpu.usedBytes = 2 * GB;
    await pressureIs('none');
    late.close();
    await until(async () => (await level())[0] === 0, 'full quality', 20_000);
    expect(camera.received.length).toBeGreaterThan(before);
  }, 60_000);
});

test('a GPU that throws or never answers holds nothing up, and is not asked again and again', async () => {
  gpu = new FullGpu();
  gpu.broken = true;
  server = await startServer({ memory: { intervalMs: 100 } }, gpu);
  try {
    await until(async () => (await history()).samples.length > 2, 'samples');
    gpu.stuck = true;
    const { asked } = gpu;
    const { atMs } = (await history()).samples.at(-1)!;
    await until(async () => (await history(atMs)).samples.length > 4, 'more samples');
    expect((await history()).samples.every((sample) => sample.gpu === null)).toBe(true);
    expect(gpu.asked - asked).toBeLessThanOrEqual(2);
  } finally {
    await server.stop();
  }
});

test('a machine without a GPU tells the rest', async () => {
  server = await startServer({ memory: { intervalMs: 100 } });
  try {
    await until(async () => (await history()).samples.length > 0, 'a sample');
    expect((await history()).samples[0]!.gpu).toBeNull();
    expect(await json('/api/status')).toMatchObject({ gpu: null, memory: { pressure: 'none' } });
    expect(await (await fetch(`${server.url}/api/status/memory.csv`)).text()).toMatch(/Z,,,,\d+,/);
    expect(await (await fetch(`${server.url}/metrics`)).text()).not.toContain('faceoff_vram_bytes');
  } finally {
    await server.stop();
  }
});

test("other programs' use of a GPU that no model runs on is no pressure", async () => {
  gpu = new FullGpu();
  gpu.usedBytes = 8 * GB;
  server = await startServer({ memory: { intervalMs: 100 }, models: { warmupRuns: 0 } }, gpu, 'cpu');
  try {
    await until(async () => (await history()).samples.length > 2, 'samples');
    expect((await history()).samples.at(-1)).toMatchObject({ gpu: { usedBytes: 8 * GB }, pressure: 'none' });
  } finally {
    await server.stop();
  }
});
