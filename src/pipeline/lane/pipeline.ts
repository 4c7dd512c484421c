/**
 * The path of one frame through a lane: acquire faces, locate each, identify it, paint it. A frame costs what its
 * faces cost: only the pixels that a model or a face needs are read, and only those of swapped faces are written;
 * all others leave the lane bit for bit as they came.
 */

import type { Frame, FrameResult, SeenFace } from '../../shared/types.ts';
import type { LiveFace, Looks, Swapper } from '../engines/engine.ts';
import type { Restorer } from '../engines/restorer.ts';
import type { Cuts } from '../face/cuts.ts';
import type { Detector } from '../face/detect.ts';
import type { Embedder } from '../face/embed.ts';
import type { FaceSight, Landmarker } from '../face/landmarks.ts';
import { facesCamera, type Track, type Tracker } from '../face/track.ts';
import type { Budget } from './budget.ts';
import { intervalFactor, type Plan } from './quality-ladder.ts';

/** What a lane lends to every stream it serves. */
export interface Tools {
  detector: Detector;
  landmarker: Landmarker;
  embedder: Embedder;
  /** Null where the configuration names none, or it cannot be used. */
  restorer: Restorer | null;
  /** Runs jobs that await the device concurrently; each takes the lane's mutex again when its result arrives. */
  runConcurrently(jobs: readonly (() => Promise<void>)[]): Promise<void>;
}

/** What belongs to one stream. */
export interface FrameStream {
  cuts: Cuts;
  tracker: Tracker;
  looks: Looks;
  /** The tracks to look at in this frame, most wanted first. */
  selectTracks(tracks: readonly Track[], nowMs: number): readonly Track[];
  /**
   * Whether an embedding of this track would help now.
   * @param limit `unknown` skips people who have been embedded before.
   */
  needsEmbedding(track: Track, nowMs: number, limit: 'unknown' | 'none'): boolean;
  /** Gives a track the id of its person, perhaps one that was known before. May drop another track of that id. */
  assignIdentity(track: Track, embedding: Float32Array): void;
  /** The swapper that puts the chosen source on this track; null leaves the face as it is. */
  swapperFor(track: Track): Swapper | null;
  /** Releases what is kept for a track that the tracker dropped. */
  forget(track: Track): void;
  /** Another scene begins: all tracks are dropped, and every face in it is new until its embedding is known. */
  cut(): void;
}

/** One frame, and all that works on it. */
export interface FrameInputs {
  frame: Frame;
  stream: FrameStream;
  tools: Tools;
  plan: Plan;
  budget: Budget;
}

/** What `swapFrame` made of a frame. */
export interface Outcome {
  result: FrameResult;
  faces: SeenFace[];
  /**
   * Whether a person might be recognised: no face was found, or a face was not swapped, or is turned so far that a
   * swap covers little of it.
   */
  exposed: boolean;
  /** Number of faces that are not swapped because more are in the picture than are followed; absent for none. */
  unfollowed?: number;
}

/** The inputs, and what is decided about the frame on its way. */
interface FrameContext extends FrameInputs {
  /** Whether the detector may still run: it has not run in this frame, and the budget has time for it. */
  mayDetect: boolean;
  /** Tracks to look at, in order; the detector may add to it. */
  readonly queue: Track[];
  /** Every track that was ever in the queue. */
  readonly queued: Set<Track>;
  /** The stream's looks as the frame began: its settings may change while a swap awaits the device. */
  readonly looks: Looks;
  /** Swaps that await the device: they run together at the end of the frame. */
  readonly deferred: (() => Promise<void>)[];
  readonly swapped: Set<Track>;
}

/** Swaps the faces of a frame in place. Called in the lane's mutex. */
export async function swapFrame(inputs: FrameInputs): Promise<Outcome> {
  const { stream, tools, plan } = inputs;
  if (!plan.swap) return { result: 'passed', faces: [], exposed: true };

  const context = contextOf(inputs);
  await acquire(context);
  for (let track = nextTrack(context); track !== null; track = nextTrack(context)) {
    const sight = await locate(context, track);
    if (sight === null) continue;
    await identify(context, track, sight);
    await paint(context, track, sight);
  }
  await tools.runConcurrently(context.deferred);
  for (const lost of stream.tracker.prune()) stream.forget(lost);
  return outcomeOf(context);
}

function contextOf(inputs: FrameInputs): FrameContext {
  const { looks } = inputs.stream;
  return { ...inputs, looks, mayDetect: false, queue: [], queued: new Set(), deferred: [], swapped: new Set() };
}

