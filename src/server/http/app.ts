/** The HTTP server: builds all parts of the main thread that serve requests, and registers their routes. */

import type { Socket } from 'node:net';
import os from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import fastifyStatic from '@fastify/static';
import websocket from '@fastify/websocket';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ConfigInForce } from '../../config/config-in-force.ts';
import type { Config } from '../../config.ts';
import type { Faces } from '../../faces/face-service.ts';
import { addressesOf, isLocal, urlOf } from '../../lib/address.ts';
import { errorBody, RETRY_AFTER_MS } from '../../lib/error-body.ts';
import type { Logger } from '../../lib/log.ts';
import { residentBytes } from '../../lib/system/resident-memory.ts';
import { liveKitUrl } from '../../livekit/livekit-api.ts';
import { PictureSigner } from '../../media/provenance/picture-signer.ts';
import type { Metrics } from '../../metrics.ts';
import type { PictureCheck } from '../../pipeline/content/content-check.ts';
import { readCatalogue } from '../../pipeline/models/catalogue.ts';
import { ModelStates } from '../../pipeline/models/model-states.ts';
import type { ModelLoad } from '../../pipeline/pool/lane-protocol.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { Gpu } from '../../shared/gpu.ts';
import type { FaceInfo, Preflight } from '../../shared/messages.ts';
import type { SwapSettings } from '../../shared/settings.ts';
import type { Pressure, Swapping } from '../../shared/types.ts';
import { Arrivals, deviceOf } from '../access/arrivals.ts';
import { Authenticator, isPublic, loginRoutes } from '../access/auth.ts';
import { locationOf } from '../access/base-path.ts';
import type { Certificate } from '../access/certificate.ts';
import { ConnectionLimit } from '../access/connection-limit.ts';
import { allowedOrigins, allowOrigins } from '../access/cors.ts';
import { LoginRateLimit } from '../access/login-rate-limit.ts';
import { checkOrigin } from '../access/origin.ts';
import { PAGES_DIR, sendPage } from '../access/pages.ts';
import { BackgroundLibrary } from '../backgrounds/background-library.ts';
import { backgroundRoutes } from '../backgrounds/background-routes.ts';
import { Cluster } from '../cluster/cluster.ts';
import { clusterRoutes } from '../cluster/cluster-routes.ts';
import { Badge } from '../disclosure/badge.ts';
import { DisclosureRecord } from '../disclosure/disclosure-record.ts';
import { OffAirCard } from '../disclosure/off-air-card.ts';
import { openPeers, Peers } from '../h264/peers.ts';
import type { EventData } from '../hooks/event-schemas.ts';
import { ServerEvents } from '../hooks/server-events.ts';
import { Monitor } from '../monitor/monitor.ts';
import { preflight } from '../monitor/preflight.ts';
import { nothingAt } from '../openapi/allowed-methods.ts';
import { openApiRoutes } from '../openapi/openapi-routes.ts';
import { OscInput, type OscTarget } from '../osc/osc-input.ts';
import { profileRoutes } from '../profile/profile-routes.ts';
import { Recordings } from '../recording/recordings.ts';
import { PresetStore } from '../session/presets.ts';
import { newRoom, Rooms } from '../session/rooms.ts';
import { settingsFrom } from '../session/session-settings.ts';
import { Sessions } from '../session/sessions.ts';
import { checkName, Streams } from '../session/streams.ts';
import { FaceTrials } from '../trial/face-trials.ts';
import { mostDescriptors } from '../webrtc/descriptors.ts';
import { checkPorts } from '../webrtc/port-range.ts';
import { cacheRoutes } from './cache-routes.ts';
import { consentRoutes } from './consent/consent-routes.ts';
import { type ControlParts, controlRoutes } from './control-routes.ts';
import { sendError } from './error-reply.ts';
import { faceRoutes } from './face-routes.ts';
import { acceptAnyBody, jsonOf } from './json-body.ts';
import { listener } from './listener.ts';
import { machineRoutes, machineStatus } from './machine-routes.ts';
import { keepToMetrics, metricsRoute } from './metrics-routes.ts';
import { presetRoutes } from './preset-routes.ts';
import { recordingRoutes } from './recording-routes.ts';
import { Signalling } from './signalling.ts';
import { whepRoutes } from './whep.ts';
import { whipRoutes } from './whip.ts';

