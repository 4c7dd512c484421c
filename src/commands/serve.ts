/** `faceoff serve`: starts every part of the server, prints its address, and stops it in order. */

import { existsSync } from 'node:fs';
import type { Server as HttpsServer } from 'node:https';
import { constants } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { CacheSweeper } from '../cache/cache-sweeper.ts';
import type { Config } from '../config.ts';
import { FaceLibrary } from '../faces/face-library.ts';
import { urlOf } from '../lib/address.ts';
import { isPackage } from '../lib/installation.ts';
import { type Logger, openLog } from '../lib/log.ts';
import { raise } from '../lib/priority.ts';
import { Metrics } from '../metrics.ts';
import { ContentCheck } from '../pipeline/content/content-check.ts';
import { readCatalogue } from '../pipeline/models/catalogue.ts';
import { defaultSettings } from '../pipeline/pool/lane-options.ts';
import type { ModelLoad } from '../pipeline/pool/lane-protocol.ts';
import { Pool } from '../pipeline/pool/pool.ts';
import { type Certificate, certificateOf } from '../server/access/certificate.ts';
import { CertificateRenewal } from '../server/access/certificate-renewal.ts';
import { Hooks } from '../server/hooks/hooks.ts';
import { ServerEvents } from '../server/hooks/server-events.ts';
import { buildServer, type Server } from '../server/http/app.ts';
import { METRICS_HOST } from '../server/http/metrics-routes.ts';
import { limitArenas } from '../server/monitor/arenas.ts';
import { openGpu } from '../server/monitor/gpu-sensor.ts';
import { portCount } from '../server/webrtc/port-range.ts';
import { FaceOffError, messageOf } from '../shared/errors.ts';
import { movePersonalData } from './move-personal-data.ts';
import { type ConfigOptions, configOf, withConfig } from './options.ts';
import { welcomeOf } from './startup-banner.ts';

interface ServeOptions extends ConfigOptions {
  host?: string;
  port?: string;
}

/** Time to close everything in; Docker kills after ten seconds, Kubernetes after thirty. */
const GRACE_MS = 8000;
/** Part of that time which is for hooks: the last events, and commands that run. */
const HOOKS_GRACE_MS = 2000;
/** A Ctrl-C may arrive twice: from the terminal, which signals every process of its group, and passed on by npm. */
const SAME_SIGNAL_MS = 200;

/** `faceoff serve`, the default command. */
export function serveCommand(defaultConfig: string, version: string): Command {
  return withConfig(new Command('serve').description('start the server and its studio page'), defaultConfig)
    .option('--host <address>', 'address to listen on (server.host)')
    .option('--port <number>', 'port to listen on (server.port)')
    .action((options: ServeOptions) => serve(options, version));
}

async function serve(options: ServeOptions, version: string): Promise<void> {
  const endBy = endOnSignals();
  limitArenas();
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
  const metrics = new Metrics(config.metrics);
  const events = new ServerEvents();
  const hooks = new Hooks({ settings: config.hooks, events, metrics, log: logger });
  // Every lane loads the same models.
  const models = new Map<string, ModelLoad>();
  const pool = await Pool.start(config, logger, {
    onModelLoad: (load) => {
      models.set(load.model, load);
      metrics.modelLoad(load);
      logger.debug(load, 'model loaded');
    },
    onDevice: (report) => metrics.device(report),
    onLost: (part, cause) => events.tell('fault', { part, code: `${part}_lost`, cause, stream: null, session: null }),
  });
  let onBlocked = (): void => undefined;
  const faces = await FaceLibrary.open(config, pool, logger, () => onBlocked()).catch(async (error: unknown) => {
    await pool.close();
    await log.close();
    throw error;
  });
  const { face } = defaultSettings(config);
  if (face !== null)
    await preloadDefault(pool, face).catch(async (error: unknown) => {
      await pool.close();
      await log.close();
      throw error;
    });
  const contentCheck = config.safety.contentCheck ? await startContentCheck(config, pool, logger) : null;
  const gpu = await openGpu({ onProblem: (why) => logger.warn({ why }, 'the GPU cannot be watched') });
  if (gpu !== null) logger.info({ gpu: gpu.name, driver: gpu.driver }, 'GPU found');
  const server = await buildServer({
    config,
    pool,
    faces,
    metrics,
    events,
    contentCheck,
    models: [...models.values()],
    states: pool.models,
    log: logger,
    gpu,
    version,
    defaults: pool.defaults,
    certificate,
  });
  onBlocked = server.facesChanged;
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
      logger.info(`metrics are served at ${await listen(server.metricsApp, at)}/metrics`);
    }
    await listen(server.app, { setting: '--port', ...config.server });
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

