/**
 * Soak of a LiveKit worker: publishers and viewers that come and go for an hour, with a real LiveKit server on loopback.
 * After each round, when the worker has no job, what it holds is read. Linux only.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { startAgent, startLiveKit, whyNoLiveKit } from '../../test/support/livekit.ts';
import { until } from '../../test/support/server.ts';
import { nextMessage, startBenchProcess } from '../speed/live/live-run.ts';
import type { AgentRound } from './agent-guests.ts';
import { heldBy } from './held-by.ts';
import { type HeldAt, type HeldTrends, heldLine, heldTrends, WARM_UP_SHARE } from './held-trends.ts';

/** One soak of a worker. */
export interface AgentSoakFigures extends HeldTrends {
  minutes: number;
  /** Rounds that were measured. */
  rounds: number;
  /** What the guests did, those of the warm-up included. */
  done: AgentRound;
  /** Rounds whose guests were killed; what those did is not counted. */
  killed: number;
}

/** In every so-manieth round the guests' process is killed while they publish. */
const KILLED_EVERY = 4;
const KILLED_AFTER_MS = 9000;
/** LiveKit takes a publisher whose process is gone for away after 15 to 20 s. */
const QUIET_MS = 90_000;
/** Time for threads and sockets that end after the last job. */
const SETTLE_MS = 2000;

/**
 * @param tell is given a line for each round. @returns null where LiveKit is missing, which is told.
 * @throws Error where guests get no picture, or where jobs do not end.
 */
export async function benchAgentSoak(minutes: number, tell: (line: string) => void): Promise<AgentSoakFigures | null> {
  const why = whyNoLiveKit();
  if (why !== null) {
    tell(`left out: ${why}`);
    return null;
  }
  const livekit = await startLiveKit();
  const agent = await startAgent(livekit.at, ['--set', 'livekit.maxLoad=1']);
  const guests = (n: number) => startBenchProcess('agent-guests', [JSON.stringify(livekit.at), String(n)]);
  const done: AgentRound = { jobs: 0, viewers: 0, pictures: 0 };
  const rounds: HeldAt[] = [];
  let killed = 0;
  const warmUpMs = WARM_UP_SHARE * minutes * 60_000;
  const beganMs = performance.now();
  try {
    for (let n = 0; performance.now() - beganMs < warmUpMs + minutes * 60_000 || rounds.length < 2; n++) {
      if (n % KILLED_EVERY === KILLED_EVERY - 1) {
        const child = guests(n);
        const gone = new Promise((resolve) => child.once('exit', resolve));
        await delay(KILLED_AFTER_MS);
        if (child.exitCode !== null) throw new Error(`the guests of round ${n} ended with ${child.exitCode}`);
        child.kill('SIGKILL');
        await gone;
        killed++;
      } else {
        const one = await nextMessage<AgentRound>(guests(n));
        for (const key of Object.keys(done) as (keyof AgentRound)[]) done[key] += one[key];
      }
      const round = await readQuiet(agent.health, agent.child.pid!);
      const isMeasured = round.atMs - beganMs > warmUpMs;
      if (isMeasured) rounds.push(round);
      tell(heldLine(n, round, beganMs, isMeasured));
    }
  } finally {
    await agent.kill();
    await livekit.stop();
  }
  return { minutes, rounds: rounds.length, done, killed, ...heldTrends(rounds, minutes) };
}

/** Waits until the worker has no job, and reads what it holds then. */
async function readQuiet(health: string, pid: number): Promise<HeldAt> {
  const jobs = async (): Promise<number> => ((await (await fetch(`${health}/readyz`)).json()) as { jobs: number }).jobs;
  await until(async () => (await jobs()) === 0, 'the jobs of a round to end', QUIET_MS);
  await delay(SETTLE_MS);
  return { ...(await heldBy(pid, health)), atMs: performance.now() };
}
