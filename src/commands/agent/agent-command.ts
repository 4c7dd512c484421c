/** `faceoff agent`: a worker of LiveKit, which swaps the cameras of publishers that the cluster gives to it. */

import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { Agent } from '../../agent/agent.ts';
import { healthServer } from '../../agent/agent-health.ts';
import { loadRtc } from '../../agent/rtc-packages.ts';
import { CacheSweeper } from '../../cache/cache-sweeper.ts';
import type { Config } from '../../config.ts';
import { type Logger, openLog } from '../../lib/log.ts';
import { raise } from '../../lib/priority.ts';
import { residentBytes } from '../../lib/system/resident-memory.ts';
import { LiveKitApi } from '../../livekit/livekit-api.ts';
import { liveKitOf } from '../../livekit/livekit-settings.ts';
import { limitArenas } from '../../server/monitor/arenas.ts';
import { livekitInstallCommand } from '../install/livekit-install.ts';
import { type ConfigOptions, configOf, withConfig } from '../options.ts';
import { listenAt } from '../start/listen.ts';
import { heedSignals } from '../start/signals.ts';
import { startContentCheck } from '../start/start-content-check.ts';
import { startPipeline } from '../start/start-pipeline.ts';

interface AgentOptions extends ConfigOptions {
  livekit?: string;
}

/** How often the worker's memory is looked at. */
const MEMORY_EVERY_MS = 10_000;
/** Time to close everything in, once the jobs are handed over. */
const GRACE_MS = 5000;

/** `faceoff agent`, and `faceoff agent install`. */
export function agentCommand(defaultConfig: string, version: string): Command {
  return withConfig(new Command('agent').description('be a worker of a LiveKit cluster'), defaultConfig)
    .option('--livekit <address>', 'address of LiveKit, wss://livekit.example (livekit.url)')
    .enablePositionalOptions()
    .action((options: AgentOptions) => work(options, version))
    .addCommand(livekitInstallCommand(defaultConfig));
}

async function work({ config: file, set, livekit }: AgentOptions, version: string): Promise<void> {
  const onSignal = heedSignals();
  limitArenas();
  const config = configOf({ config: file, set: livekit === undefined ? set : [...set, `livekit.url=${livekit}`] });
  const at = liveKitOf(config);
  const log = await openLog(config.logging);
  const { logger } = log;
  const closing: (() => Promise<unknown>)[] = [() => log.close()];
  const stop = async (): Promise<false> => {
    for (const close of closing.splice(0).reverse()) await close();
    return false;
  };
  try {
    // Before the lanes and WebRTC start threads, which inherit the priority.
    raise(config.server.priority, logger);
    const library = await loadRtc(config.models.cacheDir);
    // Before the lanes are warmed up, which takes seconds.
    await new LiveKitApi(at).check();
    const beganMs = performance.now();
    const cache = await CacheSweeper.start(config, logger);
    closing.push(() => cache.close());
    const { pool, faces, metrics, gpu } = await startPipeline(config, logger);
    closing.push(() => pool.close());
    closing.push(async () => faces.close());
    const contentCheck = await startContentCheck(config, pool, logger, () => metrics.contentCheckLost());
    closing.push(async () => contentCheck?.close());
    const usesGpu = (): boolean => pool.models.usesGpu;
    const agent = await Agent.start({
      config,
      lookForFaces: () => faces.look(),
      at,
      library,
      pool,
      contentCheck,
      metrics,
      usesGpu,
      gpu,
      version,
      log: logger,
    });
    closing.push(() => agent.close());
    faces.follow((wearers) => agent.cover(wearers));
    const health = await serveHealth(config, agent, metrics);
    closing.push(async () => health?.app.close());
    const readyMs = Math.round(performance.now() - beganMs);
    const { lanes } = pool;
    logger.info({ lanes, readyMs, health: health?.url }, `FaceOff ${version} is a worker of ${new URL(at.url).host}`);
    const memoryTimer = setInterval(() => {
      if (!hasOutgrown(config, logger)) return;
      clearInterval(memoryTimer);
      process.kill(process.pid, 'SIGTERM');
    }, MEMORY_EVERY_MS);
    closing.push(async () => clearInterval(memoryTimer));
    onSignal.end = async () => {
      const { drainMs } = config.livekit;
      if (agent.figures.jobs > 0)
        logger.info({ ...agent.figures, drainMs }, 'draining: other workers take the jobs over');
      await agent.drain(drainMs);
      logger.info('stopping');
      await Promise.race([stop(), delay(GRACE_MS, true)]);
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Whether the worker is larger than `livekit.recycleMb`, which is logged. LiveKit's library keeps 0.4 MB of each room that was left
 * (livekit-ffi before 0.12.77), so that a worker grows by a megabyte a job. One that is too large ends as after SIGTERM: others
 * take its jobs, and what supervises it starts a new one.
 */
function hasOutgrown({ livekit: { recycleMb } }: Config, logger: Logger): boolean {
  const megabytes = Math.round(residentBytes() / 2 ** 20);
  if (recycleMb === null || megabytes < recycleMb) return false;
  logger.info({ megabytes, recycleMb }, 'the worker has grown: it ends, to be started anew');
  return true;
}

/** Null where `livekit.healthPort` is. */
async function serveHealth(
  config: Config,
  agent: Agent,
  metrics: Parameters<typeof healthServer>[2],
): Promise<{ app: ReturnType<typeof healthServer>; url: string } | null> {
  const { healthHost: host, healthPort: port } = config.livekit;
  if (port === null) return null;
  const app = healthServer(config, agent, metrics);
  return { app, url: await listenAt(app, { setting: 'livekit.healthPort', host, port }) };
}
