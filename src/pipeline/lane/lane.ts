/**
 * One lane: models, kernels and engine of a worker thread, and the streams pinned to it. Works on one frame at a time,
 * whatever order the questions come in, because all streams share the kernels' memory.
 */

import { FaceOffError } from '../../shared/errors.ts';
import { DEFAULT_SETTINGS } from '../../shared/settings.ts';
import { type Frame, isGenerator, MESH, type SwappedFrame, type SwapSettings } from '../../shared/types.ts';
import { DeviceClient } from '../device/device-client.ts';
import type { Portrait, Swapper } from '../engines/engine.ts';
import { FallbackSwapper, NotReady } from '../engines/fallback-swapper.ts';
import { MeshEngine, type MeshFace } from '../engines/mesh/mesh-engine.ts';
import { EngineRegistry } from '../engines/neural/engine-registry.ts';
import { NeuralEngine, type NeuralFace } from '../engines/neural/neural-engine.ts';
import type { YieldWhile } from '../engines/neural/runner-pool.ts';
import { Restorer } from '../engines/restorer.ts';
import { Detector } from '../face/detect.ts';
import { Embedder } from '../face/embed.ts';
import { Landmarker } from '../face/landmarks.ts';
import { poseOf } from '../face/pose.ts';
import { readTopology, type Topology } from '../face/topology.ts';
import { Tracker } from '../face/track.ts';
import { type ModelSession, openSession } from '../inference/model-session.ts';
import { Kernels } from '../kernels/kernels.ts';
import { type Catalogue, readCatalogue } from '../models/catalogue.ts';
import type { Tell } from '../models/model-states.ts';
import { type FoundFace, type LaneOptions, type ModelLoad, PORTRAIT_SIDE } from '../pool/lane-protocol.ts';
import { Badge } from './badge.ts';
import { Budget, Costs } from './budget.ts';
import { Degrader, guarded, IDLE, ladderFor, type Plan } from './degrade.ts';
import { LaneLoad } from './lane-load.ts';
import { LaneMutex } from './lane-mutex.ts';
import { LaneStream, type SwapperMaker } from './lane-stream.ts';
import { type Outcome, swapFrame, type Tools } from './pipeline.ts';
import { pixelate } from './pixelate.ts';
import { warmUp, warmUpFrame } from './warm-up.ts';

/** Looks at a still picture: the second and third refine where the first saw the face. */
const STILL_LOOKS = 3;
/** Roles of the models that every lane needs. */
const ROLES = ['face-detector', 'face-mesh', 'face-embedder'];
/** Most frames left out in a row because they waited longer than their budget. */
const MOST_LATE = 5;

/** The stream a lane warms up with. */
const WARM_UP = 'warm-up';
const WARM_UP_SETTINGS: Omit<SwapSettings, 'face'> = {
  ...DEFAULT_SETTINGS,
  shape: 1,
};

export class Lane {
  readonly #options: LaneOptions & { tell: Tell };
  readonly #badge: Badge;
  readonly #tools: Tools;
  readonly #sessions: ModelSession[];
  readonly #engine: MeshEngine;
  readonly #topology: Topology;
  readonly #faces = new Map<string, MeshFace>();
  readonly #registry: EngineRegistry;
  /** Faces by the engine they are for, then by id. */
  readonly #neuralFaces = new Map<string, Map<string, NeuralFace>>();
  /** Engines that only enrol; their generators are never loaded. */
  readonly #enrolling = new Map<string, NeuralEngine>();
  readonly #catalogue: Catalogue;
  readonly #streams = new Map<string, LaneStream>();
  /** What the stages take for all of them. */
  #costs = new Costs();
  readonly loads: ModelLoad[];
  /** Memory is short. */
  #held = false;

  readonly #onFault: (error: unknown) => void;
  readonly #mutex: LaneMutex;
  readonly #load: LaneLoad;
  readonly #device: DeviceClient | null;

