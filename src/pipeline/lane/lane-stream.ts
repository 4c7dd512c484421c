/** One stream's part of a lane: its tracker, what the person has chosen, and a swapper for each followed face. */

import { type FaceChoice, MESH, NONE, type SwapSettings, wantsSwap } from '../../shared/types.ts';
import type { Looks, Swapper } from '../engines/engine.ts';
import { Cuts } from '../face/cuts.ts';
import { PersonRegistry } from '../face/people.ts';
import { facesCamera, type Track, type Tracker } from '../face/track.ts';
import type { Costs } from './budget.ts';
import type { Degrader } from './degrade.ts';
import type { FrameStream } from './pipeline.ts';

/** After so long somebody else may have the face of a person who went away. */
const AWAY_MS = 3000;

/**
 * Makes a swapper for a source face by an engine, or null while the lane does not have that face.
 * @param generates whether a generator may paint just now.
 */
export type SwapperMaker = (face: string, engine: string, generates: () => boolean) => Swapper | null;

export interface StreamParts {
  tracker: Tracker;
  degrader: Degrader;
  /** What its stages usually take. */
  costs: Costs;
  /** Looks that the configuration fixes. */
  base: Pick<Looks, 'colour' | 'sharpness'>;
}

interface Fitted {
  face: string;
  engine: string;
  swapper: Swapper;
}

export class LaneStream implements FrameStream {
  readonly cuts = new Cuts();
  readonly tracker: Tracker;
  readonly degrader: Degrader;
  readonly costs: Costs;
  /** Frames in a row that came too late to be worked on. */
  late = 0;
  readonly #make: SwapperMaker;
  readonly #base: Pick<Looks, 'colour' | 'sharpness'>;
  #settings: SwapSettings;
  readonly #fitted = new Map<number, Fitted>();
  readonly #people = new PersonRegistry();
  /** Whose face is swapped where it is one person's. */
  #one: number | null = null;
  #oneSeenAtMs = Number.NEGATIVE_INFINITY;
  /** After a cut, until somebody wears the face: should that person not be there, the largest is not kept waiting. */
  #free = false;
  /** When the frame in hand came. */
  #nowMs = 0;
  /** A frame in hand may still go on for a moment. */
  #closed = false;
  #inHand = false;
  /** Swappers that the frame in hand may still be using. */
  readonly #leaving: Swapper[] = [];

  constructor(parts: StreamParts, settings: SwapSettings, make: SwapperMaker) {
    this.tracker = parts.tracker;
    this.degrader = parts.degrader;
    this.costs = parts.costs;
    this.#base = parts.base;
    this.#settings = settings;
    this.#make = make;
  }

  /** Works on a frame. What it uses stays until it is done, also when it is no longer wanted by then. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#inHand = true;
    try {
      return await work();
    } finally {
      this.#inHand = false;
      for (const swapper of this.#leaving.splice(0)) swapper.close();
    }
  }

  get settings(): SwapSettings {
    return this.#settings;
  }

  set settings(settings: SwapSettings) {
    this.#settings = settings;
  }

  get looks(): Looks {
    const { strength, shape, keepEyes, keepMouth, guarded } = this.#settings;
    return { ...this.#base, strength: guarded === true ? 1 : strength, shape, keepEyes, keepMouth };
  }

  /** Who is not swapped could not be shown, so where nobody may be bare everybody is. */
  get #choice(): FaceChoice {
    const { choice, guarded } = this.#settings;
    return guarded === true && choice === 'largest' ? 'all' : choice;
  }

  get engine(): string {
    return this.#settings.engine ?? MESH;
  }

  /** Whether this stream wants any face swapped at all. */
  get wanting(): boolean {
    return wantsSwap(this.#settings);
  }

  /** Whether faces are to be found, if only so that somebody can choose among them. */
  get looking(): boolean {
    return this.wanting || this.#settings.choice === 'mapped';
  }

  /**
   * Where one face is swapped it is that of one person, not of whoever is nearest now: while that person is away for a
   * moment the others are looked at, should it be one of them, and only then does the largest follow.
   */
  selectTracks(tracks: readonly Track[], nowMs: number): readonly Track[] {
    this.#nowMs = nowMs;
    const bySize = [...tracks].sort((p, q) => area(q) - area(p));
    if (this.#choice !== 'largest') return bySize;
    const one = bySize.find(({ id }) => id === this.#one);
    if (one !== undefined) [this.#oneSeenAtMs, this.#free] = [nowMs, false];
    else if (this.#one === null || nowMs - this.#oneSeenAtMs > AWAY_MS) this.#one = bySize[0]?.id ?? null;
    return one === undefined || isLost(one) ? bySize : [one];
  }

  needsEmbedding({ id, points }: Track, nowMs: number, limit: 'unknown' | 'none'): boolean {
    return this.#people.needsEmbedding(id, nowMs, limit) && facesCamera(points);
  }

  assignIdentity(track: Track, embedding: Float32Array): void {
    const before = track.id;
    const present = new Set(this.tracker.tracks.filter(({ seen }) => seen).map(({ id }) => id));
    const id = this.#people.assignIdentity(before, embedding, present, this.#nowMs);
    if (id === before) return;
    // Whoever jumped is not looked for where they were any more; the swapper stays theirs.
    this.tracker.drop(id);
    track.id = id;
    this.#release(before);
    if (this.#one === before) this.#one = track.id;
  }

  swapperFor(track: Track): Swapper | null {
    const { on = true, face, map } = this.#settings;
    const choice = this.#choice;
    if (this.#closed || !on || this.engine === NONE) return null;
    if (choice === 'largest' && !this.#isOne(track)) return null;
    // Somebody nobody chose a face for wears the common one: a person who was lost for a moment is never bare.
    const own = choice === 'mapped' ? map[track.id] : undefined;
    const wanted = own === undefined ? face : own;
    const fitted = this.#fitted.get(track.id);
    const { engine } = this;
    if (fitted?.face === wanted && fitted.engine === engine) return fitted.swapper;
    const swapper = wanted === null ? null : this.#make(wanted, engine, () => this.degrader.plan.generate);
    // A face that is still on its way leaves the old one on.
    if (wanted !== null && swapper === null) return fitted?.swapper ?? null;
    this.forget(track);
    if (wanted !== null && swapper !== null) this.#fitted.set(track.id, { face: wanted, engine, swapper });
    return swapper;
  }

  #isOne({ id }: Track): boolean {
    if (id === this.#one) return true;
    if (!this.#free) return false;
    this.#free = false;
    // From the next frame on it is the largest's, unless that person was found after all.
    this.#oneSeenAtMs = Number.NEGATIVE_INFINITY;
    return true;
  }

  forget({ id }: Track): void {
    this.#release(id);
  }

  cut(): void {
    for (const gone of this.tracker.clear()) this.forget(gone);
    this.#free = true;
  }

  #release(id: number): void {
    const fitted = this.#fitted.get(id);
    this.#fitted.delete(id);
    if (this.#inHand && fitted !== undefined) this.#leaving.push(fitted.swapper);
    else fitted?.swapper.close();
  }

  /** Drops every swapper made from this source face, so that the next frame makes it anew. */
  refit(face: string): void {
    for (const [track, fitted] of [...this.#fitted]) if (fitted.face === face) this.#release(track);
  }

  close(): void {
    this.#closed = true;
    this.degrader.close();
    for (const track of [...this.#fitted.keys()]) this.#release(track);
  }
}

/** Whether somebody who was followed is not there any more. */
const isLost = ({ seen, points }: Track): boolean => !seen && points.length > 0;

const area = ({ box }: Track): number => box.width * box.height;
