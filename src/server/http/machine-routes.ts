/** `/api/status/memory`: the monitor's history as JSON and as CSV. */

import type { FastifyInstance } from 'fastify';
import { residentBytes } from '../../lib/system/resident-memory.ts';
import type { MachineHistory, MachineSample } from '../../shared/messages.ts';
import type { Pressure } from '../../shared/types.ts';
import { PRESSURES } from '../monitor/memory-pressure.ts';
import type { Monitor } from '../monitor/monitor.ts';

type GpuName = NonNullable<MachineHistory['gpu']>;

/** The part of `/api/status` about the machine. */
export interface MachineStatus {
  /** Null without a GPU; without the state while the GPU does not answer. */
  gpu: (GpuName & Partial<NonNullable<MachineSample['gpu']>>) | null;
  memory: { rssBytes: number; limitBytes: number; pressure: Pressure };
}

/** Columns of the CSV file, in order; without a GPU its cells are empty. */
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

/** The samples as CSV (RFC 4180) with a header line; no cell needs quotes. */
function csvOf(samples: readonly MachineSample[]): string {
  const rows = samples.map((sample) => Object.values(COLUMNS).map((cell) => cell(sample) ?? ''));
  return [Object.keys(COLUMNS), ...rows].map((row) => `${row.join(',')}\r\n`).join('');
}

/** Reads the machine's status from the monitor. */
export function machineStatus({ gpu, latest, pressure }: Monitor, rssLimitMb: number): MachineStatus {
  return {
    gpu: gpu === null ? null : { ...infoOf(gpu), ...latest?.gpu },
    memory: { rssBytes: residentBytes(), limitBytes: rssLimitMb * 2 ** 20, pressure },
  };
}

/** Registers the routes of the history. @param intervalMs time between two samples. */
export function machineRoutes(app: FastifyInstance, monitor: Monitor, intervalMs: number): void {
  /** `?since=` asks only for samples after that time: milliseconds since 1970, the `atMs` of the last known sample. */
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
