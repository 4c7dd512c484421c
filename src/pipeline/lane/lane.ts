/** One lane: a worker thread's models, kernels and engines, and the streams that are pinned to it. */

import { FaceOffError } from '../../shared/errors.ts';
import { yuvOf } from '../../shared/i420.ts';
import type { PhotoFlaw } from '../../shared/messages.ts';
import { isSwapMissed, missedFrame } from '../../shared/missed-swap.ts';
import { DEFAULT_SETTINGS, type SwapSettings } from '../../shared/settings.ts';
import type { Frame, SeenFace, SwappedFrame } from '../../shared/types.ts';
import type { Backdrop } from '../background/stream-background.ts';
import { pixelate } from '../content/pixelate.ts';
import type { Portrait } from '../engines/engine.ts';
import { NotReady } from '../engines/fallback-swapper.ts';
import type { MeshFace } from '../engines/mesh/mesh-engine.ts';
import type { NeuralFace } from '../engines/neural/neural-engine.ts';
import { Tracker, type TrackingOptions } from '../face/track.ts';
import { facesInPart, showPart } from '../framing/show-part.ts';
import type { OnModelNews } from '../models/model-states.ts';
import type { FoundFace, LaneOptions, LanePreview, LiveLaneOptions, ModelLoad } from '../pool/lane-protocol.ts';
import { BackdropPictures } from './backdrop-pictures.ts';
import { Budget, Costs } from './budget.ts';
import { Degrader } from './degrade.ts';
import { LaneEngines } from './lane-engines.ts';
import { LaneLoad } from './lane-load.ts';
import { type LaneModels, type LaneSetup, loadLaneModels } from './lane-models.ts';
import { LaneMutex } from './lane-mutex.ts';
import { LaneStream } from './lane-stream.ts';
import { type Outcome, swapFrame } from './pipeline.ts';
import { guarded, IDLE, ladderFor, type Plan } from './quality-ladder.ts';
import { drawPreview, findFaces } from './still-picture.ts';
import { warmUp, warmUpFrame } from './warm-up.ts';

/** The stream, and the face, of a preview. */
const PREVIEW = 'preview';
/** The stream that a lane warms up with. */
const WARM_UP = 'warm-up';
const WARM_UP_SETTINGS: Omit<SwapSettings, 'face'> = { ...DEFAULT_SETTINGS, shape: 1 };

/** The answer for a frame that is not shown: it came too late, or was swapped only to measure the time. */
const LEFT_OUT = { result: 'dropped', hold: true, exposed: true } as const;

/**
 * Works on one frame at a time, because all streams share the kernels' memory: every public method but `end` runs
 * in the lane's mutex, in the order of the calls. A frame that awaits the device yields the mutex meanwhile.
 */
export class Lane {
  readonly #setup: LaneSetup;
  readonly #models: LaneModels;
  readonly #engines: LaneEngines;
  readonly #load: LaneLoad;
  readonly #pictures: BackdropPictures;
  readonly #streams = new Map<string, LaneStream>();
  /** What each stage takes, over all streams. */
  #costs = new Costs();
  /** Whether memory is short, so that streams do less. */
  #limitsQuality = false;

  private constructor(setup: LaneSetup, models: LaneModels) {
    this.#setup = setup;
    this.#models = models;
    this.#engines = new LaneEngines(models, setup);
    this.#pictures = new BackdropPictures(setup.options.backgroundsDir, setup.onFault);
    this.#load = new LaneLoad((nowMs) => setup.mutex.heldMs(nowMs));
  }

  /**
   * Loads and warms everything a frame needs, the configured engine included.
   * @param onFault receives every error that cost a frame its swap. @param onModelNews receives what becomes of each model.
   * @throws FaceOffError when a model is missing or not the released one.
   */
  static async start(
    options: LaneOptions,
    onFault: LaneSetup['onFault'],
    onModelNews: OnModelNews = () => undefined,
  ): Promise<Lane> {
    const setup: LaneSetup = { options, mutex: new LaneMutex(), onFault, onModelNews };
    const lane = new Lane(setup, await loadLaneModels(setup));
    const load = await lane.#engines.prepare(options.engine);
    if (load !== null) lane.#models.loads.push(load);
    return lane;
  }

  /** How each model was loaded, in order. */
  get loads(): readonly ModelLoad[] {
    return this.#models.loads;
  }

  /** Runs work while nothing else uses the lane's state or memory. Every public method below goes through here. */
  runExclusively<T>(work: () => T | Promise<T>): Promise<Awaited<T>> {
    return this.#setup.mutex.run(work);
  }

