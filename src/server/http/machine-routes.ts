/** `/api/status/memory` and its export as a table: what the monitor remembers. */

import type { FastifyInstance } from 'fastify';
import type { MachineHistory, MachineSample } from '../../shared/messages.ts';
import type { Pressure } from '../../shared/types.ts';
import { PRESSURES } from '../monitor/memory-pressure.ts';
import type { Monitor } from '../monitor/monitor.ts';

type GpuName = NonNullable<MachineHistory['gpu']>;

export interface MachineStatus {
  /** Its state is left out while it does not answer. */
  gpu: (GpuName & Partial<NonNullable<MachineSample['gpu']>>) | null;
  memory: { rssBytes: number; limitBytes: number; pressure: Pressure };
}

/** Columns of the table, in order; a GPU that is not there leaves its cells empty. */
const COLUMNS: Record<string, (sample: MachineSample) => string | number | null | undefined> = {
  time: ({ atMs }) => new Date(atMs).toISOString(),
  gpu_memory_used_bytes: ({ gpu }) => gpu?.usedBytes,
  gpu_memory_total_bytes: ({ gpu }) => gpu?.totalBytes,
  gpu_utilization_ratio: ({ gpu }) => gpu?.utilisation,
  process_memory_bytes: ({ rssBytes }) => rssBytes,
  machine_available_bytes: ({ availableBytes }) => availableBytes,
  process_cpu_cores: ({ cores }) => cores,
  event_loop_delay_ms: ({ loopDelayMs }) => loopDelayMs,
  sessions: ({ sessions }) => sessions,
  frames_per_second: ({ fps }) => fps,
  frame_time_p95_ms: ({ frameMs }) => frameMs,
  degradation_level: ({ level }) => level,
  memory_pressure: ({ pressure }) => PRESSURES.indexOf(pressure),
  machine_cpu_cores: ({ processor }) => processor.cores,
  machine_cpu_cores_busy: ({ processor }) => processor.busy,
};

/** RFC 4180, a header line first; no cell needs quotes. */
export function csvOf(samples: readonly MachineSample[]): string {
  const rows = samples.map((sample) => Object.values(COLUMNS).map((cell) => cell(sample) ?? ''));
  return [Object.keys(COLUMNS), ...rows].map((row) => `${row.join(',')}\r\n`).join('');
}

/** The part of `/api/status` that is about the machine. */
export function machineStatus({ gpu, latest, pressure }: Monitor, rssLimitMb: number): MachineStatus {
  return {
    gpu: gpu === null ? null : { ...infoOf(gpu), ...latest?.gpu },
    memory: { rssBytes: process.memoryUsage.rss(), limitBytes: rssLimitMb * 2 ** 20, pressure },
  };
}

export function machineRoutes(app: FastifyInstance, monitor: Monitor, intervalMs: number): void {
  /** `?since=` leaves out what is known already: milliseconds since 1970, the `atMs` of the last sample that came. */
  app.get<{ Querystring: { since?: string } }>('/api/status/memory', async ({ query }): Promise<MachineHistory> => {
    const { gpu } = monitor;
    const samples = monitor.history(Number(query.since ?? 0) || 0);
    return { intervalMs, gpu: gpu === null ? null : infoOf(gpu), samples };
  });
  app.get('/api/status/memory.csv', async (_request, reply) =>
    reply
      .type('text/csv; charset=utf-8')
      .header('content-disposition', 'attachment; filename="memory.csv"')
      .send(csvOf(monitor.history())),
  );
}

const infoOf = ({ name, driver, computeCapability }: GpuName): GpuName => ({
  name,
  driver,
  computeCapability,
});
