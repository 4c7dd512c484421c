/** The card under load: streams of 1280x720, its memory over minutes, memory that another program takes, and the monitor. */

import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { defaultConfig } from '../../../src/config.ts';
import { FaceLibrary } from '../../../src/faces/face-library.ts';
import { root } from '../../../src/lib/package-root.ts';
import { DeviceClient } from '../../../src/pipeline/device/device-client.ts';
import type { DeviceReport } from '../../../src/pipeline/device/device-protocol.ts';
import { Nvml } from '../../../src/pipeline/inference/native/nvml.ts';
import { Pool } from '../../../src/pipeline/pool/pool.ts';
import { openGpu } from '../../../src/server/monitor/gpu-sensor.ts';
import { messageOf } from '../../../src/shared/errors.ts';
import type { Frame } from '../../../src/shared/types.ts';
import { spread } from '../../speed/bench-machine.ts';
import { host } from '../../speed/device-load.ts';
import { scene } from '../../speed/frame-cost.ts';
import { cards, deviceSpec, type GpuContext, LeftOut, requireProvider } from '../gpu-context.ts';
import { NETWORKS } from '../networks.ts';

const ENGINE = 'inswapper_128';
const STEPS = [1, 2, 4, 8, 12, 16, 24, 32];
const FRAME_MS = 1000 / 30;
/** A face 300 wide: how many times the portrait is enlarged, and the middle of its face. */
const SCALE = { by: 2.7, about: [128, 105] } as const;
/** Least share of 30 pictures a second, and of swaps by the generator, with which a stream counts as carried. */
const CARRIED = 0.95;

/** How many streams of 1280x720 at 30 a second the lanes and the card carry; no video is decoded or encoded here. */
export async function streams(context: GpuContext) {
  requireProvider(context.provider);
  const config = defaultConfig();
  const log = pino({ level: 'silent' });
  const limits: Record<string, number> = {};
  const batches: number[] = [];
  const onDevice = (report: DeviceReport): void => {
    Object.assign(limits, report.limits);
    batches.push(...report.batches.map(({ size }) => size));
  };
  const pool = await Pool.start(
    {
      ...config,
      models: { ...config.models, dir: path.join(context.material, 'real-size'), cacheDir: context.scratch },
      pipeline: { ...config.pipeline, lanes: Math.max(1, os.availableParallelism() - 2) },
      storage: { dir: path.join(context.scratch, 'data') },
      // Where the generator makes no picture, none is made: what is swapped is its own.
      swap: { ...config.swap, engine: ENGINE, reserve: 'none' },
      inference: { ...config.inference, provider: context.provider },
    },
    log,
    { onDevice },
  );
  const faces = await FaceLibrary.open({ ...config, storage: { dir: path.join(context.scratch, 'data') } }, pool, log);
  const watch = watchMemory();
  try {
    await pool.preload('astronaut');
    const frames = await Promise.all([0, 1, 2, 3].map((n) => scene({ width: 1280, height: 720, faces: 1 }, SCALE, n)));
    const rows = [];
    for (const count of STEPS) {
      batches.length = 0;
      const row = await runStreams(pool, frames, count, 12_000 * context.share);
      const batch = batches.length === 0 ? null : batches.reduce((sum, size) => sum + size, 0) / batches.length;
      rows.push({ ...row, meanBatch: batch === null ? null : Math.round(100 * batch) / 100 });
      context.note({ lanes: pool.lanes, limits, rows });
      if (row.fps < CARRIED * 30 || row.byGenerator < CARRIED) break;
    }
    const carried = rows.filter(({ fps, byGenerator }) => fps >= CARRIED * 30 && byGenerator >= CARRIED);
    return { lanes: pool.lanes, carried: carried.at(-1)?.streams ?? 0, limits, rows, memoryMiB: await watch.end() };
  } finally {
    faces.close();
    await pool.close();
  }
}

/** Streams with a camera's pace each: one frame works, and one that comes meanwhile is left out. */
async function runStreams(pool: Pool, frames: readonly Frame[], count: number, forMs: number) {
  const times: number[] = [];
  let [left, swapped] = [0, 0];
  const sessions = Array.from({ length: count }, (_, i) =>
    pool.open(`stream ${i}`, { face: 'astronaut', engine: ENGINE }),
  );
  const beganMs = performance.now() + 2000;
  const stream = async (session: (typeof sessions)[number], i: number): Promise<void> => {
    await delay((FRAME_MS * i) / count);
    for (let n = 0, dueMs = performance.now(); performance.now() < beganMs + forMs; n++) {
      const frame = frames[n % frames.length]!;
      const copy = { ...frame, data: frame.data.slice(), receivedAtMs: performance.now() };
      const done = await session.swap(copy);
      const nowMs = performance.now();
      if (nowMs > beganMs) {
        times.push(nowMs - copy.receivedAtMs);
        if (done.result === 'swapped') swapped++;
      }
      dueMs += FRAME_MS;
      while (dueMs < nowMs - FRAME_MS) {
        dueMs += FRAME_MS;
        if (nowMs > beganMs) left++;
      }
      await delay(Math.max(0, dueMs - nowMs));
    }
  };
  await Promise.all(sessions.map(stream));
  for (const session of sessions) session.close();
  const fps = Math.round((10_000 * times.length) / (forMs * count)) / 10;
  const byGenerator = Math.round((100 * swapped) / Math.max(1, times.length)) / 100;
  return { streams: count, fps, left, byGenerator, frameMs: spread(times) };
}

