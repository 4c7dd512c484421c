/** The lanes: which thread is in which slot, which faces it was given, and its replacement when it dies. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Semaphore } from '../../lib/semaphore.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { isGenerator, MESH, type SwapSettings } from '../../shared/settings.ts';
import type { Capacity, ProfiledThread } from '../../shared/types.ts';
import type { ModelStates } from '../models/model-states.ts';
import { type Enrolment, engineOfKey, faceKey, idOfKey, isMeshFace } from './enrolment.ts';
import type { LaneFaults } from './lane-faults.ts';
import type { LaneOptions, LiveLaneOptions, ModelLoad } from './lane-protocol.ts';
import { type LaneListener, LaneThread } from './lane-thread.ts';

/** A session as its slot sees it. */
export interface SlotSession {
  readonly settings: SwapSettings;
  /** Makes the session known to the slot's present thread. */
  reopen(): void;
}

/** The slot of a lane: sessions stay in it while the thread in it may be replaced. */
export interface LaneSlot {
  thread: LaneThread;
  /** Identifies the slot's threads towards `ModelStates`. */
  readonly source: object;
  readonly sessions: Set<SlotSession>;
  /** Admits the frames of mesh streams, which keep the lane busy, one at a time. */
  readonly admission: Semaphore;
  /** Faces the present thread was given, by `faceKey`. */
  readonly faces: Set<string>;
  /** Time that one swap by mesh took at warm-up, in milliseconds; null before it. */
  swapMs: number | null;
  /** Share of the time in which the lane worked, 0..1, as it reported with its last frame. */
  busy: number;
  /** When it reported that, on the clock of `performance.now()`. */
  reportedAtMs: number;
}

/** What Lanes needs of its pool. */
export interface LanesParts {
  options: LaneOptions;
  models: ModelStates;
  faults: LaneFaults;
  enrolment: Enrolment;
  log: Logger;
  /** Called when a thread died that sessions may use. @param cause one sentence. */
  onLost(cause: string): void;
}

/** Pause before a second attempt to replace a lane; it doubles with each attempt that fails. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** Frames a lane is given at once: a second one would only age there while newer ones arrive. */
const FRAMES_AT_ONCE = 1;
/** A lane without a frame for so long counts as idle. */
const IDLE_AFTER_MS = 2000;

/** Supervises the lane threads: places sessions, gives faces, replaces a thread that dies. Main thread. */
export class Lanes {
  readonly #parts: LanesParts;
  readonly #slots: LaneSlot[] = [];
  readonly #replacing = new Set<Promise<void>>();
  /** Aborted by `close`. */
  readonly #ending = new AbortController();
  /** Whether every lane lowers its quality because memory is short. */
  #isLimited = false;
  #deaths = 0;

  constructor(parts: LanesParts) {
    this.#parts = parts;
  }

