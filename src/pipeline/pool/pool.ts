/**
 * The lanes. A session is pinned to the lane with the fewest sessions and stays there; a lane that dies is replaced
 * and its sessions carry on with the same settings. Source faces are enrolled on a thread of their own, so that adding
 * or changing a face never holds up a frame.
 */

import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Config } from '../../config.ts';
import { Semaphore } from '../../lib/semaphore.ts';
import { FaceOffError } from '../../shared/errors.ts';
import {
  type Capacity,
  type Frame,
  isGenerator,
  MESH,
  type Pressure,
  type SwappedFrame,
  type Swapping,
  type SwapSession,
  type SwapSettings,
} from '../../shared/types.ts';
import { DeviceHost } from '../device/device-host.ts';
import type { DeviceOptions, DeviceReport } from '../device/device-protocol.ts';
import type { Portrait } from '../engines/engine.ts';
import type { MeshFace } from '../engines/mesh/mesh-engine.ts';
import type { NeuralFace } from '../engines/neural/neural-engine.ts';
import { type Catalogue, readCatalogue } from '../models/catalogue.ts';
import { ModelStates } from '../models/model-states.ts';
import { requireFile } from '../models/model-store.ts';
import type { FoundFace, LaneOptions, ModelLoad } from './lane-protocol.ts';
import { type LaneListener, LaneThread } from './lane-thread.ts';

/** The photos of a source face; asked for at most once at a time for an engine, when somebody first wants it. */
export type Photos = () => Promise<Portrait[]>;

export interface PoolOptions {
  onModelLoad?: (load: ModelLoad) => void;
  onDevice?: (report: DeviceReport) => void;
  /** False where every frame is to be swapped at full quality, however long it takes. */
  deadline?: boolean;
}

/** A lane's place: the thread in it may be replaced. */
interface Seat {
  thread: LaneThread;
  sessions: Set<PoolSession>;
  /** Frames that may be in the lane's hands, of streams whose frames keep it busy. */
  places: Semaphore;
  /** Faces this thread has been given, `engine/id` each. */
  faces: Set<string>;
  /** What a swap took at warm-up; null before it. */
  swapMs: number | null;
  /** What the lane told with the last frame, and when. */
  busy: number;
  toldAtMs: number;
}

const UNKNOWN: Pick<Seat, 'swapMs' | 'busy' | 'toldAtMs'> = {
  ...{ swapMs: null, busy: 0, toldAtMs: Number.NEGATIVE_INFINITY },
};
/** Lanes that die one after another mean something is wrong for good: wait longer each time, up to this. */
const LONGEST_PAUSE_MS = 10_000;
/** The one in work: another would only grow old there, while newer ones come. */
const IN_HAND = 1;
/** A lane that had no frame for so long does nothing. */
const QUIET_MS = 2000;
/** The enrolment thread is let go when nobody needed it for this long. */
const IDLE_MS = 60_000;

export class Pool implements Swapping {
  /** What is known of every model; whoever else loads some tells it here. */
  readonly models: ModelStates;
  readonly #options: LaneOptions;
  readonly #defaults: SwapSettings;
  readonly #log: Logger;
  readonly #seats: Seat[] = [];
  readonly #photos = new Map<string, Photos>();
  readonly #catalogue: Catalogue;
  /** Enrolled faces, `engine/id` each. */
  readonly #ready = new Map<string, Promise<MeshFace | NeuralFace>>();
  readonly #sessions = new Set<PoolSession>();
  #studio: Promise<LaneThread> | null = null;
  /** Stands for the enrolment thread among those who load models. */
  readonly #enrolment = {};
  #studioTimer: NodeJS.Timeout | undefined;
  readonly #replacing = new Set<Promise<void>>();
  /** Aborted when the pool is closed. */
  readonly #ending = new AbortController();
  #pressure: Pressure = 'none';
  #deaths = 0;
  #faults = 0;
  #faultLoggedAtMs = -Infinity;

  readonly #device: DeviceHost;