/** What the server serves; all of it is loaded before `buildServer`. */
export interface ServerParts {
  config: Config;
  /** What `/api/config` shows; `config` as it is by default. */
  inForce?: ConfigInForce;
  pool: Swapping;
  faces: Faces;
  metrics: Metrics;
  /** The models in use, as /api/status shows them. */
  models: readonly ModelLoad[];
  log: Logger;
  version: string;
  defaults: SwapSettings;
  /** States of all models, for /api/models; read from the models' folder by default. */
  states?: ModelStates;
  /** The GPU's sensor; the server closes it. */
  gpu?: Gpu | null;
  /** Told what happens, for hooks. */
  events?: ServerEvents;
  /** Checks what streams show; none are checked without it. The caller closes it. */
  contentCheck?: PictureCheck | null;
  /** Makes the server speak HTTPS; without it the server speaks HTTP. */
  certificate?: Certificate | null;
}

/** A server that is ready to listen. */
export interface Server {
  app: FastifyInstance;
  /** Serves /metrics alone, over HTTP and without a token; null while `app` serves them. */
  metricsApp: FastifyInstance | null;
  sessions: Sessions;
  monitor: Monitor;
  /** Takes no new sessions from now on; resolves when those that run have ended, or after `patienceMs`. */
  drain(patienceMs: number): Promise<void>;
  /** Ends sessions and sockets, then the listeners. Idempotent. */
  close(): Promise<void>;
}

/** How often a server that drains looks whether its sessions have ended. */
const DRAIN_CHECK_MS = 200;
/** How long open sockets may take to close when the server stops. */
const CLOSING_MS = 500;

/** Where the studio's sockets are opened. */
const SOCKET = '/ws';

const HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/**
 * What pages may load, and which sites may show them in a frame: none but this one, except for /view, which shows a
 * picture and takes no input; the sites of server.origins may show that.
 */
function contentPolicy(url: string, { server: { origins }, livekit }: Config): string {
  const sites = /^\/view\//.test(url) ? origins.filter((origin) => /^https?:/.test(origin)) : [];
  const frames = ["'self'", ...sites].join(' ');
  // LiveKit's client asks there why a connection failed.
  const cluster = livekit.url === null ? '' : ` ${new URL(liveKitUrl(livekit.url, 'http')).origin}`;
  // The voice changer of studio and calls is WebAssembly.
  return `default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self' ws: wss:${cluster}; frame-ancestors ${frames}; base-uri 'self'; form-action 'self'`;
}

/** Whether no route takes a request; that of CORS takes OPTIONS of every path, and has no reply. */
const isUnrouted = ({ is404, routeOptions }: FastifyRequest): boolean => is404 || routeOptions.url === '*';

/** Refuses a request that no route takes. @throws FaceOffError `wrong_method` (405), `not_found` (404). */
function refuseUnrouted(request: FastifyRequest, reply: FastifyReply, { metrics }: Config): never {
  const { error, allow } = nothingAt(request, metrics.enabled && metrics.port === null);
  if (allow.length > 0) void reply.header('allow', allow.join(', '));
  throw error;
}

/** Connections may take half of the process's file descriptors; the other half is for peers, files and ffmpeg. */
function shareDescriptors(server: Server['app']['server'], log: Logger): void {
  const most = mostDescriptors();
  if (most === Number.POSITIVE_INFINITY) return;
  server.maxConnections = Math.floor(most / 2);
  server.once('drop', () =>
    log.warn({ most }, 'connections have taken half of the file descriptors; further ones are closed (ulimit -n)'),
  );
}

/** The event that memory is short. */
const memoryShort = (pressure: Pressure): EventData<'fault'> => ({
  part: 'memory',
  code: 'memory_short',
  cause:
    pressure === 'degrade'
      ? 'Memory is above memory.degradeAt: every stream does less.'
      : 'Memory is above memory.releaseAt: what no session uses is freed.',
  stream: null,
  session: null,
});

/** Addresses of the studio for other devices; none while the server listens on this machine alone. */
function urlsOf({ server, webrtc }: Config, app: FastifyInstance): string[] {
  if (isLocal(server.host)) return [];
  const { port } = app.server.address() as { port: number };
  const hosts = [...webrtc.announce, ...addressesOf(server.host)];
  return [...new Set(hosts)].map((host) => `${urlOf(host, port, true)}${server.basePath.replace(/\/$/, '')}/`);
}