  /** Adds a stream. */
  open(session: string, settings: SwapSettings): Promise<void> {
    return this.runExclusively(() => this.#open(session, settings));
  }

  /** Changes a stream's settings from the next frame on. @throws FaceOffError `unknown_session` (404). */
  set(session: string, settings: SwapSettings): Promise<void> {
    return this.runExclusively(() => {
      const stream = this.#stream(session);
      stream.settings = settings;
      stream.degrader.setLadder(this.#ladderOf(stream));
      this.#closeUnusedEngines();
    });
  }

  /** Removes a stream, if it is there. */
  close(session: string): Promise<void> {
    return this.runExclusively(() => this.#close(session));
  }

  /**
   * Gives the lane a source face; with the first one the lane warms up.
   * @returns what a swap took then, in milliseconds; null for a face that is not the first.
   */
  take(id: string, face: MeshFace): Promise<number | null> {
    return this.runExclusively(async () => {
      const isFirst = this.#engines.faceCount === 0;
      this.#engines.setFace(id, face);
      const swapMs = isFirst && this.#setup.options.warmupRuns > 0 ? await this.#warmUp(id) : null;
      for (const stream of this.#streams.values()) stream.releaseFace(id);
      return swapMs;
    });
  }

  /** Gives the lane a source face in the form that a generator wants. */
  takeFor(engine: string, id: string, face: NeuralFace): Promise<void> {
    return this.runExclusively(() => this.#engines.setNeuralFace(engine, id, face));
  }

  /** Forgets a source face in all its forms. */
  drop(id: string): Promise<void> {
    return this.runExclusively(() => this.#engines.dropFace(id));
  }

  /** Takes changed options over, for streams that open from now on. */
  configure(options: LiveLaneOptions): Promise<void> {
    return this.runExclusively(() => {
      Object.assign(this.#setup.options, options);
    });
  }

  /** Makes every stream, and each that opens later, do less while memory is short. */
  limitQuality(on: boolean): Promise<void> {
    return this.runExclusively(() => {
      this.#limitsQuality = on;
      for (const { degrader } of this.#streams.values()) degrader.limitQuality(on, performance.now());
    });
  }

  /**
   * Swaps the faces of a stream's frame in place.
   * @param dropped frames since the last one that were left out before they came here.
   * @throws FaceOffError `unknown_session` (404).
   */
  swap(session: string, frame: Frame, dropped = 0): Promise<SwappedFrame> {
    return this.runExclusively(() => this.#swap(session, frame, dropped));
  }

  /** Every face of a still picture, largest first. */
  analyse(picture: Frame): Promise<FoundFace[]> {
    const { tools, topology } = this.#models;
    return this.runExclusively(() => findFaces(picture, tools, this.#setup.options, topology));
  }

  /** Makes a source face of portraits, for mesh. */
  enrol(portraits: Portrait[]): Promise<MeshFace> {
    return this.runExclusively(() => this.#engines.enrol(portraits));
  }

  /** Draws the face of portraits on a shipped portrait, and judges the last of them. Keeps nothing. */
  preview(portraits: Portrait[]): Promise<LanePreview> {
    return this.runExclusively(async () => {
      this.#engines.setFace(PREVIEW, await this.#engines.enrol(portraits));
      this.#open(PREVIEW, { ...WARM_UP_SETTINGS, face: PREVIEW });
      try {
        const picture = await drawPreview((frame) => this.#swap(PREVIEW, frame, 0));
        return { picture, flaws: await this.#engines.flaws(portraits.at(-1)!) };
      } finally {
        this.#close(PREVIEW);
        this.#engines.dropFace(PREVIEW);
      }
    });
  }

  /** What is wrong with each portrait, the gravest first. */
  judge(portraits: Portrait[]): Promise<PhotoFlaw[][]> {
    return this.runExclusively(async () => {
      const flaws: PhotoFlaw[][] = [];
      for (const portrait of portraits) flaws.push(await this.#engines.flaws(portrait));
      return flaws;
    });
  }

  /** @throws FaceOffError when the engine is unknown, or a model that it needs cannot be used. */
  enrolFor(engine: string, portraits: Portrait[]): Promise<NeuralFace> {
    return this.runExclusively(() => this.#engines.enrolFor(engine, portraits));
  }

  /** Closes streams and models. Does not wait for the mutex: a frame may hold it that awaits a model being closed. */
  async end(): Promise<void> {
    for (const session of [...this.#streams.keys()]) this.#close(session);
    const engines = this.#engines.close();
    // A model that the device is still opening is not awaited: that may take minutes.
    this.#models.device?.close();
    await engines;
    await this.#models.close();
  }

  #open(session: string, settings: SwapSettings): void {
    const { options } = this.#setup;
    const degrader = new Degrader(this.#load);
    const parts = {
      id: session,
      tracker: new Tracker(trackingOf(options)),
      degrader,
      costs: new Costs(this.#costs),
      fixedLooks: { colour: options.colour, sharpness: options.sharpness },
      watermark: this.#models.watermarkFor?.(session) ?? null,
      background: this.#models.newBackground(),
    };
    const stream = new LaneStream(parts, settings, (request) => this.#engines.swapper(request));
    degrader.setLadder(this.#ladderOf(stream));
    degrader.limitQuality(this.#limitsQuality, performance.now());
    this.#streams.set(session, stream);
  }

  #close(session: string): void {
    this.#streams.get(session)?.close();
    this.#streams.delete(session);
    this.#closeUnusedEngines();
  }

  /** Swaps a picture along the whole path of a frame, again and again. @returns milliseconds a swap, once warm. */
  async #warmUp(face: string): Promise<number> {
    const picture = await warmUpFrame();
    this.#open(WARM_UP, { ...WARM_UP_SETTINGS, face });
    const swapMs = await warmUp(picture, (frame) => this.#swap(WARM_UP, frame, 0));
    this.#close(WARM_UP);
    // The first frames took longer than frames will take.
    this.#costs = new Costs();
    return swapMs;
  }

  async #swap(session: string, frame: Frame, dropped: number): Promise<SwappedFrame> {
    const stream = this.#stream(session);
    const { degrader, wantsSwap: isWanted, searchesFaces } = stream;
    const { budgetMs } = this.#setup.options;
    const budget = new Budget({ receivedAtMs: frame.receivedAtMs, budgetMs, costs: stream.costs });
    const waitMs = Math.max(0, performance.now() - frame.receivedAtMs);
    const { plan, level } = degrader;
    const report = { frame, stagesMs: budget.stagesMs, waitMs, plan: plan.name, level, ...this.#figures(stream) };
    if (searchesFaces && stream.isTooLate(waitMs, budgetMs)) {
      degrader.observe({ nowMs: performance.now(), dropped, serviceMs: null });
      return { ...report, ...rateOf(degrader.plan), ...LEFT_OUT, faces: [] };
    }

    const probe = searchesFaces ? degrader.probe(frame.receivedAtMs) : null;
    const outcome = await this.#tryToSwap(frame, stream, searchesFaces ? planFor(stream, probe ?? plan) : IDLE, budget);
    this.#load.frames++;
    const shown = probe === null ? await this.#finish(frame, stream, { ...outcome, isWanted }, budget) : null;
    if (searchesFaces) {
      const optionalMs = budget.stagesMs.restore ?? 0;
      const { spentMs: serviceMs } = budget;
      degrader.observe({ nowMs: performance.now(), dropped, serviceMs, optionalMs, isProbe: probe !== null });
    }
    if (shown === null) return { ...report, ...rateOf(degrader.plan), ...LEFT_OUT, faces: outcome.faces };
    const { unfollowed } = outcome;
    return {
      ...report,
      ...shown,
      ...(unfollowed !== undefined && { unfollowed }),
      ...(searchesFaces && rateOf(degrader.plan)),
    };
  }

  /**
   * Replaces the background, draws what the settings want over a frame where its swap was missed, and the invisible mark
   * over a swapped one.
   */
  async #finish(
    frame: Frame,
    stream: LaneStream,
    outcome: Outcome & { isWanted: boolean },
    budget: Budget,
  ): Promise<Pick<SwappedFrame, 'result' | 'hold' | 'exposed' | 'faces' | 'awaitsFace'>> {
    const { settings, watermark } = stream;
    const { result, exposed } = outcome;
    const faces = await this.#frame(frame, stream, outcome.faces, budget);
    const isMissed = isSwapMissed(settings, outcome);
    const shown = isMissed ? missedFrame(settings) : 'as-it-is';
    if (shown !== 'held') await this.#replaceBackground(frame, stream, budget);
    if (shown === 'pixelated') await budget.stage('pixelate', () => pixelate(frame));
    if (result === 'swapped' && watermark !== null) await budget.stage('watermark', () => watermark.mark(frame));
    const { face } = settings;
    const awaitsFace = isMissed && face !== null && !this.#engines.hasFace(face);
    return {
      result,
      faces,
      hold: shown === 'held',
      exposed: exposed && shown !== 'pixelated',
      ...(awaitsFace && { awaitsFace }),
    };
  }

  /** Where a background cannot be replaced, all of the frame becomes a mosaic: nothing shows what was to be hidden. */
  async #replaceBackground(frame: Frame, stream: LaneStream, budget: Budget): Promise<void> {
    const { background, settings, degrader } = stream;
    if (settings.background === 'none') {
      background.release();
      return;
    }
    const backdrop = await this.#backdropOf(settings);
    await budget.stage('background', async () => {
      try {
        if (frame.width * frame.height <= this.#setup.options.maxPixels)
          await background.replace(frame, backdrop, degrader.plan.masks);
        else pixelate(frame);
      } catch (error) {
        this.#setup.onFault(error, stream.id);
        pixelate(frame);
      }
    });
  }

  /** What the settings want behind people. While a picture is being read, the room is blurred; without a deadline it is awaited. */
  async #backdropOf({ background, backgroundColour, backgroundPicture: id }: SwapSettings): Promise<Backdrop> {
    if (background === 'colour') return { kind: 'colour', colour: yuvOf(backgroundColour) };
    const blur: Backdrop = { kind: 'blur', isStrong: background !== 'blur' };
    if (background !== 'picture' || id === null) return blur;
    let picture = this.#pictures.get(id);
    if (picture === null && this.#setup.options.budgetMs === Number.POSITIVE_INFINITY) {
      await this.#pictures.settled(id);
      picture = this.#pictures.get(id);
    }
    return picture === null ? blur : { kind: 'picture', picture };
  }

  /** Shows the part of a frame that the settings want. @returns the faces as they stand in it. */
  async #frame(frame: Frame, stream: LaneStream, faces: SeenFace[], budget: Budget): Promise<SeenFace[]> {
    const { settings, framer } = stream;
    const view = framer.next(frame, faces, settings, frame.receivedAtMs);
    if (view === null || frame.width * frame.height > this.#setup.options.maxPixels) return faces;
    await budget.stage('frame', () => showPart(this.#models.kernels, frame, view));
    return facesInPart(faces, frame, view);
  }

  /** A stage that throws costs the swap of one frame, never the frame. */
  async #tryToSwap(frame: Frame, stream: LaneStream, plan: Plan, budget: Budget): Promise<Outcome> {
    if (frame.width * frame.height > this.#setup.options.maxPixels)
      return { result: 'passed', faces: [], exposed: true };
    try {
      const { tools } = this.#models;
      return await stream.keepingSwappers(() => swapFrame({ frame, stream, tools, plan, budget }));
    } catch (error) {
      if (!(error instanceof NotReady)) this.#setup.onFault(error, stream.id);
      // Lost tracks are dropped however long swaps fail; else the detector would look for them in every frame.
      for (const lost of stream.tracker.prune()) stream.forget(lost);
      return { result: 'failed', faces: [], exposed: true };
    }
  }

  /** What each answer tells the session about the lane. */
  #figures({ settings }: LaneStream): Pick<SwappedFrame, 'lane' | 'slowEngine'> {
    const lane = this.#load.figures(performance.now());
    const slowEngine = this.#engines.slowEngine(settings.engine);
    return slowEngine === null ? { lane } : { lane, slowEngine };
  }

  #ladderOf({ settings }: LaneStream): readonly Plan[] {
    return ladderFor(this.#models.tools.restorer !== null, this.#engines.hasReserve(settings.engine));
  }

  #closeUnusedEngines(): void {
    void this.#engines.closeUnused([...this.#streams.values()].map(({ settings }) => settings.engine));
  }

  #stream(session: string): LaneStream {
    const stream = this.#streams.get(session);
    if (stream === undefined) throw new FaceOffError('unknown_session', `The lane has no session ${session}.`);
    return stream;
  }
}

function trackingOf(options: LaneOptions): TrackingOptions {
  const { score, minSize, faces, intervalMs, lostAfterFrames, minCutoffHz, beta } = options;
  return { score, minSize, faces, intervalMs, lostAfterFrames, smoothing: { minCutoffHz, beta } };
}

/** The most frames a second that the session may send from now on; empty where there is no limit. */
const rateOf = ({ fps }: Plan): Pick<SwappedFrame, 'fps'> => (fps === Number.POSITIVE_INFINITY ? {} : { fps });

const planFor = ({ settings }: LaneStream, plan: Plan): Plan => (settings.guarded ? guarded(plan) : plan);