/** A check that does not start is tried again by the streams; until it works, guarded ones are hidden. */
async function startContentCheck(config: Config, pool: Pool, log: Logger): Promise<ContentCheck> {
  const check = new ContentCheck(config.models.dir);
  const { name: model } = readCatalogue(config.models.dir).forRole('content-check');
  await check.start().then(
    () => pool.models.note(check, { model, state: 'ready', provider: 'cpu' }),
    (error: unknown) => {
      pool.models.note(check, { model, state: 'failed', why: messageOf(error) });
      const what = 'the content check does not work: guarded streams are hidden, others go on unchecked';
      log.error({ error: messageOf(error) }, what);
    },
  );
  return check;
}

/** Brings the data of older installations over, and makes or reads the certificate. */
async function prepare(config: Config, log: Logger): Promise<Certificate | null> {
  await movePersonalData(config, log);
  return certificateOf(config, log);
}

/**
 * Readies the face that sessions start with. Without it they would show the real one, so the server does not start.
 * @throws FaceOffError `bad_config`.
 */
async function preloadDefault(pool: Pool, face: string): Promise<void> {
  await pool.preload(face).catch((cause: unknown) => {
    throw new FaceOffError(
      'bad_config',
      `swap.face: the face "${face}" cannot be used (${messageOf(cause)}). Name another one, or restore its file.`,
      { cause },
    );
  });
}

/** The folder that relative paths of the configuration start at, and the configuration where there is one. */
function whereabouts(file: string): { folder: string; config: string } {
  const at = path.resolve(file);
  const advice = `none; a config.yaml there, or in the folder that FaceOff is started in, changes settings`;
  return { folder: path.dirname(at), config: existsSync(at) ? at : advice };
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Ends the program on SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal was closed): at once while it starts, as there is
 * nothing to end in order, and the first process of a container would ignore the signal otherwise; in order from then
 * on, and at once on a second signal. The handlers stay the same all the time: one that is exchanged loses the signal
 * that comes meanwhile.
 * @returns what says how the program ends in order.
 */
function endOnSignals(): (stop: () => Promise<unknown>) => void {
  // A terminal that was closed takes no more lines.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  let endInOrder: (() => Promise<unknown>) | null = null;
  let sinceMs: number | null = null;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (endInOrder === null) process.exit(0);
      if (sinceMs === null) {
        sinceMs = performance.now();
        // WebRTC's threads outlive their peers, so the process is ended once everything is closed.
        void endInOrder().finally(() => process.exit(0));
      } else if (performance.now() - sinceMs > SAME_SIGNAL_MS) {
        process.exit(128 + constants.signals[signal]);
      }
    });
  }
  return (stop) => {
    endInOrder = stop;
  };
}

/** @returns the address. @throws FaceOffError `cannot_listen`, naming the `setting` of the port. */
async function listen(
  app: Server['app'],
  { setting, host, port }: { setting: string; host: string; port: number },
): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why =
      code === 'EADDRINUSE' ? `port ${port} is taken by another program; choose another with ${setting}` : message;
    throw new FaceOffError('cannot_listen', `The server cannot listen on ${host}:${port}: ${why}.`, { cause });
  }
  return urlOf(host, (app.server.address() as { port: number }).port, false);
}
