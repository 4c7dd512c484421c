/** `faceoff serve`: starts every part of the server, prints its address, and stops it in order. */

import { existsSync } from 'node:fs';
import type { Server as HttpsServer } from 'node:https';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { CacheSweeper } from '../cache/cache-sweeper.ts';
import { ConfigInForce } from '../config/config-in-force.ts';
import { ConfigReload } from '../config/config-reload.ts';
import type { Config } from '../config.ts';
import { urlOf } from '../lib/address.ts';
import { isPackage } from '../lib/installation.ts';
import { type Logger, openLog } from '../lib/log.ts';
import { raise } from '../lib/priority.ts';
import { defaultSettings } from '../pipeline/pool/lane-options.ts';
import type { Pool } from '../pipeline/pool/pool.ts';
import { type Certificate, certificateOf } from '../server/access/certificate.ts';
import { CertificateRenewal } from '../server/access/certificate-renewal.ts';
import { Hooks } from '../server/hooks/hooks.ts';
import { ServerEvents } from '../server/hooks/server-events.ts';
import { buildServer } from '../server/http/app.ts';
import { METRICS_HOST } from '../server/http/metrics-routes.ts';
import { limitArenas } from '../server/monitor/arenas.ts';
import { portCount } from '../server/webrtc/port-range.ts';
import { DISCLOSURE_DUTY } from '../shared/duties/disclosure-duty.ts';
import { movePersonalData } from './move-personal-data.ts';
import { type ConfigOptions, sourcesOf, withConfig } from './options.ts';
import { listenAt } from './start/listen.ts';
import { heedSignals } from './start/signals.ts';
import { startContentCheck } from './start/start-content-check.ts';
import { preloadDefault, startPipeline } from './start/start-pipeline.ts';
import { welcomeOf } from './startup-banner.ts';

interface ServeOptions extends ConfigOptions {
  host?: string;
  port?: string;
}

/** Time to close everything in; Docker kills after ten seconds, Kubernetes after thirty. */
const GRACE_MS = 8000;
/** Part of that time which is for hooks: the last events, and commands that run. */
const HOOKS_GRACE_MS = 2000;

/** `faceoff serve`, the default command. */
export function serveCommand(defaultConfig: string, version: string): Command {
  return withConfig(new Command('serve').description('start the server and its studio page'), defaultConfig)
    .option('--host <address>', 'address to listen on (server.host)')
    .option('--port <number>', 'port to listen on (server.port)')
    .action((options: ServeOptions) => serve(options, version));
}

async function serve(options: ServeOptions, version: string): Promise<void> {
  const onSignal = heedSignals();
  limitArenas();
  const { host, port } = options;
  const set = [
    ...options.set,
    ...(host === undefined ? [] : [`server.host=${host}`]),
    ...(port === undefined ? [] : [`server.port=${port}`]),
  ];
  const inForce = ConfigInForce.read(sourcesOf({ config: options.config, set }));
  const { config } = inForce;
  const log = await openLog(config.logging);
  const { logger } = log;
  const reload = new ConfigReload(inForce, logger);
  if (isPackage) logger.info(whereabouts(options.config), 'settings and data are in this folder');
  warnOf(config, logger);
  // Before the lanes and WebRTC start threads, which inherit the priority.
  raise(config.server.priority, logger);
  const certificate = await prepare(config, logger).catch(async (error: unknown) => {
    await log.close();
    throw error;
  });
  const beganMs = performance.now();
  const cache = await CacheSweeper.start(config, logger);
  const events = new ServerEvents();
  const onLost = (part: 'lane' | 'device' | 'content_check', cause: string): void =>
    events.tell('fault', { part, code: `${part}_lost`, cause, stream: null, session: null });
  const started = await startPipeline(config, logger, { onLost }).catch(async (error: unknown) => {
    await log.close();
    throw error;
  });
  const { pool, faces, gpu, metrics, models } = started;
  const hooks = new Hooks({ settings: config.hooks, events, metrics, log: logger });
  const contentCheck = await startContentCheck(config, pool, logger, (cause) => {
    metrics.contentCheckLost();
    onLost('content_check', cause);
  });
  const server = await buildServer({
    config,
    inForce,
    pool,
    faces,
    metrics,
    events,
    contentCheck,
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
    reload.close();
    renewal?.close();
    faces.close();
    await server.close();
    await Promise.all([pool.close(), contentCheck?.close(), hooks.close(HOOKS_GRACE_MS)]);
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
  reload.start({
    check: (next) => requireDefaults(next, pool),
    apply: () => {
      log.setLevels(config.logging);
      pool.configure(config);
      cache.reschedule();
      hooks.configure(config.hooks);
      // Other names want another certificate; and this is when a person has put new files in place.
      void renewal?.check();
      warnOf(config, logger);
    },
  });
  onSignal.reload = () => reload.now();
  onSignal.end = async () => {
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
  };
}

/** Warns of settings that are allowed, and probably not meant. */
function warnOf({ server, limits, webrtc, disclosure }: Config, log: Logger): void {
  if (!disclosure.badge && !disclosure.acknowledged)
    log.warn(
      `disclosure.badge is false, and the mark is drawn all the same: disclosure.acknowledged is not true. ${DISCLOSURE_DUTY}`,
    );
  const { names, token } = server;
  if (names.length > 0 && token === null)
    log.warn(
      { names },
      'the server has a name that others may reach it by, and no token: set server.token, unless the proxy asks for a password',
    );
  const most = limits.sessions + limits.viewers;
  if (portCount(webrtc) < most)
    log.warn(
      { ports: portCount(webrtc), needed: most },
      'webrtc.portMin to portMax has fewer ports than limits.sessions and limits.viewers together: each takes one',
    );
}

/** Refuses settings of new sessions that cannot be used. @throws FaceOffError `bad_config`. */
async function requireDefaults(config: Config, pool: Pool): Promise<void> {
  pool.check(config);
  const { face } = defaultSettings(config);
  if (face !== null) await preloadDefault(pool, face);
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
