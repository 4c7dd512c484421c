/** What those who look on cost: one swapped 640x480 stream at 30 fps, watched by none, one, … ten. They share the machine. */

import { ratio } from '../bench-machine.ts';
import { FakeCameras, LiveServer, pause } from './live-run.ts';

export interface ViewerFigures {
  viewers: number;
  /** Cores the server takes, swap and all. */
  cores: number;
  /** More than without viewers, for each of them. */
  coresPerViewer: number;
  /** Pictures that were swapped and that each viewer got, a second. */
  swapsPerSecond: number;
  seenPerSecond: number;
}

const SETTLE_MS = 6000;
const FOR_MS = 6000;

/** @param most viewers at last. */
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
        ...{ viewers, cores: ratio(cores, 1), coresPerViewer: viewers === 0 ? 0 : ratio(cores - alone, viewers) },
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
