/**
 * One lane: models, kernels and engine of a worker thread, and the streams pinned to it. Works on one frame at a time,
 * whatever order the questions come in, because all streams share the kernels' memory.
 */

import { FaceOffError } from '../errors.ts';
import { Budget } from './budget.ts';
import { Degrader, IDLE, type Plan } from './degrade.ts';
import { Detector } from './detect.ts';
import type { Portrait } from './engines/engine.ts';
import { MeshEngine, type MeshFace } from './engines/mesh.ts';
import { Kernels } from './kernels/kernels.ts';
import { Landmarker } from './landmarks.ts';
import { readCatalogue } from './models/catalogue.ts';
import { type ModelSession, openSession } from './models/session.ts';
import { type Outcome, swapFrame, type Tools } from './pipeline.ts';
import { poseOf } from './pose.ts';
import type { FoundFace, LaneOptions, ModelLoad } from './protocol.ts';
import { LaneStream } from './stream.ts';
import { readTopology, type Topology } from './topology.ts';
import { Tracker } from './track.ts';
import type { Frame, SwappedFrame, SwapSettings } from './types.ts';
import { veil } from './veil.ts';

/** Looks at a still picture: the second and third refine where the first saw the face. */
const STILL_LOOKS = 3;
/** Most frames left out in a row because they came too late. */
const MOST_LATE = 5;

export class Lane {
  readonly #options: LaneOptions;
  readonly #tools: Tools;
  readonly #sessions: ModelSession[];
  readonly #engine: MeshEngine;
  readonly #topology: Topology;
  readonly #faces = new Map<string, MeshFace>();
  readonly #streams = new Map<string, LaneStream>();
  readonly loads: ModelLoad[];

  readonly #onFault: (error: unknown) => void;

