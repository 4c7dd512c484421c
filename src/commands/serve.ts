/** `faceoff serve`: starts everything, says where it is, and stops in order. */

import { constants } from 'node:os';
import { Command } from 'commander';
import { CacheSweeper } from '../cache/cache-sweeper.ts';
import { loadConfig } from '../config.ts';
import { FaceLibrary } from '../faces/face-library.ts';
import { openLog } from '../lib/log.ts';
import { raise } from '../lib/priority.ts';
import { Metrics } from '../metrics.ts';
import { defaultSettings } from '../pipeline/pool/lane-options.ts';
import type { ModelLoad } from '../pipeline/pool/lane-protocol.ts';
import { Pool } from '../pipeline/pool/pool.ts';
import { certificateOf } from '../server/access/certificate.ts';
import { buildServer } from '../server/http/app.ts';
import { openGpu } from '../server/monitor/gpu-sensor.ts';
import { FaceOffError } from '../shared/errors.ts';
import { urlOf, welcomeOf } from './startup-banner.ts';

interface Options {
  config: string;
  set: string[];
  host?: string;
  port?: string;
}

/** A Ctrl-C comes twice through npm: from the terminal, which tells all, and passed on. */
const SAME_SIGNAL_MS = 200;

const collect = (value: string, all: string[]): string[] => [...all, value];

export function serveCommand(defaultConfig: string, version: string): Command {
  return new Command('serve')
    .description('start the server and its studio page')
    .option('--config <file>', 'configuration file', defaultConfig)
    .option('--host <address>', 'address to listen on (server.host)')
    .option('--port <number>', 'port to listen on (server.port)')
    .option('--set <section.key=value>', 'one setting; may be given several times', collect, [])
    .action((options: Options) => serve(options, version));
}

async function serve(options: Options, version: string): Promise<void> {
  const { host, port } = options;
  const set = [
    ...options.set,
    ...(host === undefined ? [] : [`server.host=${host}`]),
    ...(port === undefined ? [] : [`server.port=${port}`]),
  ];
  const config = loadConfig({ file: options.config, env: process.env, set });
  const certificate = await certificateOf(config);
  const log = await openLog(config);
  const { logger } = log;
  // Before the lanes and WebRTC have threads, which then stand as it does.
  raise(config.server.priority, logger);
  const beganMs = performance.now();
  const cache = await CacheSweeper.start(config, logger);
  const metrics = new Metrics(config.metrics);
  // Every lane loads the same models.
  const models = new Map<string, ModelLoad>();
  const pool = await Pool.start(config, logger, {
    onModelLoad: (load) => {
      models.set(load.model, load);
      metrics.modelLoad(load);
      logger.debug(load, 'model loaded');
    },
    onDevice: (report) => metrics.device(report),
  });
  const faces = await FaceLibrary.open(config, pool, logger);
  const { face } = defaultSettings(config);
  if (face !== null) await pool.preload(face);
  const gpu = await openGpu({ onProblem: (why) => logger.warn({ why }, 'the GPU cannot be watched') });
  if (gpu !== null) logger.info({ gpu: gpu.name, driver: gpu.driver }, 'GPU found');
  const server = await buildServer({
    config,
    pool,
    faces,
    metrics,
    models: [...models.values()],
    states: pool.models,
    log: logger,
    gpu,
    version,
    defaults: pool.defaults,
    certificate,
  });
  const stop = async (): Promise<void> => {
    await server.close();
    await pool.close();
    await cache.close();
    await log.close();
  };
  try {
    await server.app.listen({ host: config.server.host, port: config.server.port });
  } catch (cause) {
    await stop();
    throw cannotListen(cause, config.server);
  }
  const { port: actual } = server.app.server.address() as { port: number };
  const readyMs = Math.round(performance.now() - beganMs);
  logger.info(
    { lanes: pool.lanes, readyMs },
    `FaceOff ${version} is ready at ${urlOf(config.server.host, actual, certificate !== null)}`,
  );
  const welcome = welcomeOf(config, actual);
  // A screen is for people; what is piped somewhere holds log lines alone.
  if (welcome !== null && process.stdout.isTTY) process.stdout.write(welcome);
  endOn(() => {
    logger.info('stopping');
    return stop();
  });
}

/** Ends on SIGINT or SIGTERM, and at once on a second one. */
function endOn(stop: () => Promise<void>): void {
  let sinceMs: number | null = null;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (sinceMs === null) {
        sinceMs = performance.now();
        // WebRTC's threads outlive their peers, so the process is ended once everything of ours is closed.
        void stop().finally(() => process.exit(0));
      } else if (performance.now() - sinceMs > SAME_SIGNAL_MS) {
        process.exit(128 + constants.signals[signal]);
      }
    });
  }
}

function cannotListen(cause: unknown, { host, port }: { host: string; port: number }): FaceOffError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const why = code === 'EADDRINUSE' ? `port ${port} is taken by another program; choose another with --port` : message;
  return new FaceOffError('cannot_listen', `The server cannot listen on ${host}:${port}: ${why}.`, { cause });
}
