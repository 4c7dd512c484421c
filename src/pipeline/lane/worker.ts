/** The worker thread of a lane: answers the calls of lane-protocol.ts with a Lane. */

import { parentPort, workerData } from 'node:worker_threads';
import { CpuProfiler } from '../../lib/system/cpu-profiler.ts';
import { toWire } from '../../shared/errors.ts';
import type {
  CallName,
  Calls,
  LaneFault,
  LaneNews,
  LaneOptions,
  LaneReply,
  LaneRequest,
  Started,
} from '../pool/lane-protocol.ts';
import { Lane } from './lane.ts';

const port = parentPort!;
/** Calls that are not answered yet. */
const pending = new Set<Promise<void>>();

const profiler = new CpuProfiler();

type Answers = { [K in CallName]: (lane: Lane, ask: Calls[K]['ask']) => Promise<unknown> };

/** What the lane does for each call. */
const ANSWERS: Answers = {
  open: (lane, { session, settings }) => lane.open(session, settings),
  set: (lane, { session, settings }) => lane.set(session, settings),
  close: (lane, { session }) => lane.close(session),
  swap: (lane, { session, frame, dropped }) => lane.swap(session, frame, dropped),
  take: (lane, { id, face }) => lane.take(id, face),
  takeFor: (lane, { engine, id, face }) => lane.takeFor(engine, id, face),
  drop: (lane, { id }) => lane.drop(id),
  configure: (lane, options) => lane.configure(options),
  hold: (lane, { on }) => lane.limitQuality(on),
  analyse: (lane, { picture }) => lane.analyse(picture),
  enrol: (lane, { portraits }) => lane.enrol(portraits),
  preview: (lane, { portraits }) => lane.preview(portraits),
  judge: (lane, { portraits }) => lane.judge(portraits),
  enrolFor: (lane, { engine, portraits }) => lane.enrolFor(engine, portraits),
  startProfile: () => profiler.start(),
  stopProfile: () => profiler.stop(),
  async end(lane) {
    await Promise.all(pending);
    await lane.end();
  },
};

const answer = <K extends CallName>(lane: Lane, call: K, ask: Calls[K]['ask']): Promise<unknown> =>
  ANSWERS[call](lane, ask);

function post(message: LaneReply | Started | LaneFault | LaneNews, move: ArrayBuffer[] = []): void {
  port.postMessage(message, move);
}

async function serve(lane: Lane, message: LaneRequest): Promise<void> {
  try {
    const result = await answer(lane, message.call, message.ask);
    // A frame goes back with its buffer, not as a copy.
    const move = message.call === 'swap' ? [message.ask.frame.data.buffer] : [];
    post({ id: message.id, answer: result }, move);
  } catch (error) {
    post({ id: message.id, error: toWire(error) });
  }
  // The models are closed, so the thread may end; it does once nothing listens.
  if (message.call === 'end') port.close();
}

try {
  const lane = await Lane.start(
    workerData as LaneOptions,
    (error, session) => post({ fault: toWire(error), session }),
    (news) => post({ news }),
  );
  port.on('message', (message: LaneRequest) => {
    const served: Promise<void> = serve(lane, message).finally(() => pending.delete(served));
    if (message.call !== 'end') pending.add(served);
  });
  post({ ready: true, loads: [...lane.loads] });
} catch (error) {
  post({ ready: false, error: toWire(error) });
}
