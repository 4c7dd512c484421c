/**
 * Overload: four sessions at once beside busy neighbour processes. Measures how old frames get, what the quality ladder
 * does, and when the one session that stays has full quality again.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { defaultConfig } from '../../../src/config.ts';
import { FakeCameras, LiveServer, pause } from './live-run.ts';

const SESSIONS = 4;
const NEIGHBOURS = 2;
const [SETTLED_S, LOAD_S, AFTER_S] = [8, 15, 20];

/** What the sessions' statistics say after each second. */
export interface OverloadSecond {
  second: number;
  phase: 'alone' | 'loaded' | 'after';
  /** Frame age of the worst session, p95 over the last three seconds. */
  p95Ms: number;
  /** Frames a second of the slowest session. */
  slowestFps: number;
  /** Level of each session on the quality ladder; 0 is full quality. */
  levels: number[];
}

/** The whole run. */
export interface OverloadFigures {
  budgetMs: number;
  /** Worst frame age while the machine was loaded. */
  worstP95Ms: number;
  /** Seconds from the end of the load until full quality is back for good; null if it never is. */
  backAfterS: number | null;
  seconds: OverloadSecond[];
}

/** Takes about 45 s. */
export async function benchOverload(): Promise<OverloadFigures> {
  const [server, cameras, guests] = [
    await LiveServer.start('swap'),
    await FakeCameras.start(),
    await FakeCameras.start(),
  ];
  const seconds: OverloadSecond[] = [];
  const watch = async (phase: OverloadSecond['phase'], forS: number): Promise<void> => {
    for (let i = 0; i < forS; i++) {
      await pause(1000);
      const stats = await server.sessions();
      seconds.push({
        second: seconds.length,
        phase,
        p95Ms: Math.max(...stats.map(({ frameMs }) => frameMs.p95)),
        slowestFps: Math.min(...stats.map(({ fpsOut }) => fpsOut)),
        levels: stats.map(({ level }) => level),
      });
    }
  };
  let neighbours: ChildProcess[] = [];
  try {
    await cameras.add(server.url);
    await watch('alone', SETTLED_S);
    for (let i = 1; i < SESSIONS; i++) await guests.add(server.url);
    neighbours = Array.from({ length: NEIGHBOURS }, () => spawn(process.execPath, ['-e', 'for (;;) {}']));
    await watch('loaded', LOAD_S);
    for (const one of neighbours) one.kill('SIGKILL');
    guests.stop();
    await watch('after', AFTER_S);
  } finally {
    for (const one of neighbours) one.kill('SIGKILL');
    guests.stop();
    cameras.stop();
    server.stop();
  }
  const after = seconds.filter(({ phase }) => phase === 'after');
  const back = after.findIndex((_, i) => after.slice(i).every(({ levels }) => levels.every((level) => level === 0)));
  return {
    budgetMs: defaultConfig().pipeline.budgetMs,
    worstP95Ms: Math.max(...seconds.filter(({ phase }) => phase === 'loaded').map(({ p95Ms }) => p95Ms)),
    backAfterS: back < 0 ? null : back + 1,
    seconds,
  };
}
