/** The registry of source faces, and the thread that makes them ready for the engines. */

import { FaceOffError } from '../../shared/errors.ts';
import type { PhotoFlaw } from '../../shared/messages.ts';
import { MESH } from '../../shared/settings.ts';
import type { Frame } from '../../shared/types.ts';
import type { Portrait } from '../engines/engine.ts';
import type { MeshFace } from '../engines/mesh/mesh-engine.ts';
import type { NeuralFace } from '../engines/neural/neural-engine.ts';
import type { ModelStates } from '../models/model-states.ts';
import type { LaneFaults } from './lane-faults.ts';
import type { FoundFace, LaneOptions, LanePreview } from './lane-protocol.ts';
import { LaneThread } from './lane-thread.ts';

/** The photos of a source face; called at most once at a time for an engine, when a session first wants the face. */
export type Photos = () => Promise<Portrait[]>;

/** A source face that an engine can use: mesh has its own form, the generators share one. */
export type EnrolledFace = MeshFace | NeuralFace;

/** True for the form of the mesh engine. */
export const isMeshFace = (face: EnrolledFace): face is MeshFace => 'levels' in face;

/** Key of a face that is ready for an engine: `engine/id`. Engine names have no slash. */
export const faceKey = (engine: string, id: string): string => `${engine}/${id}`;
/** The engine of a `faceKey`. */
export const engineOfKey = (key: string): string => key.slice(0, key.indexOf('/'));
/** The face id of a `faceKey`. */
export const idOfKey = (key: string): string => key.slice(key.indexOf('/') + 1);

/** What Enrolment needs of its pool. */
export interface EnrolmentParts {
  /** Options of the lanes; the enrolment thread leaves out generator, restorer and device process. */
  options: LaneOptions;
  models: ModelStates;
  faults: LaneFaults;
}

/** The enrolment thread is ended when it had nothing to do for so long. */
const IDLE_MS = 60_000;

/**
 * Knows every source face and enrols each one at most once per engine, on a lane thread of its own, so that adding a
 * face never holds up a frame. The thread starts with the first enrolment and ends when idle. Main thread.
 */
export class Enrolment {
  readonly #parts: EnrolmentParts;
  readonly #photos = new Map<string, Photos>();
  /** Enrolled faces, by `faceKey`. */
  readonly #enrolled = new Map<string, Promise<EnrolledFace>>();
  #thread: Promise<LaneThread> | null = null;
  #idleTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: EnrolmentParts) {
    this.#parts = parts;
  }

  /** True if the face was added and not removed. */
  has(id: string): boolean {
    return this.#photos.has(id);
  }

  /** Adds a face, or replaces the photos of one; what was enrolled of it is forgotten. */
  add(id: string, photos: Photos): void {
    this.#photos.set(id, photos);
    this.#forget(id);
  }

  /** Removes a face and what was enrolled of it. */
  remove(id: string): void {
    this.#photos.delete(id);
    this.#forget(id);
  }

  /**
   * The face, ready for an engine; a failed enrolment is tried again by the next call.
   * @throws FaceOffError what the photos or the enrolment meet, such as `no_face` (422); `closing` (503) after `close`.
   */
  face(engine: string, id: string): Promise<EnrolledFace> {
    const key = faceKey(engine, id);
    let enrolled = this.#enrolled.get(key);
    if (enrolled === undefined) {
      enrolled = this.#enrol(engine, this.#photos.get(id)!);
      this.#enrolled.set(key, enrolled);
      enrolled.catch(() => this.#enrolled.delete(key));
    }
    return enrolled;
  }

  /** True if `enrolled` is what `face` gives now: the face was neither replaced nor removed meanwhile. */
  isCurrent(engine: string, id: string, enrolled: Promise<EnrolledFace>): boolean {
    return this.#enrolled.get(faceKey(engine, id)) === enrolled;
  }

  /** Finds every face of a still picture. The picture's buffer stays here. */
  analyse(picture: Frame): Promise<FoundFace[]> {
    return this.#run((thread) => thread.ask('analyse', { picture }));
  }

  /** Draws a face as it will look, and judges the last of its portraits; nothing is kept. */
  preview(portraits: Portrait[]): Promise<LanePreview> {
    return this.#run((thread) => thread.ask('preview', { portraits }));
  }

  /** Judges portraits one by one: what is wrong with each, the gravest first. */
  judge(portraits: Portrait[]): Promise<PhotoFlaw[][]> {
    return this.#run((thread) => thread.ask('judge', { portraits }));
  }

  /** Forgets enrolled faces but the given ids, which are enrolled again when wanted, and ends the idle thread. */
  release(kept: ReadonlySet<string>): void {
    for (const id of new Set([...this.#enrolled.keys()].map(idOfKey))) if (!kept.has(id)) this.#forget(id);
    this.#endThread();
  }

  /** Idempotent. Lets the enrolment in hand finish, then ends the thread. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idleTimer);
    const thread = await this.#thread?.catch(() => null);
    await thread?.end();
  }

  async #enrol(engine: string, photos: Photos): Promise<EnrolledFace> {
    const portraits = await photos();
    if (engine === MESH) return await this.#run((thread) => thread.ask('enrol', { portraits }));
    return await this.#run((thread) => thread.ask('enrolFor', { engine, portraits }));
  }

  /** Runs work on the thread, which starts if there is none. A thread begun after `close` would never end. */
  async #run<T>(work: (thread: LaneThread) => Promise<T>): Promise<T> {
    if (this.#closed) throw new FaceOffError('closing', 'FaceOff is being stopped.');
    clearTimeout(this.#idleTimer);
    this.#thread ??= this.#startThread();
    this.#thread.catch(() => {
      this.#thread = null;
    });
    const current = this.#thread;
    try {
      return await work(await current);
    } finally {
      clearTimeout(this.#idleTimer);
      this.#idleTimer = setTimeout(() => {
        if (this.#thread === current && !this.#closed) this.#endThread();
      }, IDLE_MS).unref();
    }
  }

  #startThread(): Promise<LaneThread> {
    const { options, models, faults } = this.#parts;
    return LaneThread.start(
      { ...options, engine: MESH, restorer: null, deviceAddress: null },
      {
        onDeath: () => {
          models.forget(this);
          this.#thread = null;
        },
        onFault: (error) => faults.report(error, this),
        onNews: (news) => models.note(this, news),
      },
    );
  }

  /** Work in hand is finished first. */
  #endThread(): void {
    const ending = this.#thread;
    clearTimeout(this.#idleTimer);
    this.#thread = null;
    void ending
      ?.then((thread) => thread.end())
      .then(() => this.#parts.models.forget(this))
      .catch(() => undefined);
  }

  #forget(id: string): void {
    for (const key of this.#enrolled.keys()) if (idOfKey(key) === id) this.#enrolled.delete(key);
  }
}