/** The stream that OSC changes, by the checks of REST; null while nothing publishes it. */
function oscTarget(
  sessions: Sessions,
  { presets, faces }: Omit<ControlParts, 'sessions'>,
  name: string,
): OscTarget | null {
  const session = sessions.named(name);
  if (session === undefined) return null;
  return {
    choices: { settings: session.settings, faces: faces(), preset: (one) => presets.get(one).settings },
    change: (patch) => session.set(settingsFrom(patch), true),
  };
}

/** A plugin for routes with body parsers of their own: what they register does not affect other routes. */
const scoped =
  (register: (plugin: FastifyInstance) => void) =>
  (plugin: FastifyInstance, _options: unknown, done: () => void): void => {
    register(plugin);
    done();
  };

/**
 * Builds the server. Its parts are loaded and warm, so that it is ready as soon as it listens. Runs on the main
 * thread.
 */
export async function buildServer(parts: ServerParts): Promise<Server> {
  const { config, pool, faces, metrics, models, log, version, defaults, gpu = null, certificate = null } = parts;
  const { states = new ModelStates(readCatalogue(config.models.dir)) } = parts;
  const { events = new ServerEvents(), inForce = ConfigInForce.of(config) } = parts;
  const app = listener(config, certificate);
  const metricsApp = config.metrics.enabled && config.metrics.port !== null ? listener(config, null) : null;
  // The message names no address: logs hold none.
  const rateLimit = new LoginRateLimit(config.limits, () =>
    log.warn('too many wrong tokens from one address, which has to wait'),
  );
  const authenticator = new Authenticator(config.server, certificate !== null, rateLimit);
  const peers = new Peers(config, log);
  const streams = new Streams({ config, metrics, events, log, peers });
  const badge = await Badge.render(config.disclosure.corner);
  const trials = new FaceTrials(pool, badge);
  const offAirCard = await OffAirCard.open(config.pipeline.offAirPicture);
  const disclosure = new DisclosureRecord(config);
  const { contentCheck = null } = parts;
  const machine = () => monitor.figures;
  const sessions = new Sessions({
    config,
    pool,
    streams,
    peers,
    badge,
    offAirCard,
    disclosure,
    metrics,
    contentCheck,
    events,
    log,
    machine,
  });
  const recordings = new Recordings({ config, metrics, events, log });
  const signer = new PictureSigner({
    isOn: config.disclosure.sign,
    folder: config.storage.dir,
    onNote: (note) => log.warn(note),
  });
  await recordings.recover();
  const presets = await PresetStore.open(config, log);
  const rooms = new Rooms(config);
  const arrivals = new Arrivals();
  const signalling = new Signalling({
    version,
    defaults,
    metrics,
    sessions,
    streams,
    rooms,
    config,
    log,
    faces: () => faces.list(),
    arrivals,
    presets: () => presets.list(),
    reach: () => ({
      urls: urlsOf(config, app),
      selfSigned: certificate !== null && config.server.certificate === null,
    }),
  });
  const monitor = new Monitor({
    memory: config.memory,
    gpu,
    metrics,
    log,
    usesGpu: () => states.usesGpu,
    othersBytes: () => pool.deviceRssBytes ?? 0,
    othersCpuMs: () => pool.deviceCpuMs ?? 0,
    load: () => sessions.load(),
  });
  monitor.onPressure((pressure) => {
    pool.pressure(pressure);
    if (pressure !== 'none') events.tell('fault', memoryShort(pressure));
  });
  const startedAtMs = performance.now();
  let ready = true;
  let draining = false;
  // The listener alone would wait without limit for WebSockets and for sockets whose upgrade was refused.
  const connections = new ConnectionLimit(config.limits, () =>
    log.warn('one address has as many connections as limits.connectionsPerAddress lets it have'),
  );
  connections.watch(app.server);
  app.server.on('connection', ({ remoteAddress }: Socket) => arrivals.note(deviceOf(remoteAddress), 'network'));
  if (metricsApp !== null) {
    connections.watch(metricsApp.server);
    keepToMetrics(metricsApp, config);
  }
  shareDescriptors(app.server, log);

  app.setErrorHandler((error, { raw, params }, reply) => {
    // A caller that disconnects in the middle of a request is no defect of the server.
    const isAborted = raw.destroyed && !raw.complete;
    const { status, body } = errorBody(error);
    if (!isAborted) metrics.error(body.code);
    if (status === 500 && !isAborted) {
      const session = Object.values(params as object).find((id) => sessions.get(String(id)) !== undefined);
      log.error({ session, error: error instanceof Error ? error.stack : String(error) }, 'request failed');
    }
    return sendError(reply, error);
  });
  app.setNotFoundHandler((request, reply) => refuseUnrouted(request, reply, config));
  // Before every hook that refuses: its own hooks close the connection of an upgrade that is refused.
  await app.register(websocket, { options: { maxPayload: 512 * 1024 } });
  // Hooks run in the order in which they are registered: CORS headers and cookies first, then the checks that refuse.
  await allowOrigins(app, config.server);
  await loginRoutes(app, authenticator);
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers(HEADERS).header('content-security-policy', contentPolicy(request.url, config));
    checkOrigin(request.headers, config.server, allowedOrigins(request, config.server.origins));
    const device = deviceOf(request.ip, request.headers);
    arrivals.note(device, 'certificate');
    await authenticator.check(request, reply);
    // Else the login page was sent.
    if (!reply.sent && !isPublic(request)) arrivals.note(device, 'token');
  });
  // Before the body is read, of which this server may not know the type.
  app.addHook('onRequest', async (request, reply) => {
    if (isUnrouted(request)) refuseUnrouted(request, reply, config);
    // The plugin would open it, and wait for its other side to close it.
    if (request.ws && request.routeOptions.url !== SOCKET)
      throw new FaceOffError('not_found', `There is no WebSocket at ${request.url.split('?')[0]}.`);
  });

  await app.register(fastifyStatic, { root: PAGES_DIR, cacheControl: false, index: false });
  app.route({
    method: 'GET',
    url: SOCKET,
    handler: async () => {
      throw new FaceOffError('upgrade_required', 'Only a WebSocket can be opened here.');
    },
    wsHandler: (socket, { ip, headers }) => signalling.accept(socket, deviceOf(ip, headers)),
  });
  await app.register(scoped((plugin) => whipRoutes(plugin, sessions, config)));
  await app.register(scoped((plugin) => whepRoutes(plugin, streams, config)));
  // Pages hear of the list first: what their settings name and the list lacks, they tell.
  faces.follow((wearers) => {
    signalling.facesChanged();
    for (const id of wearers) sessions.get(id)?.coverFace();
  });
  const removeFace = async (id: string): Promise<void> => {
    await faces.remove(id);
    if (await presets.forgetFace(id)) signalling.presetsChanged();
  };
  const onChange = (added?: FaceInfo): void => {
    signalling.facesChanged();
    if (added !== undefined) events.tell('face.added', { face: added.id, name: added.name });
  };
  await faceRoutes(app, { faces, config, removeFace, onChange });
  backgroundRoutes(app, new BackgroundLibrary(config), config, async (id) => {
    pool.withdrawBackground?.(id);
    if (await presets.forgetBackground(id)) signalling.presetsChanged();
  });
  await app.register(scoped((plugin) => consentRoutes(plugin, { faces, removeFace, onChange })));
  await app.register(scoped((plugin) => presetRoutes(plugin, presets, () => signalling.presetsChanged())));
  const cluster = config.livekit.url === null ? null : new Cluster(config, log);
  const workerStreams = cluster?.streams ?? null;
  const control = { sessions, presets, trials, workerStreams, faces: () => faces.list() };
  const osc = await OscInput.open(config.control, () => oscTarget(sessions, control, config.control.oscStream), log);
  await app.register(scoped((plugin) => controlRoutes(plugin, control)));

  const isClustered = cluster !== null && config.livekit.pages;
  await app.register(
    scoped((plugin) => {
      acceptAnyBody(plugin);
      clusterRoutes(plugin, cluster, config, jsonOf);
    }),
  );

  recordingRoutes(app, { sessions, recordings, signer });

  app.get('/', (request, reply) => sendPage(request, reply, 'index.html', isClustered));
  const { basePath } = config.server;
  if (basePath !== '/') app.get(basePath, async (_request, reply) => reply.redirect(`${basePath}/`));
  app.get<{ Params: { stream: string } }>('/view/:stream', async (request, reply) => {
    checkName(request.params.stream);
    return sendPage(request, reply, 'player.html', isClustered);
  });

  app.get<{ Params: { stream: string } }>('/remote/:stream', async (request, reply) => {
    checkName(request.params.stream);
    return sendPage(request, reply, 'remote.html');
  });

  app.get('/call', async (request, reply) =>
    reply.redirect(locationOf(request, `/call/${newRoom()}`, config.server.basePath)),
  );
  app.get<{ Params: { room: string } }>('/call/:room', async (request, reply) => {
    checkName(request.params.room);
    return sendPage(request, reply, 'call.html', isClustered);
  });

  // For load balancers: their address has no server yet, the reply names this one by server.basePath.
  const enter = (to: string) => async (request: FastifyRequest, reply: FastifyReply) => {
    sessions.checkCapacity();
    checkPorts(config.webrtc, openPeers());
    const { sessions: more, text } = roomFor();
    if (more === 0) throw new FaceOffError('server_full', text, { details: { retryAfterMs: RETRY_AFTER_MS } });
    const [, query] = request.url.split('?');
    return reply.redirect(`${basePath.replace(/\/$/, '')}${to}${query === undefined ? '' : `?${query}`}`);
  };
  app.get('/enter', enter('/'));
  app.get('/enter/call', enter('/call'));
  app.get('/detect', (request, reply) => sendPage(request, reply, 'detector.html'));

  app.get('/healthz', async () => ({ ok: true }));
  app.get('/readyz', async (_request, reply) => {
    const isReady = ready && !draining;
    const most = config.limits.sessions;
    const more = isReady ? roomFor().sessions : 0;
    return reply
      .code(isReady ? 200 : 503)
      .send({ ready: isReady, draining, sessions: { open: sessions.size, most, more } });
  });
  const measure = (): void => {
    sessions.measure();
    metrics.clusterWaiting(cluster?.waiting ?? 0);
  };
  if (config.metrics.enabled) metricsRoute(metricsApp ?? app, metrics, measure);
  app.get('/api/sessions', async () =>
    sessions.all().map((session) => ({
      ...session.stats,
      stream: session.stream,
      viewers: session.viewers,
      modified: session.modified,
      unmarked: session.unmarked,
      settings: session.settings,
    })),
  );
  app.get('/api/models', async () => states.list());
  app.get('/api/status', async () => ({
    version,
    node: process.version,
    uptimeMs: Math.round(performance.now() - startedAtMs),
    sessions: sessions.size,
    rooms: rooms.size,
    peers: openPeers(),
    laneSessions: pool.openSessions,
    rssBytes: residentBytes(),
    models,
    ...machineStatus(monitor, config.memory.rssLimitMb),
  }));
  app.get('/api/config', async () => inForce.report());
  openApiRoutes(app, version, config);
  cacheRoutes(app, config);
  machineRoutes(app, monitor, config.memory.intervalMs);
  profileRoutes(app, pool, config);
  const roomFor = (): Preflight =>
    preflight({
      capacity: pool.capacity ?? null,
      machine: monitor.figures,
      open: sessions.size,
      most: config.limits.sessions,
      engine: defaults.engine,
      limited: sessions.limitedCount,
      isAhead: os.getPriority() < 0,
    });
  app.get('/api/preflight', async () => roomFor());

  return {
    app,
    metricsApp,
    sessions,
    monitor,
    async drain(patienceMs) {
      draining = true;
      sessions.drain();
      const untilMs = performance.now() + patienceMs;
      while (ready && sessions.size > 0 && performance.now() < untilMs) await delay(DRAIN_CHECK_MS);
    },
    async close() {
      if (!ready) return;
      ready = false;
      cluster?.close();
      monitor.close();
      sessions.close();
      trials.close();
      osc?.close();
      streams.close();
      signalling.close();
      await recordings.close();
      await disclosure.idle();
      await signer.close();
      const closed = Promise.all([app.close(), metricsApp?.close()]);
      const closingTimer = setTimeout(() => connections.destroyAll(), CLOSING_MS);
      await closed;
      clearTimeout(closingTimer);
    },
  };
}
