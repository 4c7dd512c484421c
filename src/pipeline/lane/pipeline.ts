/**
 * The way of one frame: locate, landmark, swap. A frame costs what its faces cost: only the pixels that a model or a
 * face needs are read, and only those of swapped faces are written; the rest goes out as it came, bit for bit.
 */

import type { Frame, FrameResult, SeenFace } from '../../shared/types.ts';
import type { Looks, Swapper } from '../engines/engine.ts';
import type { Restorer } from '../engines/restorer.ts';
import type { Cuts } from '../face/cuts.ts';
import type { Detector } from '../face/detect.ts';
import type { Embedder } from '../face/embed.ts';
import type { Landmarker } from '../face/landmarks.ts';
import { facesCamera, type Track, type Tracker } from '../face/track.ts';
import type { Budget } from './budget.ts';
import type { Plan } from './degrade.ts';

/** What a lane lends to every stream it serves. */
export interface Tools {
  detector: Detector;
  landmarker: Landmarker;
  embedder: Embedder;
  /** Null where none is wanted or it cannot be used. */
  restorer: Restorer | null;
  /** Does what waits for something elsewhere, each while the others wait. */
  runConcurrently(works: readonly (() => Promise<void>)[]): Promise<void>;
}

/** What belongs to one stream. */
export interface FrameStream {
  cuts: Cuts;
  tracker: Tracker;
  looks: Looks;
  /** The faces to look at closely of those followed, most wanted first. */
  chosen(tracks: readonly Track[], nowMs: number): readonly Track[];
  /** Whether it is to be found out who this is; in a busy frame only if nothing is known. */
  needsEmbedding(track: Track, nowMs: number, isBusy: boolean): boolean;
  /** Gives a track the id of the person, who may have been here before. */
  assignIdentity(track: Track, embedding: Float32Array): void;
  /** The source for a face; null leaves it as it is. */
  swapperFor(track: Track): Swapper | null;
  forget(track: Track): void;
  /** Another scene: nobody is followed any more, and whoever is in it is new until recognised. */
  cut(): void;
}

export interface Outcome {
  result: FrameResult;
  faces: SeenFace[];
  /** Whether somebody might be recognised: nobody was found, or somebody was not swapped or is turned so far that little is. */
  exposed: boolean;
}

/** Swaps the faces of `frame` in place. */
export async function swapFrame(
  frame: Frame,
  stream: FrameStream,
  tools: Tools,
  plan: Plan,
  budget: Budget,
): Promise<Outcome> {
  const { tracker, looks } = stream;
  const { detector, landmarker, embedder, restorer } = tools;
  if (!plan.swap) return { result: 'passed', faces: [], exposed: true };

  if (stream.cuts.at(frame)) stream.cut();
  tracker.beginFrame(frame);

  // With nobody followed there is nothing else to do; else the look for new faces waits for a frame with time to spare,
  // unless it may not wait at all.
  const spare = tracker.tracks.length === 0 || plan.seekPatience === 0 || budget.allows('detect', 'landmark', 'swap');
  const seek = () => budget.stage('detect', () => tracker.detect(frame, detector, frame.receivedAtMs));
  let sought = !spare || tracker.due(frame.receivedAtMs, plan.seekPatience);
  if (spare && sought) await seek();
  const swapped = new Set<Track>();
  const waiting: (() => Promise<void>)[] = [];
  const chosen = [...stream.chosen(tracker.tracks, frame.receivedAtMs)];
  for (const track of chosen) {
    // It may have turned out to be somebody who is followed elsewhere now.
    if (!tracker.tracks.includes(track)) continue;
    const look = () => budget.stage('landmark', () => tracker.follow(track, frame, landmarker));
    let sight = await look();
    if (sight === null && !sought) {
      // Whoever jumped, or moved while pictures were lost, is looked for at once rather than bare for a frame.
      sought = true;
      await seek();
      chosen.push(...stream.chosen(tracker.tracks, frame.receivedAtMs).filter((other) => !chosen.includes(other)));
      sight = await look();
    }
    if (sight === null) continue;
    const { region } = sight;
    // A look for new faces and one at somebody who is known are not for one frame, unless every frame has the first.
    const isBusy = sought && plan.seekPatience > 0;
    if (stream.needsEmbedding(track, frame.receivedAtMs, isBusy) && budget.allows('recognise', 'swap'))
      await budget.stage('recognise', async () =>
        stream.assignIdentity(track, await embedder.embed(region, track.points)),
      );
    const swapper = stream.swapperFor(track);
    if (swapper === null) continue;
    const live = { ...sight, points: track.points };
    const paint = async (): Promise<void> => {
      await budget.stage('swap', () => swapper.swap(frame, live, looks));
      if (restorer !== null && plan.restore && budget.allows('restore'))
        await budget.stage('restore', () => restorer.restore(frame, track.points));
      swapped.add(track);
    };
    if (swapper.waits?.() === true) waiting.push(paint);
    else await paint();
  }
  await tools.runConcurrently(waiting);
  for (const lost of tracker.prune()) stream.forget(lost);

  const faces = tracker.tracks.map((track) => ({ track: track.id, ...track.box, swapped: swapped.has(track) }));
  const exposed =
    swapped.size === 0 || tracker.tracks.some((track) => !swapped.has(track) || !facesCamera(track.points));
  return { result: swapped.size > 0 ? 'swapped' : 'passed', faces, exposed };
}
