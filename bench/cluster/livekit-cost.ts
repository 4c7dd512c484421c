/**
 * What a worker of LiveKit costs, on loopback with a real LiveKit server: the latency that it adds, cores and memory of a job.
 * A viewer that subscribes to the camera itself, by a token that no person is given, is the other side of each ratio.
 */

import { readFileSync } from 'node:fs';
import { loadRtc } from '../../src/agent/rtc-packages.ts';
import { accessToken } from '../../src/livekit/access-token.ts';
import { cameraRoom } from '../../src/livekit/room-names.ts';
import { publisherTickets, viewerTicket } from '../../src/livekit/stream-tokens.ts';
import type { SettingsPatch } from '../../src/shared/settings.ts';
import { cutFrame, group } from '../../test/support/lane.ts';
import { pause, repositoryCache, startAgent, startLiveKit, whyNoLiveKit } from '../../test/support/livekit.ts';
import { CameraOfCluster, ViewerOfCluster } from '../../test/support/livekit-people.ts';
import { until } from '../../test/support/server.ts';
import { cpuOf } from '../speed/thread-time.ts';
import { SimWorker } from './sim-worker.ts';

/** Figures with a number of jobs. */
export interface LiveKitRow {
  jobs: number;
  swap: boolean;
  /** From drawing to arrival, without the worker and with it, in milliseconds. */
  directMs: { p50: number; p95: number };
  swappedMs: { p50: number; p95: number };
  /** Pictures a second that the first viewer got. */
  fps: number;
  /** Cores of the worker and of LiveKit. */
  workerCores: number;
  sfuCores: number;
  /** Memory of the worker (PSS), in MiB. */
  workerMib: number;
  /** Time of a lane that a frame took, in milliseconds, and pictures a second of all jobs. */
  swapMs: number;
  allFps: number;
  /** Load that the worker told, and what the simulator's worker tells with as many jobs of that time and rate. */
  load: number;
  simulatedLoad: number;
}

const SECONDS = 12;
const FPS = 30;
const SETTLE_MS = 6000;

/** Measures with no job, one job without and with the swap, and more jobs. Null where LiveKit is missing, which is told. */
export async function benchLiveKit(mostJobs = 3): Promise<LiveKitRow[] | null> {
  const why = whyNoLiveKit();
  if (why !== null) {
    console.log(`left out: ${why}`);
    return null;
  }
  const livekit = await startLiveKit();
  const library = await loadRtc(repositoryCache);
  const person = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
  const agent = await startAgent(livekit.at, ['--set', 'livekit.maxLoad=1']);
  const rows: LiveKitRow[] = [];
  const people: { leave(): Promise<void> }[] = [];
  const pair = async (n: number, settings: SettingsPatch) => {
    const tickets = publisherTickets(livekit.issuer, { stream: `cost${n}`, publisher: 'ann' }, settings);
    const [camera, viewer, direct] = [
      new CameraOfCluster(library),
      new ViewerOfCluster(library),
      new ViewerOfCluster(library),
    ];
    const room = cameraRoom(tickets);
    const grant = { roomJoin: true, room, canPublish: false, canSubscribe: true };
    people.push(viewer, direct, camera);
    await viewer.join(livekit.at, viewerTicket(livekit.issuer, tickets.stream, 'vic'));
    await camera.join(livekit.at, tickets);
    await direct.join(livekit.at, {
      room,
      token: accessToken(livekit.at, { identity: 'eve', grant, lifetimeMs: 600_000 }),
    });
    await camera.publish(person, FPS);
    await until(() => viewer.seen.length > 10, 'pictures', 60_000);
    return { camera, viewer, direct };
  };
  const measure = async (jobs: number, swap: boolean, first: Awaited<ReturnType<typeof pair>> | null) => {
    await pause(SETTLE_MS);
    const fromMs = performance.now();
    const before = [cpuOf([agent.child.pid!]), cpuOf([livekit.child.pid!])];
    const framesBefore = await framesOf(agent.health);
    await pause(1000 * SECONDS);
    const forS = (performance.now() - fromMs) / 1000;
    const [worker, sfu] = [cpuOf([agent.child.pid!]), cpuOf([livekit.child.pid!])].map(
      (cpuS, n) => (cpuS - before[n]!) / forS,
    );
    const frames = await framesOf(agent.health);
    const count = frames.count - framesBefore.count;
    const swapMs = count === 0 ? 0 : (1000 * (frames.stageS - framesBefore.stageS)) / count;
    const { load } = (await (await fetch(`${agent.health}/readyz`)).json()) as { load: number };
    const seen = first?.viewer.seen.filter(({ atMs }) => atMs > fromMs).length ?? 0;
    rows.push({
      jobs,
      swap,
      directMs: spreadOf(first?.direct.latenciesMs(fromMs) ?? []),
      swappedMs: spreadOf(first?.viewer.latenciesMs(fromMs) ?? []),
      fps: seen / forS,
      workerCores: worker!,
      sfuCores: sfu!,
      workerMib: pssMib(agent.child.pid!),
      swapMs,
      allFps: count / forS,
      load,
      simulatedLoad: jobs === 0 ? 0 : simulatedLoad(jobs, swapMs * (count / forS / jobs / FPS)),
    });
  };
  try {
    await measure(0, false, null);
    const plain = await pair(0, { on: false, guarded: false });
    await measure(1, false, plain);
    await plain.camera.room.localParticipant!.setAttributes({ 'faceoff.settings': '{}' });
    await measure(1, true, plain);
    for (let jobs = 2; jobs <= mostJobs; jobs++) {
      await pair(jobs, {});
      await measure(jobs, true, plain);
    }
  } finally {
    for (const one of people) await one.leave();
    await agent.kill();
    await livekit.stop();
  }
  return rows;
}

