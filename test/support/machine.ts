/**
 * A machine in numbers, without a clock: cameras, the newest-wins hand-off, one lane and its controllers, moved from event to
 * event. What a frame takes is given as a curve of time, or comes from a trace that was recorded.
 */

import { readFileSync } from 'node:fs';
import { Degrader } from '../../src/pipeline/lane/degrade.ts';
import { LaneLoad } from '../../src/pipeline/lane/lane-load.ts';
import type { Plan } from '../../src/pipeline/lane/quality-ladder.ts';
import { Pacer } from '../../src/server/session/pacer.ts';

export interface Camera {
  /** When its frames come, in milliseconds, ascending. */
  arrivals: readonly number[];
  /** What a frame takes in the lane, in milliseconds. @param plan in force. */
  serviceMs: (atMs: number, plan: Plan) => number;
  ladder?: readonly Plan[];
}

export interface Change {
  atMs: number;
  from: string;
  to: string;
}

export interface Course {
  changes: Change[];
  /** Frames that went out: when, how old, and under which plan. */
  shown: { atMs: number; ageMs: number; plan: Plan }[];
  plan: Plan;
}

interface Seat {
  camera: Camera;
  degrader: Degrader;
  pacer: Pacer;
  course: Course;
  next: number;
  waiting: number | null;
  /** When it began to wait for the lane: its place is by this, whichever frame then takes it. */
  askedAtMs: number;
  dropped: number;
  late: number;
}

/** Frames at a steady rate, each as much late as `jitterMs` says. */
export function steady(
  fps: number,
  fromMs: number,
  toMs: number,
  jitterMs: (atMs: number) => number = () => 0,
): number[] {
  const count = Math.floor(((toMs - fromMs) * fps) / 1000);
  const times = Array.from({ length: count }, (_, i) => fromMs + (i * 1000) / fps);
  return times.map((atMs) => atMs + jitterMs(atMs)).sort((a, b) => a - b);
}

/** As in the lane: a frame that waited longer is left out, but for every sixth. */
const BUDGET_MS = 33;
const MOST_LATE = 5;

/** Runs the cameras through one lane; streams in order of their first frame. */
export function run(cameras: readonly Camera[]): Course[] {
  let busyMs = 0;
  let freeAtMs = 0;
  const load = new LaneLoad(() => busyMs);
  const seats: Seat[] = cameras.map((camera) => {
    const degrader = new Degrader(load);
    if (camera.arrivals[0]! > 0) degrader.close();
    if (camera.ladder !== undefined) degrader.setLadder(camera.ladder);
    const course: Course = { changes: [], shown: [], plan: degrader.plan };
    return {
      ...{ camera, degrader, course },
      pacer: new Pacer(),
      next: 0,
      waiting: null,
      askedAtMs: 0,
      dropped: 0,
      late: 0,
    };
  });
  for (;;) {
    // Every frame that came before the lane is free takes its place, the newest of a camera's wins.
    const upcoming = Math.min(...seats.map(({ camera, next }) => camera.arrivals[next] ?? Infinity));
    const isIdle = seats.every(({ waiting }) => waiting === null);
    if (upcoming === Infinity && isIdle) break;
    if (isIdle || upcoming <= freeAtMs) {
      const seat = seats.find(({ camera, next }) => camera.arrivals[next] === upcoming)!;
      // A stream takes part in its lane from its first frame to its last.
      if (seat.next++ === 0) load.users.add(seat.degrader);
      if (seat.next === seat.camera.arrivals.length) seat.degrader.close();
      if (!seat.pacer.takes(upcoming)) continue;
      if (seat.waiting !== null) seat.dropped++;
      else seat.askedAtMs = upcoming;
      seat.waiting = upcoming;
      freeAtMs = Math.max(freeAtMs, isIdle ? upcoming : freeAtMs);
      continue;
    }
    const seat = seats.filter(({ waiting }) => waiting !== null).sort((a, b) => a.askedAtMs - b.askedAtMs)[0]!;
    serve(seat);
  }
  return seats.map(({ course }) => course);

  function serve(seat: Seat): void {
    const { camera, degrader, course, pacer } = seat;
    const [cameAtMs, dropped] = [seat.waiting!, seat.dropped];
    [seat.waiting, seat.dropped] = [null, 0];
    const { plan } = degrader;
    const probe = degrader.probe(cameAtMs);
    const takesMs = plan.swap || probe !== null ? camera.serviceMs(freeAtMs, probe ?? plan) : 0.3;
    const isLate = freeAtMs - cameAtMs > Math.max(BUDGET_MS, 500 / plan.fps) && seat.late < MOST_LATE;
    seat.late = isLate ? seat.late + 1 : 0;
    const serviceMs = isLate ? 0.1 : takesMs;
    freeAtMs += serviceMs;
    busyMs += serviceMs;
    load.frames++;
    degrader.observe({ nowMs: freeAtMs, dropped, serviceMs: isLate ? null : serviceMs, isProbe: probe !== null });
    if (!isLate && probe === null) course.shown.push({ atMs: freeAtMs, ageMs: freeAtMs - cameAtMs, plan });
    if (degrader.plan === plan) return;
    course.changes.push({ atMs: freeAtMs, from: plan.name, to: degrader.plan.name });
    course.plan = degrader.plan;
    pacer.fps = degrader.plan.fps;
  }
}

/** Pictures a second that went out between two times. */
export const fpsOf = ({ shown }: Course, fromMs: number, toMs: number): number =>
  (1000 * shown.filter(({ atMs }) => atMs >= fromMs && atMs < toMs).length) / (toMs - fromMs);

/** A session's frames as `npm run bench -- traces` recorded them: when each came, how many were dropped before it, what it took. */
type Trace = [receivedAtMs: number, dropped: number, serviceMs: number | null][];

/** The cameras of a recorded trace; a frame takes what the frame took that was worked on about then. */
export function recorded(name: string): Camera[] {
  const file = new URL(`../fixtures/traces/${name}.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as Trace[]).map(cameraOf);
}

function cameraOf(trace: Trace): Camera {
  const arrivals = trace.flatMap(([atMs, dropped], i) => {
    const fromMs = trace[i - 1]?.[0] ?? atMs;
    // Those that were dropped came between this one and the one before.
    return Array.from({ length: dropped + 1 }, (_, k) => fromMs + ((k + 1) * (atMs - fromMs)) / (dropped + 1));
  });
  const worked = trace.filter(([, , serviceMs]) => serviceMs !== null);
  const serviceMs = (atMs: number): number => (worked.findLast(([at]) => at <= atMs) ?? worked[0]!)[2]!;
  return { arrivals, serviceMs };
}
