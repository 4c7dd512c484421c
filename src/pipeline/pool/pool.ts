/** The pipeline as the main thread sees it. */

import os from 'node:os';
import type { Logger } from 'pino';
import type { Config } from '../../config.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { PhotoFlaw } from '../../shared/messages.ts';
import { isGenerator, MESH, type SettingsPatch, type SwapSettings } from '../../shared/settings.ts';
import type { Capacity, Frame, Pressure, ProfiledThread, Swapping, SwapSession } from '../../shared/types.ts';
import { keptMarkKey, layoutWords } from '../../watermark/mark-key.ts';
import { isStoredPicture } from '../background/picture-file.ts';
import { DeviceHost } from '../device/device-host.ts';
import type { DeviceReport } from '../device/device-protocol.ts';
import type { Portrait } from '../engines/engine.ts';
import { type Catalogue, readCatalogue } from '../models/catalogue.ts';
import { ModelStates } from '../models/model-states.ts';
import { requireFile } from '../models/model-store.ts';
import { Enrolment, type Photos } from './enrolment.ts';
import { LaneFaults } from './lane-faults.ts';
import {
  backgroundsDir,
  defaultSettings,
  deviceOptions,
  laneOptions,
  liveLaneOptions,
  requireModelNames,
} from './lane-options.ts';
import type { FoundFace, LaneOptions, LanePreview, ModelLoad } from './lane-protocol.ts';
import { facesOf, type LaneSlot, Lanes, wantedFaces } from './lanes.ts';
import { PoolSession, type SessionHost } from './pool-session.ts';

/** What a pool reports, and whether frames have a deadline. */
export interface PoolOptions {
  /** Called once for each model of each lane, when all lanes have started. */
  onModelLoad?: (load: ModelLoad) => void;
  /** Called for each report of the device process, about once a second. */
  onDevice?: (report: DeviceReport) => void;
  /** Called when a lane's thread or the device process is lost, and replaced. @param cause one sentence. */
  onLost?: (part: 'lane' | 'device', cause: string) => void;
  /** Folder of the pictures for backgrounds, instead of the configuration's. */
  backgroundsDir?: string;
  /** False where every frame is to be swapped at full quality, however long it takes. */
  deadline?: boolean;
}

/** Most lanes that `pipeline.lanes: auto` starts. */
const MOST_AUTO_LANES = 8;

/**
 * The lanes, the enrolment thread and the device process behind one interface. A session is pinned to the lane with the
 * fewest sessions and stays there; a lane that dies is replaced and its sessions carry on with the same settings.
 */
export class Pool implements Swapping, SessionHost {
  /** The state of every model; other code that loads models notes it here. */
  readonly models: ModelStates;
  /** Settings of a new session; `configure` changes them in place. */
  readonly defaults: SwapSettings;
  readonly #catalogue: Catalogue;
  readonly #device: DeviceHost;
  readonly #enrolment: Enrolment;
  readonly #lanes: Lanes;
  readonly #backgroundsDir: string;
  readonly #sessions = new Set<PoolSession>();
  /** By face; see `offer`. */
  readonly #consents = new Map<string, () => void>();