  private constructor(...[catalogue, config, log, options]: [Catalogue, Config, Logger, PoolOptions]) {
    const budgetMs = options.deadline === false ? Number.POSITIVE_INFINITY : config.pipeline.budgetMs;
    this.#catalogue = catalogue;
    this.models = new ModelStates(catalogue);
    this.#device = new DeviceHost(deviceOptions(config), log, (report) => this.#hear(report, options));
    this.#options = { ...laneOptions(config), budgetMs, deviceAddress: this.#device.address };
    this.#defaults = defaultSettings(config);
    this.#log = log;
  }

  /** Resolves when every lane has its models loaded and warm. */
  static async start(config: Config, log: Logger, options: PoolOptions = {}): Promise<Pool> {
    const catalogue = readCatalogue(config.models.dir);
    const { engine, restorer } = requireNames(catalogue, config);
    const pool = new Pool(catalogue, config, log, options);
    if (isGenerator(engine) || restorer !== null) pool.#device.start();
    const { lanes } = config.pipeline;
    // The main thread with WebRTC's own threads wants a core; the rest is for lanes.
    const count = lanes === 'auto' ? Math.min(8, Math.max(1, os.availableParallelism() - 1)) : lanes;
    try {
      for (let i = 0; i < count; i++) pool.#seats.push(await pool.#seat());
    } catch (error) {
      await pool.close();
      throw error;
    }
    for (const load of pool.#seats.flatMap((seat) => seat.thread.loads)) options.onModelLoad?.(load);
    return pool;
  }

  get #closed(): boolean {
    return this.#ending.signal.aborted;
  }

  get openSessions(): number {
    return this.#sessions.size;
  }

  get lanes(): number {
    return this.#seats.length;
  }

  get defaults(): SwapSettings {
    return this.#defaults;
  }

