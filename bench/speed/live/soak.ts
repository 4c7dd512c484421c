/** Soak: one swapped session for minutes; memory and frame age of the first minute against the last. */

import { FakeCameras, LiveServer, pause } from './live-run.ts';

const EVERY_MS = 5000;

/** Means over the first and the last minute. `rssMiB` is the server process's memory. */
export interface SoakFigures {
  minutes: number;
  rssMiB: { first: number; last: number };
  frameP95Ms: { first: number; last: number };
  fps: { first: number; last: number };
}

/** @throws Error where the session ends before the time is over. */
export async function benchSoak(minutes: number): Promise<SoakFigures> {
  const [server, cameras] = [await LiveServer.start('swap'), await FakeCameras.start()];
  const samples: { rssMiB: number; p95Ms: number; fps: number }[] = [];
  try {
    await cameras.add(server.url);
    // The first seconds fill caches and settle the codecs' rates.
    await pause(2 * EVERY_MS);
    for (let passedMs = 0; passedMs < minutes * 60_000; passedMs += EVERY_MS) {
      await pause(EVERY_MS);
      const { rssMiB } = await server.figures();
      const [stats] = await server.sessions();
      if (stats === undefined) throw new Error('the session ended by itself');
      samples.push({ rssMiB, p95Ms: stats.frameMs.p95, fps: stats.fpsOut });
    }
  } finally {
    cameras.stop();
    server.stop();
  }
  const minute = Math.min(samples.length, Math.round(60_000 / EVERY_MS));
  const mean = (part: typeof samples, of: (sample: (typeof samples)[number]) => number): number =>
    Math.round((10 * part.reduce((sum, sample) => sum + of(sample), 0)) / part.length) / 10;
  const both = (of: (sample: (typeof samples)[number]) => number) => ({
    first: mean(samples.slice(0, minute), of),
    last: mean(samples.slice(-minute), of),
  });
  return { minutes, rssMiB: both((s) => s.rssMiB), frameP95Ms: both((s) => s.p95Ms), fps: both((s) => s.fps) };
}
