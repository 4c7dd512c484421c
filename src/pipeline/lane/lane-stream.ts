/** One stream's part of a lane: its tracks, its settings, and a swapper for each track. */

import { type FaceChoice, NONE, type SwapSettings, wantsSwap } from '../../shared/settings.ts';
import type { StreamBackground } from '../background/stream-background.ts';
import type { Looks, Swapper } from '../engines/engine.ts';
import { Cuts } from '../face/cuts.ts';
import { PersonRegistry } from '../face/people.ts';
import { facesCamera, type Track, type Tracker } from '../face/track.ts';
import { Framer } from '../framing/framer.ts';
import type { StreamWatermark } from '../kernels/stream-watermark.ts';
import type { Costs } from './budget.ts';
import type { Degrader } from './degrade.ts';
import type { SwapperRequest } from './lane-engines.ts';
import type { FrameStream } from './pipeline.ts';

/** With `choice: largest`, how long an absent person keeps the swap before the largest face gets it. */
const ABSENT_MS = 3000;
/** Most frames left out in a row because they waited longer than their budget. */
const MOST_LATE = 5;

/** Makes a swapper; null while the lane does not have the source face. */
export type SwapperMaker = (request: SwapperRequest) => Swapper | null;

/** What a lane gives a stream. */
export interface StreamParts {
  /** Id of the stream's session. */
  id: string;
  tracker: Tracker;
  /** Closed with the stream. */
  degrader: Degrader;
  /** What the stream's stages usually take. */
  costs: Costs;
  /** Looks that the configuration fixes. */
  fixedLooks: Pick<Looks, 'colour' | 'sharpness'>;
  /** The invisible mark of swapped frames; null for none. */
  watermark: StreamWatermark | null;
  background: StreamBackground;
}

/** A swapper, and what it was made of. */
interface FittedSwapper {
  face: string;
  engine: string;
  swapper: Swapper;
}

/**
 * Decides for one stream which tracks are looked at, which person each is, and what is put on it. Lives in the
 * lane's worker thread from open to close; used in the lane's mutex, except for `close` when the lane ends.
 */
export class LaneStream implements FrameStream {
  readonly id: string;
  readonly cuts = new Cuts();
  readonly framer = new Framer();
  readonly tracker: Tracker;
  readonly degrader: Degrader;
  readonly costs: Costs;
  readonly watermark: StreamWatermark | null;
  readonly background: StreamBackground;
  readonly #makeSwapper: SwapperMaker;
  readonly #fixedLooks: Pick<Looks, 'colour' | 'sharpness'>;
  #settings: SwapSettings;
  /** Swappers by track id. */
  readonly #swappers = new Map<number, FittedSwapper>();
  readonly #people = new PersonRegistry();
  /** Id of the track that is swapped where `choice` is `largest`. */
  #primaryId: number | null = null;
  #primarySeenAtMs = Number.NEGATIVE_INFINITY;
  /** After a cut, until a face is swapped: the next face gets the swap at once if the primary track is not there. */
  #isPrimaryOpen = false;
  /** When the current frame was received. */
  #nowMs = 0;
  /** The current frame may outlive the stream for a moment. */
  #closed = false;
  #isInFrame = false;
  /** Released swappers that the current frame may still be using. */
  readonly #released: Swapper[] = [];
  /** Frames in a row that came too late to be worked on. */
  #lateFrames = 0;

  constructor(parts: StreamParts, settings: SwapSettings, makeSwapper: SwapperMaker) {
    this.id = parts.id;
    this.tracker = parts.tracker;
    this.degrader = parts.degrader;
    this.costs = parts.costs;
    this.watermark = parts.watermark;
    this.background = parts.background;
    this.#fixedLooks = parts.fixedLooks;
    this.#settings = settings;
    this.#makeSwapper = makeSwapper;
  }

