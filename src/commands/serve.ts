/** `faceoff serve`: starts every part of the server, prints its address, and stops it in order. */

import { existsSync } from 'node:fs';
import type { Server as HttpsServer } from 'node:https';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { CacheSweeper } from '../cache/cache-sweeper.ts';
import type { Config } from '../config.ts';
import { isPackage } from '../lib/installation.ts';
import { type Logger, openLog } from '../lib/log.ts';
import { raise } from '../lib/priority.ts';
import { type Certificate, certificateOf } from '../server/access/certificate.ts';
import { CertificateRenewal } from '../server/access/certificate-renewal.ts';
import { buildServer } from '../server/http/app.ts';
import { METRICS_HOST } from '../server/http/metrics-routes.ts';
import { portCount } from '../server/webrtc/port-range.ts';
import { movePersonalData } from './move-personal-data.ts';
import { type ConfigOptions, configOf, withConfig } from './options.ts';
import { endOnSignals } from './start/end-on-signals.ts';
import { listenAt } from './start/listen.ts';
import { startPipeline } from './start/start-pipeline.ts';
import { urlOf, welcomeOf } from './startup-banner.ts';

interface ServeOptions extends ConfigOptions {
  host?: string;
  port?: string;
}

/** Time to close everything in; Docker kills after ten seconds, Kubernetes after thirty. */
const GRACE_MS = 8000;

/** `faceoff serve`, the default command. */
export function serveCommand(defaultConfig: string, version: string): Command {
  return withConfig(new Command('serve').description('start the server and its studio page'), defaultConfig)
    .option('--host <address>', 'address to listen on (server.host)')
    .option('--port <number>', 'port to listen on (server.port)')
    .action((options: ServeOptions) => serve(options, version));
}

async function serve(options: ServeOptions, version: string): Promise<void> {
  const endBy = endOnSignals();
  const { host, port } = options;
  const set = [
    ...options.set,
    ...(host === undefined ? [] : [`server.host=${host}`]),
    ...(port === undefined ? [] : [`server.port=${port}`]),
  ];
  const config = configOf({ config: options.config, set });
  const log = await openLog(config.logging);
  const { logger } = log;
  if (isPackage) logger.info(whereabouts(options.config), 'settings and data are in this folder');
  const { names, token } = config.server;
  if (names.length > 0 && token === null)
    logger.warn(
      { names },
      'the server has a name that others may reach it by, and no token: set server.token, unless the proxy asks for a password',
    );
  const most = config.limits.sessions + config.limits.viewers;
  if (portCount(config.webrtc) < most)
    logger.warn(
      { ports: portCount(config.webrtc), needed: most },
      'webrtc.portMin to portMax has fewer ports than limits.sessions and limits.viewers together: each takes one',
    );
  // Before the lanes and WebRTC start threads, which inherit the priority.
  raise(config.server.priority, logger);
  const certificate = await prepare(config, logger).catch(async (error: unknown) => {
    await log.close();
    throw error;
  });
  const beganMs = performance.now();
  const cache = await CacheSweeper.start(config, logger);
  const { pool, faces, gpu, metrics, models } = await startPipeline(config, logger).catch(async (error: unknown) => {
    await log.close();
    throw error;
  });
  const server = await buildServer({
    config,
    pool,
    faces,
    metrics,
    models,
    states: pool.models,
    log: logger,
    gpu,
    version,
    defaults: pool.defaults,
    certificate,
  });
  const renewal =
    certificate === null
      ? null
      : new CertificateRenewal({
          config,
          certificate,
          use: (renewed) => (server.app.server as unknown as HttpsServer).setSecureContext(renewed),
          log: logger,
        });
  const stop = async (): Promise<false> => {
    renewal?.close();
    await server.close();
    await pool.close();
    await cache.close();
    await log.close();
    return false;
  };
  const { host: metricsHost, port: metricsPort } = config.metrics;
  try {
    if (server.metricsApp !== null && metricsPort !== null) {
      const at = { setting: 'metrics.port', host: metricsHost ?? METRICS_HOST, port: metricsPort };
      logger.info(`metrics are served at ${await listenAt(server.metricsApp, at)}/metrics`);
    }
    await listenAt(server.app, { setting: '--port', ...config.server });
  } catch (error) {
    await stop();
    throw error;
  }
  const { port: actual } = server.app.server.address() as { port: number };
  const readyMs = Math.round(performance.now() - beganMs);
  logger.info(
    { lanes: pool.lanes, readyMs },
    `FaceOff ${version} is ready at ${urlOf(config.server.host, actual, certificate !== null)}`,
  );
  const welcome = welcomeOf(config, actual);
  // Only a terminal shows the banner; a pipe gets log lines alone.
  if (welcome !== null && process.stdout.isTTY) process.stdout.write(welcome);
  endBy(async () => {
    const { drainMs } = config.server;
    if (drainMs > 0 && server.sessions.size > 0) {
      logger.info(
        { sessions: server.sessions.size, drainMs },
        'draining: running sessions go on, new ones are refused',
      );
      await server.drain(drainMs);
    }
    logger.info('stopping');
    const isLate = await Promise.race([stop(), delay(GRACE_MS, true)]);
    if (isLate) logger.warn('not everything ended in time; a recording that was cut off is kept by the next start');
  });
}

/** Brings the data of older installations over, and makes or reads the certificate. */
async function prepare(config: Config, log: Logger): Promise<Certificate | null> {
  await movePersonalData(config, log);
  return certificateOf(config, log);
}

/** The folder that relative paths of the configuration start at, and the configuration where there is one. */
function whereabouts(file: string): { folder: string; config: string } {
  const at = path.resolve(file);
  const advice = `none; a config.yaml there, or in the folder that FaceOff is started in, changes settings`;
  return { folder: path.dirname(at), config: existsSync(at) ? at : advice };
}
