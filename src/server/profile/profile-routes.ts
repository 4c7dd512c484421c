/** `/api/profile`: a CPU profile of the main thread or of a lane, while the server serves. */

import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Config } from '../../config.ts';
import { isLocal } from '../../lib/address.ts';
import { CpuProfiler } from '../../lib/system/cpu-profiler.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { ProfiledThread, Swapping } from '../../shared/types.ts';

interface Query {
  seconds?: string | string[];
  thread?: string | string[];
}

const LONGEST_S = 60;
const STANDARD_S = '10';
const MAIN = 'main';

/** Headers by which a proxy says for which other machine it asks. */
const PROXY_HEADERS = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'] as const;

/**
 * Registers the route. A server with a token has asked for it before; without one, only programs of this machine get a
 * profile. One is recorded at a time; it ends when its caller leaves.
 */
export function profileRoutes(app: FastifyInstance, pool: Swapping, { server }: Pick<Config, 'server'>): void {
  const main = new CpuProfiler();
  let isRunning = false;
  app.get<{ Querystring: Query }>('/api/profile', async (request, reply) => {
    if (server.token === null) requireLocal(request, server);
    const { seconds = STANDARD_S, thread = MAIN } = request.query;
    const ms = millisecondsOf(seconds);
    const profiled = thread === MAIN ? main : laneOf(thread, pool);
    if (isRunning)
      throw new FaceOffError('profile_running', 'A profile is being recorded already. Try again when it is done.');
    isRunning = true;
    const left = new AbortController();
    reply.raw.once('close', () => left.abort());
    try {
      const profile = await record(profiled, ms, left.signal);
      const file = `faceoff-${String(thread)}-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.cpuprofile`;
      return await reply
        .type('application/json; charset=utf-8')
        .header('content-disposition', `attachment; filename="${file}"`)
        .header('cache-control', 'no-store')
        .send(profile);
    } finally {
      isRunning = false;
    }
  });
}

/** Ends early when the signal aborts. @throws FaceOffError `lane_lost` where the lane's thread dies meanwhile. */
async function record(thread: ProfiledThread, ms: number, signal: AbortSignal): Promise<string> {
  await thread.start();
  await delay(ms, undefined, { signal }).catch(() => undefined);
  return thread.stop();
}

/** @throws FaceOffError `bad_query` (400). */
function millisecondsOf(seconds: string | string[]): number {
  const s = Number(seconds);
  if (typeof seconds === 'string' && /^\d+$/.test(seconds) && s >= 1 && s <= LONGEST_S) return s * 1000;
  throw new FaceOffError('bad_query', `seconds must be a whole number from 1 to ${LONGEST_S}.`);
}

/** @throws FaceOffError `unknown_thread` (404). */
function laneOf(name: string | string[], pool: Swapping): ProfiledThread {
  const number = /^lane-(\d{1,3})$/.exec(String(name))?.[1];
  const lane = number === undefined ? undefined : pool.profiler?.(Number(number));
  if (lane !== undefined) return lane;
  throw new FaceOffError('unknown_thread', 'There is no such thread: main, or a lane from lane-0 on.');
}

/**
 * Refuses callers of other machines, also those that come through a proxy.
 * @throws FaceOffError `local_only` (403).
 */
function requireLocal({ ip, headers }: FastifyRequest, { names }: Config['server']): void {
  const isForwarded = names.length > 0 || PROXY_HEADERS.some((header) => headers[header] !== undefined);
  if (isLocal(ip.replace(/^::ffff:/, '')) && !isForwarded) return;
  throw new FaceOffError(
    'local_only',
    'A server without a token gives profiles to programs of its own machine alone. Set server.token, or ask there.',
  );
}
