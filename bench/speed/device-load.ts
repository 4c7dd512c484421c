/** A device process of a bench, and streams that load it. */

import { pino } from 'pino';
import { type Config, defaultConfig } from '../../src/config.ts';
import { DeviceClient } from '../../src/pipeline/device/device-client.ts';
import { DeviceHost } from '../../src/pipeline/device/device-host.ts';
import type { DeviceReport } from '../../src/pipeline/device/device-protocol.ts';
import type { ModelSpec } from '../../src/pipeline/inference/model-device.ts';
import { ratio, spread } from './bench-machine.ts';

const ROUND_MS = 4000;

/** A device process of a bench. */
export interface Hosted {
  address: string;
  /** Newest last. */
  reports: DeviceReport[];
  /** Why a provider was left for the next, each once. */
  steps: Set<string>;
  close(): Promise<void>;
}

/** Starts a device process that tunes its batches. @param inference settings other than the usual ones. */
export function host(cacheDir: string, maxBatch: number, inference: Partial<Config['inference']> = {}): Hosted {
  const reports: DeviceReport[] = [];
  const steps = new Set<string>();
  const options = {
    threads: 1,
    warmupRuns: 2,
    maxBatch,
    tune: true,
    budgetMs: 1000,
    cacheDir,
    inference: { ...defaultConfig().inference, ...inference },
  };
  const device = new DeviceHost(options, pino({ level: 'silent' }), {
    onReport: (report) => {
      reports.push(report);
      for (const { from, to, why } of report.steps) steps.add(`${from} → ${to}: ${why}`);
    },
  });
  device.start();
  return { address: device.address, reports, steps, close: () => device.close() };
}

/** Runs streams for a while; each asks again as soon as it is answered. */
export async function load(hosted: Hosted, spec: ModelSpec, streams: number, forMs = ROUND_MS) {
  const { address, reports } = hosted;
  const clients = Array.from({ length: streams }, () => new DeviceClient({ address, yieldWhile: (wait) => wait }));
  const sessions = await Promise.all(clients.map((client) => client.open(spec, {})));
  await new Promise((resolve) => setTimeout(resolve, 1100));
  reports.length = 0;
  const times: number[] = [];
  const untilMs = performance.now() + forMs;
  const stream = async (session: (typeof sessions)[number]): Promise<void> => {
    while (performance.now() < untilMs) {
      const beganMs = performance.now();
      await session.run();
      times.push(performance.now() - beganMs);
    }
  };
  await Promise.all(sessions.map(stream));
  await new Promise((resolve) => setTimeout(resolve, 1100));
  for (const client of clients) client.close();
  const batches = reports.flatMap((report) => report.batches);
  return {
    perSecond: Math.round((1000 * times.length) / forMs),
    ms: spread(times),
    waitP95Ms: spread(batches.map(({ waitMs }) => waitMs)).p95,
    meanBatch: ratio(
      batches.reduce((sum, { size }) => sum + size, 0),
      batches.length,
    ),
  };
}