/** Queues the faces to look at: the tracks of the last frame and, when it is time, what the detector finds. */
async function acquire(context: FrameContext): Promise<void> {
  const { frame, stream, plan, budget } = context;
  const { tracker } = stream;
  if (stream.cuts.at(frame)) stream.cut();
  tracker.beginFrame(frame);
  // Without tracks there is nothing else to spend the time on. With tracks, the detector waits for a frame that has
  // time to spare, unless the plan wants it in every frame.
  context.mayDetect =
    tracker.tracks.length === 0 ||
    plan.seek === 'every-frame' ||
    budget.allows('detect', 'landmark', 'swap', 'background');
  if (context.mayDetect && tracker.isDetectionDue(frame.receivedAtMs, intervalFactor(plan))) await detect(context);
  else enqueue(context);
}

/** Runs the detector over the whole frame, at most once a frame, and queues the new tracks. */
async function detect(context: FrameContext): Promise<void> {
  const { frame, stream, tools, budget } = context;
  context.mayDetect = false;
  await budget.stage('detect', () => stream.tracker.detect(frame, tools.detector, frame.receivedAtMs));
  enqueue(context);
}

/** Adds the tracks that the stream selects to the queue, each once. */
function enqueue({ frame, stream, queue, queued }: FrameContext): void {
  for (const track of stream.selectTracks(stream.tracker.tracks, frame.receivedAtMs)) {
    if (!queued.has(track)) queue.push(track);
    queued.add(track);
  }
}

/**
 * The first of the queue that is still tracked; `identify` may have dropped a track whose person was found
 * elsewhere.
 */
function nextTrack({ stream, queue }: FrameContext): Track | null {
  for (let track = queue.shift(); track !== undefined; track = queue.shift()) {
    if (stream.tracker.tracks.includes(track)) return track;
  }
  return null;
}

/** Finds a track's face in the frame: where it was last or, if it is not there, anywhere. */
async function locate(context: FrameContext, track: Track): Promise<FaceSight | null> {
  const { frame, stream, tools, budget } = context;
  const follow = () => budget.stage('landmark', () => stream.tracker.follow(track, frame, tools.landmarker));
  const sight = await follow();
  if (sight !== null || !context.mayDetect) return sight;
  // A face that jumped, or moved while frames were lost, is looked for at once rather than exposed for a frame.
  await detect(context);
  return await follow();
}

/** Computes the embedding of a face and assigns its person, if that is due and there is time. */
async function identify(context: FrameContext, track: Track, { region }: FaceSight): Promise<void> {
  const { frame, stream, tools, plan, budget } = context;
  // The detector and a further embedding of a known person are not for the same frame, unless the detector always
  // runs.
  const limit = context.mayDetect || plan.seek === 'every-frame' ? 'none' : 'unknown';
  if (!stream.needsEmbedding(track, frame.receivedAtMs, limit) || !budget.allows('recognise', 'swap', 'background'))
    return;
  await budget.stage('recognise', async () =>
    stream.assignIdentity(track, await tools.embedder.embed(region, track.points)),
  );
}

/** Swaps a face now or, where its swapper awaits the device, together with others at the end of the frame. */
async function paint(context: FrameContext, track: Track, sight: FaceSight): Promise<void> {
  const swapper = context.stream.swapperFor(track);
  if (swapper === null) return;
  const live = { ...sight, points: track.points };
  const swap = async (): Promise<void> => {
    await swapFace(context, swapper, live);
    context.swapped.add(track);
  };
  if (swapper.waits?.() === true) context.deferred.push(swap);
  else await swap();
}

async function swapFace(context: FrameContext, swapper: Swapper, live: LiveFace): Promise<void> {
  const { frame, tools, plan, budget, looks } = context;
  const { restorer } = tools;
  await budget.stage('swap', () => swapper.swap(frame, live, looks));
  if (restorer !== null && plan.restore && budget.allows('restore', 'background'))
    await budget.stage('restore', () => restorer.restore(frame, live.points));
}

function outcomeOf({ stream, swapped }: FrameContext): Outcome {
  const { tracks, unfollowed } = stream.tracker;
  const faces = tracks.map((track) => ({ track: track.id, ...track.box, swapped: swapped.has(track) }));
  const isBare = (track: Track): boolean => !swapped.has(track) || !facesCamera(track.points);
  const exposed = swapped.size === 0 || unfollowed > 0 || tracks.some(isBare);
  return { result: swapped.size > 0 ? 'swapped' : 'passed', faces, exposed, ...(unfollowed > 0 && { unfollowed }) };
}
