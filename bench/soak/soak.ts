/**
 * Soak: sessions, viewers and recordings that come and go for an hour against the program as it is started, over
 * WebRTC, beside one session that stays. After each round, when only that one is left, what the server holds is read,
 * so that descriptors and threads are compared at equal load. Linux only.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { SessionStats } from '../../src/shared/messages.ts';
import { startProgram, until } from '../../test/support/server.ts';
import { nextMessage, startBenchProcess } from '../speed/live/live-run.ts';
import { COLLECTING, collectGarbage } from './collect-garbage.ts';
import { heldBy } from './held-by.ts';
import {
  type HeldAt,
  type HeldTrends,
  heldLine,
  heldTrends,
  oneDecimal,
  tableOfTrends,
  WARM_UP_SHARE,
  windowOf,
} from './held-trends.ts';
import type { RoundFigures } from './soak-guests.ts';
import { type Trend, trendOf } from './trend.ts';

/** One soak. */
export interface SoakFigures extends HeldTrends {
  minutes: number;
  /** Rounds that were measured. */
  rounds: number;
  /** What the guests did, those of the warm-up included. */
  done: RoundFigures;
  /** Rounds whose guests were killed; what those did is not counted. */
  killed: number;
  /** Of the session that stays. Other programs of the machine disturb these, so they have no verdict. */
  resident: { frameP95Ms: Pick<Trend, 'first' | 'last'>; fps: Pick<Trend, 'first' | 'last'> };
}

interface Round extends HeldAt {
  p95Ms: number;
  fps: number;
}

/** In every so-manieth round the guests' process is killed while they publish. */
const KILLED_EVERY = 4;
const KILLED_AFTER_MS = 11_000;
const QUIET_MS = 60_000;
/** Time for what ends after the last session: ffmpeg, sockets that linger, threads of WebRTC. */
const SETTLE_MS = 2000;

/**
 * @param tell is given a line for each round.
 * @throws Error where the server refuses something, where the session that stays ends, or where sessions do not end.
 */
export async function benchSoak(minutes: number, tell: (line: string) => void): Promise<SoakFigures> {
  const settings = ['server.priority=normal', 'limits.sessions=8', 'webrtc.lostTimeoutMs=3000'];
  const server = await startProgram(
    settings.flatMap((one) => ['--set', one]),
    COLLECTING,
  );
  const { url, child } = server;
  const resident = startBenchProcess('soak-guests', [url, 'resident']);
  const done: RoundFigures = { sessions: 0, viewers: 0, recordings: 0, pictures: 0 };
  const rounds: Round[] = [];
  let killed = 0;
  const warmUpMs = WARM_UP_SHARE * minutes * 60_000;
  const beganMs = performance.now();
  try {
    await nextMessage(resident);
    for (let n = 0; performance.now() - beganMs < warmUpMs + minutes * 60_000 || rounds.length < 2; n++) {
      if (n % KILLED_EVERY === KILLED_EVERY - 1) {
        await killRound(url, n);
        killed++;
      } else {
        const one = await nextMessage<RoundFigures>(startBenchProcess('soak-guests', [url, String(n)]));
        for (const key of Object.keys(done) as (keyof RoundFigures)[]) done[key] += one[key];
      }
      const round = await readQuiet(url, child.pid!);
      const isMeasured = round.atMs - beganMs > warmUpMs;
      if (isMeasured) rounds.push(round);
      tell(lineOf(n, round, beganMs, isMeasured));
    }
  } finally {
    if (resident.connected) resident.disconnect();
    await server.stop();
  }
  return { minutes, rounds: rounds.length, done, killed, ...comparedOf(rounds, minutes) };
}

/** The rows of a soak's table. */
export function tableOfSoak({ trends, resident }: SoakFigures): Record<string, object> {
  const bare = ({ first, last }: Pick<Trend, 'first' | 'last'>) => ({
    first: oneDecimal(first),
    last: oneDecimal(last),
  });
  return {
    ...tableOfTrends(trends),
    'frame age p95 ms': bare(resident.frameP95Ms),
    'frames a second': bare(resident.fps),
  };
}

async function killRound(url: string, n: number): Promise<void> {
  const guests = startBenchProcess('soak-guests', [url, String(n)]);
  const gone = new Promise((resolve) => guests.once('exit', resolve));
  await delay(KILLED_AFTER_MS);
  if (guests.exitCode !== null) throw new Error(`the guests of round ${n} ended with ${guests.exitCode}`);
  guests.kill('SIGKILL');
  await gone;
}

/** Waits until the resident is the only session left, and reads what the server holds then. */
async function readQuiet(url: string, pid: number): Promise<Round> {
  const sessions = async (): Promise<SessionStats[]> =>
    (await fetch(`${url}/api/sessions`)).json() as Promise<SessionStats[]>;
  await until(async () => (await sessions()).length <= 1, 'the sessions of a round to end', QUIET_MS);
  await delay(SETTLE_MS);
  const [left] = await sessions();
  if (left === undefined) throw new Error('the session that stays ended by itself');
  await collectGarbage(pid);
  return { ...(await heldBy(pid, url)), atMs: performance.now(), p95Ms: left.frameMs.p95, fps: left.fpsOut };
}

function comparedOf(rounds: readonly Round[], minutes: number) {
  const ends = (key: 'p95Ms' | 'fps'): Pick<Trend, 'first' | 'last'> => {
    const samples = rounds.map((round) => ({ atMs: round.atMs, value: round[key] }));
    const windowMs = windowOf(minutes) * 60_000;
    const { first, last } = trendOf(samples, { windowMs, of: 'median', slack: () => Number.POSITIVE_INFINITY });
    return { first, last };
  };
  return { ...heldTrends(rounds, minutes), resident: { frameP95Ms: ends('p95Ms'), fps: ends('fps') } };
}

const lineOf = (n: number, round: Round, beganMs: number, isMeasured: boolean): string =>
  `${heldLine(n, round, beganMs, isMeasured)}, p95 ${round.p95Ms} ms, ${round.fps} fps`;