  private constructor(
    catalogue: Catalogue,
    config: Config,
    log: Logger,
    { deadline, onDevice, onLost, markWords, backgroundsDir }: PoolOptions & Pick<LaneOptions, 'markWords'>,
  ) {
    const budgetMs = deadline === false ? Number.POSITIVE_INFINITY : config.pipeline.budgetMs;
    const models = new ModelStates(catalogue);
    this.#device = new DeviceHost(deviceOptions(config), log, {
      onReport: (report) => {
        this.#noteReport(report);
        onDevice?.(report);
      },
      onLost: (cause) => onLost?.('device', cause),
    });
    const options = {
      ...laneOptions(config),
      ...(backgroundsDir !== undefined && { backgroundsDir }),
      budgetMs,
      deviceAddress: this.#device.address,
      markWords,
    };
    const faults = new LaneFaults(models, log);
    this.#enrolment = new Enrolment({ options, models, faults });
    this.#lanes = new Lanes({
      options,
      models,
      faults,
      enrolment: this.#enrolment,
      log,
      onLost: (cause) => onLost?.('lane', cause),
    });
    this.#catalogue = catalogue;
    this.#backgroundsDir = options.backgroundsDir;
    this.models = models;
    this.defaults = defaultSettings(config);
  }

  /**
   * Resolves when every lane has its models loaded and warm.
   * @throws FaceOffError `bad_config` for an unknown model or background in the configuration, and what a lane met while starting.
   */
  static async start(config: Config, log: Logger, options: PoolOptions = {}): Promise<Pool> {
    const catalogue = readCatalogue(config.models.dir);
    const { engine, restorer } = requireModelNames(catalogue, config);
    requireBackground(config);
    const markWords = config.disclosure.watermark ? layoutWords(await keptMarkKey(config.storage.dir, log)) : null;
    const pool = new Pool(catalogue, config, log, { ...options, markWords });
    if (isGenerator(engine) || restorer !== null) pool.#device.start();
    const { lanes } = config.pipeline;
    // The main thread with WebRTC's own threads wants a core; the rest is for lanes.
    const count = lanes === 'auto' ? Math.min(MOST_AUTO_LANES, Math.max(1, os.availableParallelism() - 1)) : lanes;
    try {
      for (let i = 0; i < count; i++) await pool.#lanes.add();
    } catch (error) {
      await pool.close();
      throw error;
    }
    for (const load of pool.#lanes.loads) options.onModelLoad?.(load);
    return pool;
  }

  get openSessions(): number {
    return this.#sessions.size;
  }

  /** Number of lanes. */
  get lanes(): number {
    return this.#lanes.count;
  }

  get deviceRssBytes(): number {
    return this.#device.rssBytes;
  }

  get deviceCpuMs(): number {
    return this.#device.cpuMs;
  }

  get capacity(): Capacity {
    return this.#lanes.capacity;
  }

  profiler(lane: number): ProfiledThread | undefined {
    return this.#lanes.profiler(lane);
  }

  /**
   * Makes a source face known, or replaces it; it is enrolled when a session first wants it.
   * @param requireConsent throws FaceOffError while sessions may not choose the face; those that have it go on.
   */
  offer(id: string, photos: Photos, requireConsent: () => void = () => undefined): void {
    this.#consents.set(id, requireConsent);
    this.#enrolment.add(id, photos);
    this.#lanes.renew(id);
  }

  /**
   * Enrols a face and gives it to every lane, so that the first session to want it need not wait.
   * @throws FaceOffError `unknown_face`, what the photos or the enrolment for mesh meet. Generators may fail: mesh serves
   *   for them.
   */
  async preload(id: string): Promise<void> {
    if (!this.#enrolment.has(id)) throw unknownFace(id);
    for (const engine of new Set([MESH, this.defaults.engine])) {
      if (engine === MESH) await this.#enrolment.face(engine, id);
      await this.#lanes.giveAll(engine, id);
    }
  }

  /** Refuses a configuration that names an unknown model or background. @throws FaceOffError `bad_config`. */
  check(config: Config): void {
    requireModelNames(this.#catalogue, config);
    requireBackground(config);
  }

  /** Takes live settings over, for sessions that are opened from now on. */
  configure(config: Config): void {
    Object.assign(this.defaults, defaultSettings(config));
    this.#lanes.configure(liveLaneOptions(config));
    if (isGenerator(this.defaults.engine)) this.#device.start();
  }

  /** Forgets a source face. Sessions that wear it go on without a face. @returns their ids. */
  withdraw(id: string): string[] {
    this.#consents.delete(id);
    this.#enrolment.remove(id);
    const wearers = [...this.#sessions].filter((session) => session.takeOff(id));
    this.#lanes.drop(id);
    return wearers.map((session) => session.id);
  }

  /** Forgets a picture for backgrounds. Sessions that show it blur the room instead. */
  withdrawBackground(id: string): void {
    if (this.defaults.backgroundPicture === id) this.defaults.backgroundPicture = null;
    for (const session of this.#sessions) session.takeBackgroundOff(id);
  }

  /** @throws FaceOffError `unknown_face`, `unknown_model`, `unknown_background` (404), `model_missing`, `consent_due` (409). */
  open(id: string, settings: SettingsPatch): SwapSession {
    const slot = this.#lanes.leastLoaded();
    if (settings.engine !== undefined) this.requireEngine(settings.engine);
    const session = new PoolSession(this, slot, id, this.checked({ ...this.defaults, ...settings }, null));
    this.#sessions.add(session);
    return session;
  }

  checked(settings: SwapSettings, before: SwapSettings | null): SwapSettings {
    if (isGenerator(settings.engine)) this.#catalogue.named(settings.engine, 'generator');
    for (const face of wantedFaces(settings)) {
      if (!this.#enrolment.has(face)) throw unknownFace(face);
      if (before === null || !wantedFaces(before).has(face)) this.#consents.get(face)?.();
    }
    const { backgroundPicture: picture } = settings;
    if (picture !== null && picture !== before?.backgroundPicture && !isStoredPicture(this.#backgroundsDir, picture))
      throw new FaceOffError(
        'unknown_background',
        `There is no background with the id "${picture}". GET /api/backgrounds lists those there are.`,
      );
    return settings;
  }

  requireEngine(engine: string): void {
    if (!isGenerator(engine)) return;
    for (const entry of this.#catalogue.withNeeds(this.#catalogue.named(engine, 'generator')))
      requireFile(this.#catalogue, entry);
    this.#device.start();
  }

  supply(slot: LaneSlot, settings: SwapSettings): void {
    this.#lanes.supply(slot, settings);
  }

  left(session: PoolSession): void {
    this.#sessions.delete(session);
  }

  /** Short memory gives up what no session needs; while it is `degrade`, every stream lowers its quality too. */
  pressure(pressure: Pressure): void {
    this.#lanes.limitQuality(pressure === 'degrade');
    if (pressure === 'none') return;
    this.#lanes.release(this.defaults);
    this.#enrolment.release(facesOf([this.defaults, ...[...this.#sessions].map(({ settings }) => settings)]));
    this.#device.release();
  }

  /** Finds every face of a still picture, on the enrolment thread. */
  analyse(picture: Frame): Promise<FoundFace[]> {
    return this.#enrolment.analyse(picture);
  }

  /** Draws a face as it will look, and judges the last of its portraits, on the enrolment thread; nothing is kept. */
  preview(portraits: Portrait[]): Promise<LanePreview> {
    return this.#enrolment.preview(portraits);
  }

  /** Judges portraits one by one, on the enrolment thread. */
  judge(portraits: Portrait[]): Promise<PhotoFlaw[][]> {
    return this.#enrolment.judge(portraits);
  }

  /** Idempotent. Lets frames in hand finish, then ends every thread and the device process. */
  async close(): Promise<void> {
    const enrolment = this.#enrolment.close();
    const lanes = this.#lanes.close();
    for (const session of [...this.#sessions]) session.close();
    await Promise.all([enrolment, lanes]);
    await this.#device.close();
  }

  /** Notes what models run on in the device process, and what is being built for them. */
  #noteReport({ news }: DeviceReport): void {
    for (const one of news) {
      if ('provider' in one) this.models.amend(one.model, { provider: one.provider });
      if (!('building' in one)) continue;
      const seconds = Math.round((one.building?.elapsedMs ?? 0) / 1000);
      const note = one.building === null ? null : `Something faster is being made, for ${seconds} s now.`;
      this.models.amend(one.model, { note });
    }
  }
}

/** @throws FaceOffError `bad_config` where the background that sessions start with is not there. */
function requireBackground(config: Config): void {
  const { picture } = config.background;
  if (picture !== null && !isStoredPicture(backgroundsDir(config), picture))
    throw new FaceOffError(
      'bad_config',
      `background.picture: there is no background "${picture}" in ${backgroundsDir(config)}. Name another one, or null.`,
    );
}

const unknownFace = (id: string): FaceOffError =>
  new FaceOffError('unknown_face', `There is no face with the id "${id}". GET /api/faces lists those there are.`);