  /** Makes a source face known; it is enrolled when first wanted. */
  offer(id: string, photos: Photos): void {
    this.#photos.set(id, photos);
    this.#forgetReady(id);
    for (const seat of this.#seats) for (const engine of takenBack(seat, id)) void this.#give(seat, engine, id);
  }

  /** Enrols a face and gives it to every lane, so that the first session to want it need not wait. */
  async preload(id: string): Promise<void> {
    const { engine = MESH } = this.#defaults;
    for (const name of new Set([MESH, engine])) {
      // Only mesh must be there: it serves where the other does not.
      if (name === MESH) await this.#face(name, id);
      await Promise.all(this.#seats.map((seat) => this.#give(seat, name, id)));
    }
  }

  /** Forgets a source face. Sessions that wear it go on without a face. */
  withdraw(id: string): void {
    this.#photos.delete(id);
    this.#forgetReady(id);
    for (const session of this.#sessions) session.takeOff(id);
    for (const seat of this.#seats)
      if (takenBack(seat, id).length > 0) void seat.thread.ask('drop', { id }).catch(() => undefined);
  }

  open(id: string, settings: Partial<SwapSettings>): SwapSession {
    const seat = this.#seats.reduce((least, next) => (next.sessions.size < least.sessions.size ? next : least));
    if (settings.engine !== undefined) this.requireEngine(settings.engine);
    const wanted = this.checked({ ...this.#defaults, ...settings });
    const session = new PoolSession(this, seat, id, wanted);
    this.#sessions.add(session);
    return session;
  }

  /** @throws FaceOffError `unknown_face`, `unknown_model` (404). */
  checked(settings: SwapSettings): SwapSettings {
    const { engine = MESH } = settings;
    if (isGenerator(engine)) this.#catalogue.named(engine, 'generator');
    for (const face of wantedFaces(settings)) {
      if (!this.#photos.has(face)) {
        throw new FaceOffError(
          'unknown_face',
          `There is no face with the id "${face}". GET /api/faces lists those there are.`,
          { status: 404 },
        );
      }
    }
    return settings;
  }

  /** @throws FaceOffError `unknown_model` (404), `model_missing` (409) for an engine that cannot be had here. */
  requireEngine(engine: string): void {
    if (!isGenerator(engine)) return;
    for (const entry of this.#catalogue.withNeeds(this.#catalogue.named(engine, 'generator')))
      requireFile(this.#catalogue, entry);
    this.#device.start();
  }

  /** Sends a seat's lane what a session wants shown, once it is enrolled. */
  supply(seat: Seat, settings: SwapSettings): void {
    const { engine = MESH } = settings;
    // Mesh is given always: it serves while the other is not ready.
    for (const face of wantedFaces(settings)) {
      void this.#give(seat, MESH, face);
      if (isGenerator(engine)) void this.#give(seat, engine, face);
    }
  }

  /** While memory is short, streams do less; what nobody needs just now is given up as soon as it gets short. */
  pressure(pressure: Pressure): void {
    this.#pressure = pressure;
    for (const { thread } of this.#seats) this.#hold(thread);
    if (pressure === 'none') return;
    this.#tidy();
    this.#device.release();
  }

  left(session: PoolSession): void {
    this.#sessions.delete(session);
  }

  /** Ends a lane's thread from outside, as a crash would; for tests of what happens then. */
  async killLaneForTest(): Promise<void> {
    await this.#seats[0]!.thread.kill();
  }

  /** Memory of the device's process; 0 while there is none. */
  get deviceRssBytes(): number {
    return this.#device.rssBytes;
  }

  get deviceCpuMs(): number {
    return this.#device.cpuMs;
  }

  get capacity(): Capacity {
    const measured = this.#seats.flatMap(({ swapMs }) => swapMs ?? []);
    const nowMs = performance.now();
    return {
      swapMs: measured.length === 0 ? null : Math.max(...measured),
      lanes: this.#seats.map(({ busy, toldAtMs }) => (nowMs - toldAtMs > QUIET_MS ? 0 : busy)),
    };
  }

  /** Ends the device's process from outside, as a crash would; for tests of what happens then. */
  killDeviceForTest(): void {
    this.#device.killForTest();
  }

  analyse(picture: Frame): Promise<FoundFace[]> {
    return this.#inStudio((thread) => thread.ask('analyse', { picture }));
  }

  /** Idempotent. Lets frames in hand finish, then ends every thread. */
  async close(): Promise<void> {
    this.#ending.abort();
    clearTimeout(this.#studioTimer);
    for (const session of [...this.#sessions]) session.close();
    const studio = await this.#studio?.catch(() => null);
    await Promise.all(this.#replacing);
    await Promise.all([...this.#seats.map((seat) => seat.thread.end()), studio?.end()]);
    await this.#device.close();
  }

  async #seat(): Promise<Seat> {
    const seat: Seat = {
      thread: null as unknown as LaneThread,
      sessions: new Set(),
      faces: new Set(),
      places: new Semaphore(IN_HAND),
      ...UNKNOWN,
    };
    seat.thread = await LaneThread.start(this.#options, this.#listener(seat));
    return seat;
  }

  #listener(seat: Seat): LaneListener {
    return {
      onDeath: (cause) => {
        const replacing = this.#replace(seat, cause).finally(() => this.#replacing.delete(replacing));
        this.#replacing.add(replacing);
      },
      onFault: (error) => this.#onFault(error, seat),
      onNews: (news) => this.models.note(seat, news),
    };
  }

  /** What lanes told of a model stays true, but for what it runs on and what is being done for it. */
  #hear(report: DeviceReport, { onDevice }: PoolOptions): void {
    for (const news of report.news) {
      if ('provider' in news) this.models.amend(news.model, { provider: news.provider });
      if (!('building' in news)) continue;
      const seconds = Math.round((news.building?.elapsedMs ?? 0) / 1000);
      const note = news.building === null ? null : `Something faster is being made, for ${seconds} s now.`;
      this.models.amend(news.model, { note });
    }
    onDevice?.(report);
  }

  /** At most one line a second, whatever fails how often. */
  #onFault(error: FaceOffError, source: object): void {
    // An engine may fail before its model is loaded, or long after.
    if (error.code === 'engine_failed') {
      const { model, why } = error.details as { model: string; why: string };
      this.models.note(source, { model, state: 'failed', why });
    }
    this.#faults++;
    if (performance.now() - this.#faultLoggedAtMs < 1000) return;
    this.#faultLoggedAtMs = performance.now();
    const what = REPLACED.has(error.code) ? 'served without a model that was wanted' : 'frame not swapped';
    this.#log.warn({ code: error.code, error: error.message, faults: this.#faults }, what);
  }

  async #replace(seat: Seat, cause: FaceOffError): Promise<void> {
    this.models.forget(seat);
    if (this.#closed) return;
    this.#log.warn({ sessions: seat.sessions.size, cause: cause.message }, 'lane lost, replacing it');
    for (let pauseMs = 100; !this.#closed; pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)) {
      try {
        const thread = await LaneThread.start(this.#options, this.#listener(seat));
        seat.thread = thread;
        this.#hold(thread);
        seat.faces.clear();
        for (const session of seat.sessions) session.reopen();
        this.#deaths++;
        this.#log.info({ deaths: this.#deaths }, 'lane replaced');
        if (this.#closed) await thread.end();
        return;
      } catch (error) {
        this.#log.error({ error: String(error), pauseMs }, 'lane cannot be replaced, trying again');
        await sleep(pauseMs, undefined, { signal: this.#ending.signal }).catch(() => undefined);
      }
    }
  }

  async #give(seat: Seat, engine: string, id: string): Promise<void> {
    const key = keyOf(engine, id);
    if (seat.faces.has(key)) return;
    seat.faces.add(key);
    const { thread } = seat;
    try {
      const enrolled = this.#face(engine, id);
      const face = await enrolled;
      // Made anew or withdrawn meanwhile: whoever did that has given out what is to be had now.
      if (this.#ready.get(key) !== enrolled) return;
      if (isMesh(face)) seat.swapMs = (await thread.ask('take', { id, face })) ?? seat.swapMs;
      else await thread.ask('takeFor', { id, engine, face });
    } catch (error) {
      seat.faces.delete(key);
      // The thread that takes a lost one's place is given everything anew.
      const lost = error instanceof FaceOffError && error.code === 'lane_lost';
      if (this.#closed || lost) return;
      this.#log.warn(
        { face: id, engine, error: error instanceof Error ? error.message : String(error) },
        'face cannot be used',
      );
    }
  }

  #face(engine: string, id: string): Promise<MeshFace | NeuralFace> {
    const key = keyOf(engine, id);
    let ready = this.#ready.get(key);
    if (ready === undefined) {
      ready = this.#enrol(engine, this.#photos.get(id)!);
      this.#ready.set(key, ready);
      ready.catch(() => this.#ready.delete(key));
    }
    return ready;
  }

  async #enrol(engine: string, photos: Photos): Promise<MeshFace | NeuralFace> {
    const portraits = await photos();
    if (engine === MESH) return await this.#inStudio((thread) => thread.ask('enrol', { portraits }));
    return await this.#inStudio((thread) => thread.ask('enrolFor', { engine, portraits }));
  }

  #hold(thread: LaneThread): void {
    void thread.ask('hold', { on: this.#pressure === 'degrade' }).catch(() => undefined);
  }

  /** Forgets the faces that nobody wears, which are enrolled again when somebody does, and ends the idle enrolment. */
  #tidy(): void {
    const worn = (sessions: Iterable<PoolSession>): Set<string> =>
      new Set([this.#defaults, ...[...sessions].map(({ settings }) => settings)].flatMap((s) => [...wantedFaces(s)]));
    for (const seat of this.#seats) {
      const kept = worn(seat.sessions);
      for (const id of new Set([...seat.faces].map(idOf))) {
        if (kept.has(id)) continue;
        takenBack(seat, id);
        void seat.thread.ask('drop', { id }).catch(() => undefined);
      }
    }
    const kept = worn(this.#sessions);
    for (const id of new Set([...this.#ready.keys()].map(idOf))) if (!kept.has(id)) this.#forgetReady(id);
    this.#endStudio();
  }

  #startStudio(): Promise<LaneThread> {
    return LaneThread.start(
      { ...this.#options, engine: MESH, restorer: null, deviceAddress: null },
      {
        onDeath: () => {
          this.models.forget(this.#enrolment);
          this.#studio = null;
        },
        onFault: (error) => this.#onFault(error, this.#enrolment),
        onNews: (news) => this.models.note(this.#enrolment, news),
      },
    );
  }

  /** What it works on is finished first. */
  #endStudio(): void {
    const studio = this.#studio;
    clearTimeout(this.#studioTimer);
    this.#studio = null;
    void studio
      ?.then((thread) => thread.end())
      .then(() => this.models.forget(this.#enrolment))
      .catch(() => undefined);
  }

  #forgetReady(id: string): void {
    for (const key of this.#ready.keys()) if (idOf(key) === id) this.#ready.delete(key);
  }

  /** @throws FaceOffError `closing` (503) once the pool is closed: a thread begun then would never end. */
  async #inStudio<T>(work: (thread: LaneThread) => Promise<T>): Promise<T> {
    if (this.#closed) throw new FaceOffError('closing', 'FaceOff is being stopped.', { status: 503 });
    clearTimeout(this.#studioTimer);
    // The studio only enrols, so it needs no engine's own models.
    this.#studio ??= this.#startStudio();
    this.#studio.catch(() => {
      this.#studio = null;
    });
    const studio = this.#studio;
    try {
      return await work(await studio);
    } finally {
      clearTimeout(this.#studioTimer);
      this.#studioTimer = setTimeout(() => {
        if (this.#studio === studio && !this.#closed) this.#endStudio();
      }, IDLE_MS).unref();
    }
  }
}

class PoolSession implements SwapSession {
  readonly id: string;
  readonly #pool: Pool;
  readonly #seat: Seat;
  #settings: SwapSettings;
  #closed = false;

  constructor(pool: Pool, seat: Seat, id: string, settings: SwapSettings) {
    this.id = id;
    this.#pool = pool;
    this.#seat = seat;
    this.#settings = settings;
    seat.sessions.add(this);
    this.reopen();
  }

  get settings(): SwapSettings {
    return this.#settings;
  }

  /** Makes the session known to the seat's present thread. */
  reopen(): void {
    this.#tell('open', { session: this.id, settings: this.#settings });
    this.#pool.supply(this.#seat, this.#settings);
  }

  /** Frames that wait for the device do not keep the lane busy, and are the better gathered the more there are. */
  place(): Promise<() => void> {
    return isGenerator(this.#settings.engine ?? MESH) ? Promise.resolve(() => undefined) : this.#seat.places.take();
  }

  async swap(frame: Frame, dropped = 0): Promise<SwappedFrame> {
    const seat = this.#seat;
    const done = await seat.thread.ask('swap', { session: this.id, frame, dropped }, [frame.data.buffer]);
    [seat.busy, seat.toldAtMs] = [done.lane?.busy ?? 0, performance.now()];
    return done;
  }

  set(settings: Partial<SwapSettings>): void {
    if (settings.engine !== undefined) this.#pool.requireEngine(settings.engine);
    this.#settings = this.#pool.checked({ ...this.#settings, ...settings });
    this.#pool.supply(this.#seat, this.#settings);
    this.#tell('set', { session: this.id, settings: this.#settings });
  }

  /** Goes on without a face that is no more, wherever it was chosen. */
  takeOff(id: string): void {
    const { face, map } = this.#settings;
    if (!wantedFaces(this.#settings).has(id) && !Object.values(map).includes(id)) return;
    const left = Object.entries(map).filter(([, chosen]) => chosen !== id);
    this.set({ face: face === id ? null : face, map: Object.fromEntries(left) });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#seat.sessions.delete(this);
    this.#pool.left(this);
    this.#tell('close', { session: this.id });
  }

  /** A lane that just died needs no telling: its successor is told everything by `reopen`. */
  #tell<K extends 'open' | 'set' | 'close'>(call: K, ask: Parameters<typeof this.ask<K>>[1]): void {
    void this.ask(call, ask).catch(() => undefined);
  }

  ask<K extends 'open' | 'set' | 'close'>(
    call: K,
    ask: import('./lane-protocol.ts').Calls[K]['ask'],
  ): Promise<unknown> {
    return this.#seat.thread.ask(call, ask);
  }
}

/** What went on without a model costs no frame its swap. */
const REPLACED = new Set(['engine_failed', 'engine_slow', 'restorer_failed']);

const keyOf = (engine: string, id: string): string => `${engine}/${id}`;
const engineOf = (key: string): string => key.slice(0, key.indexOf('/'));
const idOf = (key: string): string => key.slice(key.indexOf('/') + 1);
const isMesh = (face: MeshFace | NeuralFace): face is MeshFace => 'levels' in face;

/** Forgets that a thread was given a face; returns the engines it was given it for. */
function takenBack({ faces }: Seat, id: string): string[] {
  const keys = [...faces].filter((key) => idOf(key) === id);
  for (const key of keys) faces.delete(key);
  return keys.map(engineOf);
}

/** @throws FaceOffError `bad_config` for a model in the settings that nobody knows. */
function requireNames(catalogue: Catalogue, { swap, restoration }: Config): ReturnType<typeof modelNames> {
  const names = modelNames({ swap, restoration });
  const { engine, mask, restorer } = names;
  const asked = [
    ['swap.engine', engine === MESH ? null : engine, 'generator'],
    ['swap.mask', mask, 'masker'],
    ['restoration.model', restorer, 'restorer'],
  ] as const;
  for (const [key, name, role] of asked) {
    try {
      if (name !== null) catalogue.named(name, role);
    } catch (cause) {
      throw new FaceOffError('bad_config', `${key}: ${cause instanceof Error ? cause.message : ''}`, { cause });
    }
  }
  return names;
}

/** The models the settings name; null for none. */
function modelNames({ swap, restoration }: Pick<Config, 'swap' | 'restoration'>) {
  const orNull = (name: string): string | null => (name === 'none' ? null : name);
  return { engine: orNull(swap.engine) ?? MESH, mask: orNull(swap.mask), restorer: orNull(restoration.model) };
}

function wantedFaces({ face, choice, map }: SwapSettings): Set<string> {
  const mapped = choice === 'mapped' ? Object.values(map) : [];
  return new Set([face, ...mapped].filter((id) => id !== null));
}

export function defaultSettings({ swap, pipeline, disclosure }: Config): SwapSettings {
  const { face, choice, strength, shape, keepEyes, keepMouth } = swap;
  const engine = swap.engine === 'none' ? MESH : swap.engine;
  return {
    on: true,
    face: swap.engine === 'none' ? null : face,
    engine,
    choice,
    map: {},
    strength,
    shape,
    keepEyes,
    keepMouth,
    fallback: pipeline.fallback,
    guarded: pipeline.guarded,
    badge: disclosure.badge,
  };
}

export function laneOptions({
  limits,
  pipeline,
  detection,
  tracking,
  swap,
  restoration,
  inference,
  models,
  disclosure,
}: Config): LaneOptions {
  return {
    modelsDir: models.dir,
    threads: inference.threads,
    warmupRuns: models.warmupRuns,
    deviceAddress: null,
    reserve: swap.reserve,
    maxPixels: limits.frameWidth * limits.frameHeight,
    budgetMs: pipeline.budgetMs,
    ...{ score: detection.score, intervalMs: detection.intervalMs, faces: detection.faces, minSize: detection.minSize },
    ...{ lostAfterFrames: tracking.lostAfterFrames, minCutoffHz: tracking.minCutoffHz, beta: tracking.beta },
    ...{ colour: swap.colour, sharpness: restoration.sharpness },
    badgeCorner: disclosure.corner,
    ...{ boost: swap.boost, restoreBlend: restoration.blend, ...modelNames({ swap, restoration }) },
  };
}

/** Larger batches than this are not tried. */
const MOST_BATCHED = 16;

function deviceOptions({ inference, models, pipeline }: Config): Omit<DeviceOptions, 'address'> {
  const { threads, batch } = inference;
  const tune = batch === 'auto';
  const { warmupRuns, cacheDir } = models;
  return {
    threads,
    tune,
    maxBatch: tune ? MOST_BATCHED : batch,
    warmupRuns,
    cacheDir,
    budgetMs: pipeline.budgetMs,
    inference,
  };
}
