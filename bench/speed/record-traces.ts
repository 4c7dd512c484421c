/**
 * Records how frames fare on this machine, for the tests of the quality controller (test/fixtures/traces): when each
 * frame came, how many were dropped before it, how long its stages took. The traces are a cold start beside a browser,
 * half the processor, busy neighbour processes for a second and for longer, and four sessions at once.
 */

import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { root } from '../../src/lib/package-root.ts';
import { NICE } from '../../src/lib/priority.ts';
import type { TracedFrame } from './live/bench-server.ts';
import { whyNot } from './live/conditions.ts';
import { FakeCameras, LiveServer, pause } from './live/live-run.ts';
import { runCall } from './live/steady-run.ts';

const FOLDER = path.join(root, 'test/fixtures/traces');

/** Takes about two minutes, and replaces the files. @returns how many frames each trace has. */
export async function recordTraces(): Promise<Record<string, number>> {
  const portrait = path.join(root, 'models/portraits/astronaut.webp');
  const face = (await sharp(portrait).png().toBuffer()).toString('base64');
  const call = async (condition: 'plain' | 'half', seconds: number): Promise<TracedFrame[][]> => [
    (await runCall({ mode: 'swap', condition, seconds, clip: undefined, face, width: 640, height: 480 })).trace,
  ];
  const counts: Record<string, number> = {};
  const keep = (name: string, traces: TracedFrame[][]): void => {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(path.join(FOLDER, `${name}.json`), `${JSON.stringify(traces.map(fromZero))}\n`);
    counts[name] = traces.reduce((sum, { length }) => sum + length, 0);
  };
  keep('cold-start', await call('plain', 12));
  if ((await whyNot('half')) === null) keep('half-speed', await call('half', 15));
  keep('neighbours-1s', await besideNeighbours(1, 5000, 1000, 6000));
  keep('neighbours-15s', await besideNeighbours(1, 5000, 15_000, 10_000));
  keep('four-sessions', await besideNeighbours(4, 15_000, 0, 0));
  return counts;
}

/** Cameras, and for a while two processes a core that have the server's priority. */
async function besideNeighbours(
  cameras: number,
  beforeMs: number,
  forMs: number,
  afterMs: number,
): Promise<TracedFrame[][]> {
  const server = await LiveServer.start('swap');
  const publishers = await FakeCameras.start();
  try {
    for (let i = 0; i < cameras; i++) await publishers.add(server.url);
    await pause(beforeMs);
    const count = forMs > 0 ? 2 * os.availableParallelism() : 0;
    const neighbours = Array.from({ length: count }, () => spawn(process.execPath, ['-e', 'for (;;) {}']));
    for (const { pid } of neighbours) os.setPriority(pid!, NICE.above);
    await pause(forMs);
    for (const one of neighbours) one.kill('SIGKILL');
    await pause(afterMs);
    return (await server.figures()).traces;
  } finally {
    publishers.stop();
    server.stop();
  }
}

/** Times since the first frame, to a tenth of a millisecond. */
function fromZero(trace: TracedFrame[]): TracedFrame[] {
  const tenth = (value: number): number => Math.round(10 * value) / 10;
  return trace.map(([atMs, dropped, serviceMs]) => [
    tenth(atMs - trace[0]![0]),
    dropped,
    serviceMs === null ? null : tenth(serviceMs),
  ]);
}