/** The rows, for a table of the console. */
export function tableOfLiveKit(rows: readonly LiveKitRow[]): Record<string, Record<string, number>> {
  const short = (value: number): number => Math.round(100 * value) / 100;
  return Object.fromEntries(
    rows.map(({ jobs, swap, directMs, swappedMs, fps, workerCores, sfuCores, workerMib, swapMs, ...loads }) => [
      `${jobs} jobs${jobs > 0 && !swap ? ', no swap' : ''}`,
      {
        'direct p50 ms': short(directMs.p50),
        'direct p95 ms': short(directMs.p95),
        'worker p50 ms': short(swappedMs.p50),
        'worker p95 ms': short(swappedMs.p95),
        'added p50 ms': short(swappedMs.p50 - directMs.p50),
        fps: short(fps),
        'worker cores': short(workerCores),
        'LiveKit cores': short(sfuCores),
        'worker MiB': short(workerMib),
        'swap ms': short(swapMs),
        load: short(loads.load),
        'simulated load': short(loads.simulatedLoad),
      },
    ]),
  );
}

const spreadOf = (rising: readonly number[]): { p50: number; p95: number } => ({
  p50: rising[Math.floor(0.5 * rising.length)] ?? Number.NaN,
  p95: rising[Math.floor(0.95 * rising.length)] ?? Number.NaN,
});

/** What the simulator's worker tells when its jobs have settled. */
function simulatedLoad(jobs: number, swapMs: number): number {
  const worker = new SimWorker({ lanes: 1, swapMs, maxLoad: 1, mostJobs: jobs });
  for (let n = 0; n < jobs; n++) worker.offer(n, 0);
  for (let atS = 0; atS < 30; atS += 0.5) worker.tick(atS);
  return worker.told.load;
}

/** Frames that a worker swapped or passed so far, and the time of its stages, in seconds. */
async function framesOf(health: string): Promise<{ count: number; stageS: number }> {
  const lines = (await (await fetch(`${health}/metrics`)).text()).split('\n');
  const sum = (pattern: RegExp): number =>
    lines.filter((line) => pattern.test(line)).reduce((total, line) => total + Number(line.split(' ').at(-1)), 0);
  return {
    count: sum(/^faceoff_frames_total\{result="(swapped|passed)"\}/),
    stageS: sum(/^faceoff_stage_seconds_sum\{/),
  };
}

function pssMib(pid: number): number {
  const [, kib] = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}