/** The card's memory in use, twice a second; null where there is no card. */
function watchMemory() {
  const used: number[] = [];
  let timer: NodeJS.Timeout | undefined;
  try {
    const nvml = new Nvml();
    nvml.start();
    const card = nvml.device(0);
    const read = (): Promise<void> =>
      nvml.memoryAsync(card).then(({ usedBytes }) => void used.push(Math.round(usedBytes / 2 ** 20)));
    timer = setInterval(() => void read().catch(() => undefined), 500);
  } catch {
    // No card: nothing is watched.
  }
  return {
    async end() {
      clearInterval(timer);
      if (used.length === 0) return null;
      const half = used.length >> 1;
      const most = (part: readonly number[]): number => Math.max(...part);
      return {
        seconds: used.length / 2,
        first: used[0]!,
        mostFirstHalf: most(used.slice(0, half)),
        mostSecondHalf: most(used.slice(half)),
      };
    },
  };
}

/** Another process takes what is left of the card's memory for some seconds while a model runs: what fails, and until when. */
export async function memoryTaken(context: GpuContext) {
  requireProvider(context.provider);
  if (context.provider === 'cpu' || context.provider === 'webgpu') throw new LeftOut('for CUDA and TensorRT');
  const hosted = host(path.join(context.scratch, 'oom'), 16, { provider: context.provider });
  const client = new DeviceClient({ address: hosted.address, yieldWhile: (wait) => wait });
  let hog: ChildProcess | null = null;
  try {
    const beganMs = performance.now();
    const at = (): number => Math.round(performance.now() - beganMs);
    const events: string[] = [];
    const results: { atMs: number; failed: boolean }[] = [];
    let session = await client.open(deviceSpec(context, NETWORKS[0]!), {});
    const phase = async (forMs: number, wide: boolean): Promise<void> => {
      const untilMs = performance.now() + forMs;
      while (performance.now() < untilMs) {
        const runs = await Promise.allSettled(Array.from({ length: wide ? 16 : 1 }, () => session.run()));
        const failed = runs.find((run) => run.status === 'rejected');
        results.push({ atMs: at(), failed: failed !== undefined });
        if (failed === undefined) continue;
        const why = messageOf(failed.reason);
        if (!events.includes(why)) events.push(why);
        await delay(100);
        session = await client.open(deviceSpec(context, NETWORKS[0]!), {}).catch(() => session);
      }
    };
    await phase(3000 * context.share, false);
    hog = fork(path.join(root, 'dist/bench/gpu.js'), ['--hog'], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const tookMiB = await new Promise((resolve) => hog!.once('message', resolve));
    const takenAtMs = at();
    await phase(8000 * context.share, true);
    const freedAtMs = at();
    hog.kill('SIGKILL');
    await phase(6000 * context.share, true);
    const failures = results.filter(({ failed }) => failed);
    const firstGood = results.find(({ atMs, failed }) => atMs >= freedAtMs && !failed);
    return {
      tookMiB,
      takenAtMs,
      freedAtMs,
      runs: results.length,
      failures: failures.length,
      lastFailureAtMs: failures.at(-1)?.atMs ?? null,
      recoveredAfterMs: firstGood === undefined ? null : firstGood.atMs - freedAtMs,
      outOfMemory: hosted.reports.reduce((sum, { ooms }) => sum + ooms, 0),
      limits: hosted.reports.at(-1)?.limits ?? {},
      events,
    };
  } finally {
    hog?.kill('SIGKILL');
    client.close();
    await hosted.close();
  }
}

/** The monitor's figures of the card beside those of nvidia-smi, idle and while a network runs. */
export async function monitor(context: GpuContext) {
  if (cards() === 0) throw new LeftOut('no card');
  const gpu = await openGpu({});
  if (gpu === null) throw new LeftOut('the monitor finds no card');
  const smi = (): string =>
    spawnSync('nvidia-smi', ['--query-gpu=memory.used,memory.total,utilization.gpu', '--format=csv,noheader,nounits'], {
      encoding: 'utf8',
    }).stdout?.trim() ?? 'nvidia-smi does not run here';
  const both = async () => ({ monitor: await gpu.read(), smi: smi() });
  const idle = await both();
  context.note({ name: gpu.name, driver: gpu.driver, idle });
  const hosted = host(path.join(context.scratch, 'monitor'), 4, { provider: context.provider });
  const client = new DeviceClient({ address: hosted.address, yieldWhile: (wait) => wait });
  try {
    const session = await client.open(deviceSpec(context, NETWORKS[0]!), {});
    let isOver = false;
    const busy = (async () => {
      while (!isOver) await session.run();
    })();
    await delay(3000);
    const running = await both();
    isOver = true;
    await busy;
    return { name: gpu.name, driver: gpu.driver, idle, running };
  } finally {
    client.close();
    await hosted.close();
    gpu.close();
  }
}