  private constructor(
    ...[options, kernels, topology, opened, onFault]: [
      LaneOptions,
      Kernels,
      Topology,
      OpenedModel[],
      (error: unknown) => void,
    ]
  ) {
    this.#onFault = onFault;
    const session = (role: string): ModelSession => opened.find((model) => model.role === role)!.session;
    this.#options = options;
    this.#sessions = opened.map((model) => model.session);
    this.#topology = topology;
    this.#engine = new MeshEngine(kernels, topology);
    this.#tools = {
      kernels,
      detector: new Detector(session('face-detector'), kernels),
      landmarker: new Landmarker(session('face-mesh'), kernels),
    };
    this.loads = opened.map((model) => model.load);
  }

  /**
   * Loads and warms everything a frame needs.
   * @param onFault told of every error that cost a frame its swap.
   * @throws FaceOffError when a model is missing or not the released one.
   */
  static async start(options: LaneOptions, onFault: (error: unknown) => void): Promise<Lane> {
    const kernels = await Kernels.load(options.maxPixels);
    const catalogue = readCatalogue(options.modelsDir);
    const topology = readTopology(catalogue.read(catalogue.forRole('face-geometry')));
    const opened: OpenedModel[] = [];
    for (const role of ['face-detector', 'face-mesh']) opened.push(await openModel(catalogue, role, kernels, options));
    return new Lane(options, kernels, topology, opened, onFault);
  }

  open(session: string, settings: SwapSettings): void {
    const { score, minSize, faces, intervalMs, lostAfterFrames, minCutoffHz, beta, colour, sharpness } = this.#options;
    const smoothing = { minCutoffHz, beta };
    const tracker = new Tracker({ score, minSize, faces, intervalMs, lostAfterFrames, smoothing });
    const make = (id: string) => {
      const face = this.#faces.get(id);
      return face === undefined ? null : this.#engine.swapper(face);
    };
    const degrader = new Degrader(this.#options.budgetMs);
    this.#streams.set(session, new LaneStream({ tracker, degrader, base: { colour, sharpness } }, settings, make));
  }

  set(session: string, settings: SwapSettings): void {
    this.#stream(session).settings = settings;
  }

  close(session: string): void {
    this.#streams.get(session)?.close();
    this.#streams.delete(session);
  }

  take(id: string, face: MeshFace): void {
    this.#faces.set(id, face);
    for (const stream of this.#streams.values()) stream.refit(id);
  }

  drop(id: string): void {
    this.#faces.delete(id);
  }

  async swap(session: string, frame: Frame): Promise<SwappedFrame> {
    const stream = this.#stream(session);
    const budget = new Budget(frame.receivedAtMs, this.#options.budgetMs, stream.costs);
    const waitMs = Math.max(0, performance.now() - frame.receivedAtMs);
    const { wanting, looking, degrader } = stream;
    const { plan, level } = degrader;
    const state = { frame, stagesMs: budget.stagesMs, waitMs, plan: plan.name, level };
    if (looking && (stream.frames++ % plan.every !== 0 || this.#tooLate(stream, waitMs)))
      return { ...state, result: 'dropped', hold: true, faces: [] };
    const { result, faces } = await this.#tryToSwap(frame, stream, looking ? plan : IDLE, budget);
    const missed = wanting && result !== 'swapped';
    if (missed && stream.settings.fallback === 'blur') await budget.stage('veil', () => veil(frame));
    if (looking) degrader.observe(waitMs + budget.spentMs, performance.now());
    return { ...state, result, hold: missed && stream.settings.fallback === 'freeze', faces };
  }

  /** A frame that waited its whole budget would only keep the next one waiting; but some frame must go out at last. */
  #tooLate(stream: LaneStream, waitMs: number): boolean {
    stream.late = waitMs > this.#options.budgetMs && stream.late < MOST_LATE ? stream.late + 1 : 0;
    if (stream.late > 0) stream.degrader.observe(waitMs, performance.now());
    return stream.late > 0;
  }

  /** A stage that throws costs the swap of one frame, never the frame. */
  async #tryToSwap(frame: Frame, stream: LaneStream, plan: Plan, budget: Budget): Promise<Outcome> {
    if (frame.width * frame.height > this.#options.maxPixels) return { result: 'passed', faces: [] };
    try {
      return await swapFrame(frame, stream, this.#tools, plan, budget);
    } catch (error) {
      this.#onFault(error);
      return { result: 'failed', faces: [] };
    }
  }

  /** Every face of a still picture, largest first. */
  async analyse(picture: Frame): Promise<FoundFace[]> {
    const { detector, landmarker, kernels } = this.#tools;
    const found: FoundFace[] = [];
    for (const detection of await detector.find(picture, 0.5, 0)) {
      const smoothing = { minCutoffHz: 1e6, beta: 0 };
      const tracker = new Tracker({ ...this.#options, smoothing });
      const track = tracker.adopt(detection);
      let seen = false;
      for (let look = 0; look < STILL_LOOKS; look++) seen = await tracker.follow(track, picture, kernels, landmarker);
      if (seen) found.push({ box: track.box, points: track.points, ...poseOf(track.points, this.#topology) });
    }
    return found;
  }

  enrol(portraits: Portrait[]): MeshFace {
    return this.#engine.enrol(portraits);
  }

  async end(): Promise<void> {
    for (const session of [...this.#streams.keys()]) this.close(session);
    for (const session of this.#sessions) await session.close();
  }

  #stream(session: string): LaneStream {
    const stream = this.#streams.get(session);
    if (stream === undefined)
      throw new FaceOffError('unknown_session', `The lane has no session ${session}.`, { status: 404 });
    return stream;
  }
}

interface OpenedModel {
  role: string;
  session: ModelSession;
  load: ModelLoad;
}

/** Opens the model of a role with its input in kernel memory and runs it a few times, as the first runs are slow. */
async function openModel(
  ...[catalogue, role, kernels, options]: [ReturnType<typeof readCatalogue>, string, Kernels, LaneOptions]
): Promise<OpenedModel> {
  const beganMs = performance.now();
  const entry = catalogue.forRole(role);
  const bind = Object.fromEntries(
    entry.inputs.map((input) => [input.name, kernels.floats(input.shape.reduce((a, b) => a * b, 1))]),
  );
  const session = await openSession(entry, catalogue.read(entry), { threads: options.threads, bind });
  for (let run = 0; run < options.warmupRuns; run++) await session.run();
  const loadMs = performance.now() - beganMs;
  return { role, session, load: { model: entry.name, provider: session.provider, cached: false, loadMs } };
}