  private constructor(
    ...[options, parts, opened, onFault]: [
      ...[LaneOptions & { tell: Tell }, Parts, OpenedModel[], (error: unknown) => void],
    ]
  ) {
    const { kernels, topology, catalogue, restorer } = parts;
    this.#onFault = onFault;
    const session = (role: string): ModelSession => opened.find((model) => model.role === role)!.session;
    this.#options = options;
    this.#badge = parts.badge;
    this.#sessions = opened.map((model) => model.session);
    this.#topology = topology;
    this.#catalogue = catalogue;
    this.#engine = new MeshEngine(kernels, topology);
    const { mutex, device } = parts;
    this.#mutex = mutex;
    this.#load = new LaneLoad((nowMs) => mutex.heldMs(nowMs));
    this.#device = device;
    const { budgetMs, tell } = options;
    this.#registry = new EngineRegistry(
      (name) => new NeuralEngine(catalogue, name, { ...options, device, yieldWhile: mutex.yieldWhile }),
      onFault,
      {
        budgetMs,
        tell,
      },
    );
    this.#tools = {
      kernels,
      detector: new Detector(session('face-detector'), kernels),
      landmarker: new Landmarker(session('face-mesh'), kernels),
      embedder: new Embedder(session('face-embedder'), kernels),
      restorer,
      runConcurrently: mutex.runConcurrently,
    };
    this.loads = opened.map((model) => model.load);
  }

  /**
   * Loads and warms everything a frame needs.
   * @param onFault told of every error that cost a frame its swap. @param tell told what becomes of each model.
   * @throws FaceOffError when a model is missing or not the released one.
   */
  static async start(
    configured: LaneOptions,
    onFault: (error: unknown) => void,
    tell: Tell = () => undefined,
  ): Promise<Lane> {
    const options = { ...configured, tell };
    // Portraits are analysed here too, however small the frames are that the configuration allows.
    const kernels = await Kernels.load(Math.max(options.maxPixels, PORTRAIT_SIDE ** 2));
    const catalogue = readCatalogue(options.modelsDir);
    const geometry = catalogue.forRole('face-geometry');
    const topology = readTopology(catalogue.read(geometry));
    tell({ model: geometry.name, state: 'verified' });
    const opened: OpenedModel[] = [];
    for (const role of ROLES) opened.push(await openModel(catalogue, role, kernels, options));
    const mutex = new LaneMutex();
    const { deviceAddress: address } = options;
    const device = address === null ? null : new DeviceClient({ address, yieldWhile: mutex.yieldWhile });
    const restorer = await openRestorer(catalogue, { ...options, device, yieldWhile: mutex.yieldWhile }, onFault);
    const badge = await Badge.render(options.badgeCorner);
    const lane = new Lane(options, { badge, kernels, topology, catalogue, restorer, mutex, device }, opened, onFault);
    await lane.#prepare(options.engine);
    return lane;
  }

  /** Has the configured engine ready for the first frame. */
  async #prepare(model: string): Promise<void> {
    if (model === MESH) return;
    const beganMs = performance.now();
    await this.#registry.want(model);
    const runsOn = this.#registry.runsOn(model);
    if (runsOn !== null) this.loads.push({ model, ...runsOn, loadMs: performance.now() - beganMs });
  }

  open(session: string, settings: SwapSettings): void {
    const { score, minSize, faces, intervalMs, lostAfterFrames, minCutoffHz, beta, colour, sharpness } = this.#options;
    const smoothing = { minCutoffHz, beta };
    const tracker = new Tracker({ score, minSize, faces, intervalMs, lostAfterFrames, smoothing });
    const make: SwapperMaker = (...asked) => this.#swapper(...asked);
    const degrader = new Degrader(this.#load);
    const costs = new Costs(this.#costs);
    const stream = new LaneStream({ tracker, degrader, costs, base: { colour, sharpness } }, settings, make);
    degrader.setLadder(this.#ladderOf(stream));
    degrader.limitQuality(this.#held, performance.now());
    this.#streams.set(session, stream);
  }

  set(session: string, settings: SwapSettings): void {
    const stream = this.#stream(session);
    stream.settings = settings;
    stream.degrader.setLadder(this.#ladderOf(stream));
    void this.#closeUnusedEngines();
  }

  close(session: string): void {
    this.#streams.get(session)?.close();
    this.#streams.delete(session);
    void this.#closeUnusedEngines();
  }

  /**
   * Gives the lane a source face; with the first one it warms up.
   * @returns what a swap took then, in milliseconds; null for a face that is not the first.
   */
  async take(id: string, face: MeshFace): Promise<number | null> {
    const isFirst = this.#faces.size === 0;
    this.#faces.set(id, face);
    const swapMs = isFirst && this.#options.warmupRuns > 0 ? await this.#warmUp(id) : null;
    for (const stream of this.#streams.values()) stream.refit(id);
    return swapMs;
  }

  /** Swaps a picture by the whole way of a frame; nothing of it stays. @returns milliseconds a swap, once warm. */
  async #warmUp(face: string): Promise<number> {
    const picture = await warmUpFrame();
    this.open(WARM_UP, { ...WARM_UP_SETTINGS, face });
    const swapMs = await warmUp(picture, (frame) => this.#swap(WARM_UP, frame, 0));
    this.close(WARM_UP);
    // What the first frames took is not what frames take.
    this.#costs = new Costs();
    return swapMs;
  }

  takeFor(engine: string, id: string, face: NeuralFace): void {
    const faces = this.#neuralFaces.get(engine) ?? new Map<string, NeuralFace>();
    this.#neuralFaces.set(engine, faces.set(id, face));
  }

  drop(id: string): void {
    this.#faces.delete(id);
    for (const faces of this.#neuralFaces.values()) faces.delete(id);
  }

  /** Has every stream, those to come included, do less while memory is short. */
  limitQuality(on: boolean): void {
    this.#held = on;
    for (const { degrader } of this.#streams.values()) degrader.limitQuality(on, performance.now());
  }

  /** Does what touches the lane's state or memory when nothing else does. */
  inTurn<T>(work: () => T): Promise<T> {
    return this.#mutex.run(work);
  }

  /** @param dropped frames since the last one that were left out before they came here. */
  swap(session: string, frame: Frame, dropped = 0): Promise<SwappedFrame> {
    return this.#mutex.run(() => this.#swap(session, frame, dropped));
  }

  async #swap(session: string, frame: Frame, dropped: number): Promise<SwappedFrame> {
    const stream = this.#stream(session);
    const budget = new Budget(frame.receivedAtMs, this.#options.budgetMs, stream.costs);
    const waitMs = Math.max(0, performance.now() - frame.receivedAtMs);
    const { wanting, looking, degrader } = stream;
    const { plan, level } = degrader;
    const state = { frame, stagesMs: budget.stagesMs, waitMs, plan: plan.name, level, ...this.#figures(stream) };
    if (looking && this.#tooLate(stream, waitMs)) {
      degrader.observe({ nowMs: performance.now(), dropped, serviceMs: null });
      return { ...state, ...rateOf(degrader.plan), result: 'dropped', hold: true, exposed: true, faces: [] };
    }
    const probe = looking ? degrader.probe(frame.receivedAtMs) : null;
    const wanted = looking ? planFor(stream, probe ?? plan) : IDLE;
    const { result, faces, exposed } = await this.#tryToSwap(frame, stream, wanted, budget);
    this.#load.frames++;
    if (looking) {
      const { spentMs: serviceMs, stagesMs } = budget;
      const optionalMs = stagesMs.restore ?? 0;
      degrader.observe({ nowMs: performance.now(), dropped, serviceMs, optionalMs, isProbe: probe !== null });
    }
    if (probe !== null)
      return { ...state, ...rateOf(degrader.plan), result: 'dropped', hold: true, exposed: true, faces };
    const { fallback, guarded: isGuarded = false, badge = false } = stream.settings;
    const missed = isGuarded ? exposed : wanting && result !== 'swapped';
    const pixelated = missed && fallback === 'blur';
    if (pixelated) await budget.stage('pixelate', () => pixelate(frame));
    if (wanting && badge) this.#badge.draw(frame);
    const hold = missed && !pixelated && (isGuarded || fallback === 'freeze');
    return {
      ...{ ...state, result, hold, exposed: exposed && !pixelated, faces },
      ...(looking && rateOf(degrader.plan)),
      ...(missed && this.#isOnItsWay(stream.settings) && { awaitsFace: true }),
    };
  }

  /** What the session is told of the lane with each frame. */
  #figures({ engine }: LaneStream): Pick<SwappedFrame, 'lane' | 'slowEngine'> {
    const lane = this.#load.figures(performance.now());
    const takesMs = isGenerator(engine) ? this.#registry.tooSlowMs(engine) : null;
    if (takesMs === null) return { lane };
    return { lane, slowEngine: { model: engine, takesMs, budgetMs: this.#options.budgetMs } };
  }

  /** Whether the face that is wanted is still being made ready. */
  #isOnItsWay({ face }: SwapSettings): boolean {
    return face !== null && !this.#faces.has(face);
  }

  /** A frame that waited its whole budget would only keep the next one waiting; but some frame must go out at last. */
  #tooLate(stream: LaneStream, waitMs: number): boolean {
    // Where few pictures are taken, the next one is far.
    const isLate = waitMs > Math.max(this.#options.budgetMs, 500 / stream.degrader.plan.fps);
    stream.late = isLate && stream.late < MOST_LATE ? stream.late + 1 : 0;
    return stream.late > 0;
  }

  /** A stage that throws costs the swap of one frame, never the frame. */
  async #tryToSwap(frame: Frame, stream: LaneStream, plan: Plan, budget: Budget): Promise<Outcome> {
    if (frame.width * frame.height > this.#options.maxPixels) return { result: 'passed', faces: [], exposed: true };
    try {
      return await stream.during(() => swapFrame(frame, stream, this.#tools, plan, budget));
    } catch (error) {
      if (!(error instanceof NotReady)) this.#onFault(error);
      // Whoever went is not looked for for ever, however long swaps fail.
      for (const lost of stream.tracker.prune()) stream.forget(lost);
      return { result: 'failed', faces: [], exposed: true };
    }
  }

  /** Every face of a still picture, largest first. */
  analyse(picture: Frame): Promise<FoundFace[]> {
    return this.#mutex.run(() => this.#analyse(picture));
  }

  async #analyse(picture: Frame): Promise<FoundFace[]> {
    const { detector, landmarker, kernels } = this.#tools;
    const found: FoundFace[] = [];
    for (const detection of await detector.find(picture, 0.5, 0)) {
      const smoothing = { minCutoffHz: 1e6, beta: 0 };
      const tracker = new Tracker({ ...this.#options, smoothing });
      const track = tracker.createTrack(detection);
      let seen = false;
      for (let look = 0; look < STILL_LOOKS; look++) seen = await tracker.follow(track, picture, kernels, landmarker);
      if (seen) found.push({ box: track.box, points: track.points, ...poseOf(track.points, this.#topology) });
    }
    return found;
  }

  enrol(portraits: Portrait[]): MeshFace {
    return this.#engine.enrol(portraits);
  }

  /** @throws FaceOffError when the engine is unknown, or a model that it needs cannot be used. */
  async enrolFor(engine: string, portraits: Portrait[]): Promise<NeuralFace> {
    const enrolling = this.#enrolling.get(engine) ?? new NeuralEngine(this.#catalogue, engine, this.#options);
    this.#enrolling.set(engine, enrolling);
    return await this.#mutex.run(() => enrolling.enrol(portraits));
  }

  async end(): Promise<void> {
    for (const session of [...this.#streams.keys()]) this.close(session);
    const registry = this.#registry.close();
    // A model that is still being opened over there is not waited for: that may take minutes.
    this.#device?.close();
    await registry;
    for (const engine of this.#enrolling.values()) await engine.close();
    await this.#tools.restorer?.close();
    for (const session of this.#sessions) await session.close();
  }

  /** A swapper for a face; whatever the engine, its reserve serves while that is not ready or too slow. */
  #swapper(id: string, engine: string, generates: () => boolean): Swapper | null {
    const face = this.#faces.get(id);
    if (face === undefined) return null;
    if (engine === MESH) return this.#engine.swapper(face);
    return new FallbackSwapper({
      first: () => {
        const own = this.#neuralFaces.get(engine)?.get(id);
        const neural = own !== undefined && generates() ? this.#registry.ready(engine) : null;
        if (neural === null) return null;
        return { swapper: neural.swapper(own!), onFailure: (error) => this.#registry.failed(engine, error, neural) };
      },
      reserve: this.#options.reserve === MESH ? this.#engine.swapper(face) : null,
      reload: (frame, { square }) => this.#tools.landmarker.reload(frame, square),
    });
  }

  #ladderOf({ engine }: LaneStream): readonly Plan[] {
    return ladderFor(this.#tools.restorer !== null, isGenerator(engine) && this.#options.reserve === MESH);
  }

  /** Closes the engines that no stream wants; the configured one stays. */
  #closeUnusedEngines(): Promise<void> {
    const wanted = [...this.#streams.values()].map(({ engine }) => engine);
    return this.#registry.keep(new Set([this.#options.engine, ...wanted]));
  }

  #stream(session: string): LaneStream {
    const stream = this.#streams.get(session);
    if (stream === undefined)
      throw new FaceOffError('unknown_session', `The lane has no session ${session}.`, { status: 404 });
    return stream;
  }
}

/** A restorer that cannot be used costs its effect, not the lane. */
async function openRestorer(
  ...[catalogue, options, onFault]: [
    Catalogue,
    LaneOptions & { tell: Tell; device: DeviceClient | null; yieldWhile: YieldWhile },
    (error: unknown) => void,
  ]
): Promise<Restorer | null> {
  if (options.restorer === null) return null;
  try {
    const { restorer: model, restoreBlend: blend } = options;
    return await Restorer.open(catalogue, { ...options, model, blend }, onFault);
  } catch (error) {
    options.tell({ model: options.restorer, state: 'failed', why: error instanceof Error ? error.message : '' });
    onFault(error);
    return null;
  }
}

interface Parts {
  badge: Badge;
  kernels: Kernels;
  topology: Topology;
  catalogue: Catalogue;
  restorer: Restorer | null;
  mutex: LaneMutex;
  device: DeviceClient | null;
}

/** How many pictures a second are to come from now on. */
const rateOf = ({ fps }: Plan): Pick<SwappedFrame, 'fps'> => (fps === Number.POSITIVE_INFINITY ? {} : { fps });

const planFor = ({ settings }: LaneStream, plan: Plan): Plan => (settings.guarded === true ? guarded(plan) : plan);

interface OpenedModel {
  role: string;
  session: ModelSession;
  load: ModelLoad;
}

/** Opens the model of a role with its input in kernel memory and runs it a few times, as the first runs are slow. */
async function openModel(
  ...[catalogue, role, kernels, options]: [Catalogue, string, Kernels, LaneOptions & { tell: Tell }]
): Promise<OpenedModel> {
  const beganMs = performance.now();
  const entry = catalogue.forRole(role);
  const bind = Object.fromEntries(
    entry.inputs.map((input) => [input.name, kernels.floats(input.shape.reduce((a, b) => a * b, 1))]),
  );
  const session = await openSession(entry, catalogue.read(entry), { threads: options.threads, bind });
  for (let run = 0; run < options.warmupRuns; run++) await session.run();
  const loadMs = performance.now() - beganMs;
  options.tell({ model: entry.name, state: 'ready', provider: session.provider });
  return { role, session, load: { model: entry.name, provider: session.provider, cached: false, loadMs } };
}
