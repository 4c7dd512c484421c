/**
 * How many 640x480 sessions at 30 fps run at once before one falls under 24 fps. The cameras run on the same machine.
 */

import { FakeCameras, LiveServer, type Mode, pause } from './live-run.ts';

const LEAST_FPS = 24;
const SETTLE_MS = 8000;
const MOST = 12;

/** Sessions, swapped and echoed. */
export interface CapacityFigures {
  swap: number;
  echo: number;
}

/** Takes up to 200 s: a session more every eight seconds. */
export async function benchCapacity(): Promise<CapacityFigures> {
  return { swap: await sessions('swap'), echo: await sessions('echo') };
}

async function sessions(mode: Mode): Promise<number> {
  const [server, cameras] = [await LiveServer.start(mode), await FakeCameras.start()];
  try {
    for (let count = 1; count <= MOST; count++) {
      await cameras.add(server.url);
      await pause(SETTLE_MS);
      const slowest = Math.min(...(await server.sessions()).map(({ fpsOut }) => fpsOut));
      if (slowest < LEAST_FPS) return count - 1;
    }
    return MOST;
  } finally {
    cameras.stop();
    server.stop();
  }
}
