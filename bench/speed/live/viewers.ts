/** What viewers cost: one swapped 640x480 stream at 30 fps with no viewer, one, … ten, all on the same machine. */

import { ratio } from '../bench-machine.ts';
import { FakeCameras, LiveServer, pause } from './live-run.ts';

/** One count of viewers. */
export interface ViewerFigures {
  viewers: number;
  /** Cores that the server uses, the swap included. */
  cores: number;
  /** Cores above those without viewers, per viewer. */
  coresPerViewer: number;
  /** Pictures that the session swapped. */
  swapsPerSecond: number;
  /** Pictures that each viewer received. */
  seenPerSecond: number;
}

const SETTLE_MS = 6000;
const FOR_MS = 6000;

/** Takes about 75 s. @param most viewers in the last row. */
export async function benchViewers(most = 10): Promise<ViewerFigures[]> {
  const [server, cameras] = [await LiveServer.start('swap'), await FakeCameras.start()];
  const rows: ViewerFigures[] = [];
  try {
    await cameras.add(server.url, 'watched');
    for (const viewers of [0, 1, 2, 4, 6, most]) {
      while (cameras.watchers < viewers) await cameras.watch(server.url, 'watched');
      await pause(SETTLE_MS);
      const [swapsBefore, seenBefore] = [await swaps(server), await cameras.seen()];
      const cores = await server.cores(FOR_MS);
      const [swapped, seen] = [(await swaps(server)) - swapsBefore, (await cameras.seen()) - seenBefore];
      const alone = rows[0]?.cores ?? cores;
      rows.push({
        viewers,
        cores: ratio(cores, 1),
        coresPerViewer: viewers === 0 ? 0 : ratio(cores - alone, viewers),
        swapsPerSecond: ratio(1000 * swapped, FOR_MS),
        seenPerSecond: viewers === 0 ? 0 : ratio(1000 * seen, FOR_MS * viewers),
      });
    }
    return rows;
  } finally {
    cameras.stop();
    server.stop();
  }
}

const swaps = async (server: LiveServer): Promise<number> =>
  (await server.sessions()).reduce((sum, { swapped }) => sum + swapped, 0);