  /** Works on a frame; swappers that are released meanwhile are closed when it is done. */
  async keepingSwappers<T>(work: () => Promise<T>): Promise<T> {
    this.#isInFrame = true;
    try {
      return await work();
    } finally {
      this.#isInFrame = false;
      for (const swapper of this.#released.splice(0)) swapper.close();
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
    return { ...this.#fixedLooks, strength: guarded ? 1 : strength, shape, keepEyes, keepMouth };
  }

  /** Guarded, a frame with an unswapped face is not shown, so every face is swapped. */
  get #choice(): FaceChoice {
    const { choice, guarded } = this.#settings;
    return guarded && choice === 'largest' ? 'all' : choice;
  }

  /** Whether the settings want any face swapped. */
  get wantsSwap(): boolean {
    return wantsSwap(this.#settings);
  }

  /** Whether faces are searched for: to swap or follow them or, when `mapped`, to offer them to the person who maps faces. */
  get searchesFaces(): boolean {
    const { choice, framing } = this.#settings;
    return this.wantsSwap || choice === 'mapped' || framing === 'face';
  }

  /**
   * Whether a frame waited so long that it would only delay the next one. After MOST_LATE in a row a frame is
   * worked on regardless, so that something goes out.
   */
  isTooLate(waitMs: number, budgetMs: number): boolean {
    // At a low rate the next frame is far away: half its distance is allowed.
    const isLate = waitMs > Math.max(budgetMs, 500 / this.degrader.plan.fps);
    this.#lateFrames = isLate && this.#lateFrames < MOST_LATE ? this.#lateFrames + 1 : 0;
    return this.#lateFrames > 0;
  }

  /**
   * All tracks, largest first; with `choice: largest` the primary track alone. The primary stays with one person,
   * not with the nearest face. While that person is away the other tracks are looked at too, since one of them may
   * be that person, and after ABSENT_MS the largest becomes primary.
   */
  selectTracks(tracks: readonly Track[], nowMs: number): readonly Track[] {
    this.#nowMs = nowMs;
    const bySize = [...tracks].sort((p, q) => area(q) - area(p));
    if (this.#choice !== 'largest') return bySize;
    const primary = bySize.find(({ id }) => id === this.#primaryId);
    if (primary !== undefined) {
      this.#primarySeenAtMs = nowMs;
      this.#isPrimaryOpen = false;
    } else if (this.#primaryId === null || nowMs - this.#primarySeenAtMs > ABSENT_MS) {
      this.#primaryId = bySize[0]?.id ?? null;
    }
    return primary === undefined || isLost(primary) ? bySize : [primary];
  }

  needsEmbedding({ id, points }: Track, nowMs: number, limit: 'unknown' | 'none'): boolean {
    return this.#people.needsEmbedding(id, nowMs, limit) && facesCamera(points);
  }

  assignIdentity(track: Track, embedding: Float32Array): void {
    const before = track.id;
    const present = new Set(this.tracker.tracks.filter(({ seen }) => seen).map(({ id }) => id));
    const id = this.#people.assignIdentity(before, embedding, present, this.#nowMs);
    if (id === before) return;
    // The person jumped here: their lost track elsewhere is dropped, and its swapper goes on with this one.
    this.tracker.drop(id);
    track.id = id;
    this.#release(before);
    if (this.#primaryId === before) this.#primaryId = track.id;
  }

  swapperFor(track: Track): Swapper | null {
    const { on, face, map, engine } = this.#settings;
    const choice = this.#choice;
    if (this.#closed || !on || engine === NONE) return null;
    if (choice === 'largest' && !this.#isPrimary(track)) return null;
    // A track that is not mapped wears the common face: a person whose track was lost for a moment is never exposed.
    const mapped = choice === 'mapped' ? map[track.id] : undefined;
    const wanted = mapped === undefined ? face : mapped;
    const fitted = this.#swappers.get(track.id);
    if (fitted?.face === wanted && fitted.engine === engine) return fitted.swapper;
    const mayGenerate = (): boolean => this.degrader.plan.generate;
    const present = fitted?.engine === engine ? fitted.swapper : undefined;
    const swapper = wanted === null ? null : this.#makeSwapper({ face: wanted, engine, mayGenerate, present });
    // Until the lane has the wanted face, the old one stays on.
    if (wanted !== null && swapper === null) return fitted?.swapper ?? null;
    if (swapper !== fitted?.swapper) this.forget(track);
    if (wanted !== null && swapper !== null) this.#swappers.set(track.id, { face: wanted, engine, swapper });
    return swapper;
  }

  #isPrimary({ id }: Track): boolean {
    if (id === this.#primaryId) return true;
    if (!this.#isPrimaryOpen) return false;
    this.#isPrimaryOpen = false;
    // From the next frame on the largest is primary, unless the primary person is recognised until then.
    this.#primarySeenAtMs = Number.NEGATIVE_INFINITY;
    return true;
  }

  forget({ id }: Track): void {
    this.#release(id);
  }

  cut(): void {
    for (const gone of this.tracker.clear()) this.forget(gone);
    this.#isPrimaryOpen = true;
  }

  /** Closes the track's swapper, after the current frame if there is one. */
  #release(id: number): void {
    const fitted = this.#swappers.get(id);
    this.#swappers.delete(id);
    if (this.#isInFrame && fitted !== undefined) this.#released.push(fitted.swapper);
    else fitted?.swapper.close();
  }

  /** Releases every swapper of a source face, so that the next frame makes new ones. */
  releaseFace(face: string): void {
    for (const [track, fitted] of [...this.#swappers]) if (fitted.face === face) this.#release(track);
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.degrader.close();
    for (const track of [...this.#swappers.keys()]) this.#release(track);
  }
}

/** Whether a track that had a face does not have it any more. */
const isLost = ({ seen, points }: Track): boolean => !seen && points.length > 0;

const area = ({ box }: Track): number => box.width * box.height;