  get #closed(): boolean {
    return this.#ending.signal.aborted;
  }

  /** Number of lanes. */
  get count(): number {
    return this.#slots.length;
  }

  /** How long each model took to load, per lane. */
  get loads(): readonly ModelLoad[] {
    return this.#slots.flatMap(({ thread }) => thread.loads);
  }

  /** Time of one swap by mesh, and the share of time in which each lane works now. */
  get capacity(): Capacity {
    const measured = this.#slots.flatMap(({ swapMs }) => swapMs ?? []);
    const nowMs = performance.now();
    return {
      swapMs: measured.length === 0 ? null : Math.max(...measured),
      lanes: this.#slots.map(({ busy, reportedAtMs }) => (nowMs - reportedAtMs > IDLE_AFTER_MS ? 0 : busy)),
    };
  }

  /** Records CPU profiles of the thread that is in a slot now, by the slot's number from 0. */
  profiler(lane: number): ProfiledThread | undefined {
    const thread = this.#slots[lane]?.thread;
    if (thread === undefined) return undefined;
    return { start: () => thread.ask('startProfile', undefined), stop: () => thread.ask('stopProfile', undefined) };
  }

  /** Adds a lane; resolves when its models are loaded and warm. @throws FaceOffError what the lane met while starting. */
  async add(): Promise<void> {
    const source = {};
    let slot: LaneSlot | null = null;
    const thread = await this.#startThread(source, (cause) => {
      if (slot !== null) this.#replaceLater(slot, cause);
    });
    slot = {
      thread,
      source,
      sessions: new Set(),
      faces: new Set(),
      admission: new Semaphore(FRAMES_AT_ONCE),
      swapMs: null,
      busy: 0,
      reportedAtMs: Number.NEGATIVE_INFINITY,
    };
    this.#slots.push(slot);
  }

  /** The slot with the fewest sessions. */
  leastLoaded(): LaneSlot {
    return this.#slots.reduce((least, next) => (next.sessions.size < least.sessions.size ? next : least));
  }

  /** Gives a slot's lane the faces that settings want, once they are enrolled. */
  supply(slot: LaneSlot, settings: SwapSettings): void {
    const { engine } = settings;
    // Mesh is always given: it serves while a generator is not ready.
    for (const face of wantedFaces(settings)) {
      void this.#give(slot, MESH, face);
      if (isGenerator(engine)) void this.#give(slot, engine, face);
    }
  }

  /** Gives every lane a face for an engine. */
  async giveAll(engine: string, id: string): Promise<void> {
    await Promise.all(this.#slots.map((slot) => this.#give(slot, engine, id)));
  }

  /** Gives a face that was replaced to the lanes that had the old one. */
  renew(id: string): void {
    for (const slot of this.#slots) for (const engine of takeBack(slot, id)) void this.#give(slot, engine, id);
  }

  /** Takes a face from the lanes that have it. */
  drop(id: string): void {
    for (const slot of this.#slots) if (takeBack(slot, id).length > 0) dropFrom(slot, id);
  }

  /** Every lane, also one that replaces another later, takes changed options over for streams that open from then on. */
  configure(options: LiveLaneOptions): void {
    Object.assign(this.#parts.options, options);
    for (const { thread } of this.#slots) this.#sendOptions(thread, options);
  }

  /** While memory is short, every lane lowers its quality. */
  limitQuality(isLimited: boolean): void {
    this.#isLimited = isLimited;
    for (const { thread } of this.#slots) this.#sendLimit(thread);
  }

  /** Takes from each lane the faces that its own sessions and the default settings do not want. */
  release(defaults: SwapSettings): void {
    for (const slot of this.#slots) {
      const kept = facesOf([defaults, ...[...slot.sessions].map(({ settings }) => settings)]);
      for (const id of new Set([...slot.faces].map(idOfKey))) {
        if (kept.has(id)) continue;
        takeBack(slot, id);
        dropFrom(slot, id);
      }
    }
  }

  /** Idempotent. Lets frames in hand finish, then ends every thread. */
  async close(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#replacing);
    await Promise.all(this.#slots.map(({ thread }) => thread.end()));
  }

  #startThread(source: object, onDeath: LaneListener['onDeath']): Promise<LaneThread> {
    const { options, models, faults } = this.#parts;
    return LaneThread.start(options, {
      onDeath,
      onFault: (error, session) => faults.report(error, source, session),
      onNews: (news) => models.note(source, news),
    });
  }

  #replaceLater(slot: LaneSlot, cause: FaceOffError): void {
    const replacing = this.#replace(slot, cause).finally(() => this.#replacing.delete(replacing));
    this.#replacing.add(replacing);
  }

  /** Starts a thread in the slot until one comes up; its sessions go on with the same settings. */
  async #replace(slot: LaneSlot, cause: FaceOffError): Promise<void> {
    const { models, log } = this.#parts;
    models.forget(slot.source);
    if (this.#closed) return;
    log.warn({ sessions: slot.sessions.size, cause: cause.message }, 'lane lost, replacing it');
    this.#parts.onLost(cause.message);
    for (let pauseMs = FIRST_PAUSE_MS; !this.#closed; pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)) {
      try {
        const thread = await this.#startThread(slot.source, (next) => this.#replaceLater(slot, next));
        slot.thread = thread;
        // They may have changed while the thread started.
        this.#sendOptions(thread, this.#parts.options);
        this.#sendLimit(thread);
        slot.faces.clear();
        for (const session of slot.sessions) session.reopen();
        this.#deaths++;
        log.info({ deaths: this.#deaths }, 'lane replaced');
        if (this.#closed) await thread.end();
        return;
      } catch (error) {
        log.error({ error: String(error), pauseMs }, 'lane cannot be replaced, trying again');
        await sleep(pauseMs, undefined, { signal: this.#ending.signal }).catch(() => undefined);
      }
    }
  }

  /** Enrols a face for an engine and gives it to the slot's thread, which gets it at most once. */
  async #give(slot: LaneSlot, engine: string, id: string): Promise<void> {
    const { enrolment, log } = this.#parts;
    const key = faceKey(engine, id);
    if (slot.faces.has(key)) return;
    slot.faces.add(key);
    const { thread } = slot;
    try {
      const enrolled = enrolment.face(engine, id);
      const face = await enrolled;
      // Replaced or removed meanwhile: the call that did so has given out what there is now.
      if (!enrolment.isCurrent(engine, id, enrolled)) return;
      if (isMeshFace(face)) slot.swapMs = (await thread.ask('take', { id, face })) ?? slot.swapMs;
      else await thread.ask('takeFor', { id, engine, face });
    } catch (error) {
      slot.faces.delete(key);
      // The thread that replaces a lost one is given every face again.
      const isLost = error instanceof FaceOffError && error.code === 'lane_lost';
      if (this.#closed || isLost) return;
      log.warn({ face: id, engine, error: messageOf(error) }, 'face cannot be used');
    }
  }

  #sendOptions(thread: LaneThread, options: LiveLaneOptions): void {
    void thread.ask('configure', options).catch(() => undefined);
  }

  #sendLimit(thread: LaneThread): void {
    void thread.ask('hold', { on: this.#isLimited }).catch(() => undefined);
  }
}

/** Ids of the faces that settings want on a person. */
export function wantedFaces({ face, choice, map }: SwapSettings): Set<string> {
  const mapped = choice === 'mapped' ? Object.values(map) : [];
  return new Set([face, ...mapped].filter((id) => id !== null));
}

/** Ids of the faces that any of the settings want. */
export const facesOf = (all: readonly SwapSettings[]): Set<string> =>
  new Set(all.flatMap((settings) => [...wantedFaces(settings)]));

/** Forgets that the slot's thread was given a face; returns the engines it was given it for. */
function takeBack({ faces }: LaneSlot, id: string): string[] {
  const keys = [...faces].filter((key) => idOfKey(key) === id);
  for (const key of keys) faces.delete(key);
  return keys.map(engineOfKey);
}

const dropFrom = ({ thread }: LaneSlot, id: string): void => void thread.ask('drop', { id }).catch(() => undefined);
