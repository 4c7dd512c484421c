/** The worker thread: answers the questions of protocol.ts with a Lane, in which they take turns. */

import { parentPort, workerData } from 'node:worker_threads';
import { toWire } from '../../shared/errors.ts';
import type { LaneFault, LaneNews, LaneOptions, LaneReply, LaneRequest, Started } from '../pool/lane-protocol.ts';
import { Lane } from './lane.ts';

const port = parentPort!;
/** What is asked and not answered yet. */
const inHand = new Set<Promise<void>>();

function say(message: LaneReply | Started | LaneFault | LaneNews, move: ArrayBuffer[] = []): void {
  port.postMessage(message, move);
}

async function answer(lane: Lane, { call, ask }: LaneRequest): Promise<unknown> {
  switch (call) {
    case 'open': {
      return await lane.inTurn(() => lane.open(ask.session, ask.settings));
    }
    case 'set': {
      return await lane.inTurn(() => lane.set(ask.session, ask.settings));
    }
    case 'close': {
      return await lane.inTurn(() => lane.close(ask.session));
    }
    case 'take': {
      return await lane.inTurn(() => lane.take(ask.id, ask.face));
    }
    case 'takeFor': {
      return await lane.inTurn(() => lane.takeFor(ask.engine, ask.id, ask.face));
    }
    case 'drop': {
      return await lane.inTurn(() => lane.drop(ask.id));
    }
    case 'hold': {
      return await lane.inTurn(() => lane.limitQuality(ask.on));
    }
    case 'swap': {
      return await lane.swap(ask.session, ask.frame, ask.dropped);
    }
    case 'analyse': {
      return await lane.analyse(ask.picture);
    }
    case 'enrol': {
      return await lane.inTurn(() => lane.enrol(ask.portraits));
    }
    case 'enrolFor': {
      return await lane.enrolFor(ask.engine, ask.portraits);
    }
    case 'end': {
      await Promise.all(inHand);
      return await lane.end();
    }
  }
}

async function serve(lane: Lane, message: LaneRequest): Promise<void> {
  try {
    const result = await answer(lane, message);
    const move = message.call === 'swap' ? [message.ask.frame.data.buffer] : [];
    say({ id: message.id, answer: result }, move);
  } catch (error) {
    say({ id: message.id, error: toWire(error) });
  }
  // Sessions of the models are closed, so the thread may end; it does so once nothing listens.
  if (message.call === 'end') port.close();
}

try {
  const lane = await Lane.start(
    workerData as LaneOptions,
    (error) => say({ fault: toWire(error) }),
    (news) => say({ news }),
  );
  port.on('message', (message: LaneRequest) => {
    const served: Promise<void> = serve(lane, message).finally(() => inHand.delete(served));
    if (message.call !== 'end') inHand.add(served);
  });
  say({ ready: true, loads: lane.loads });
} catch (error) {
  say({ ready: false, error: toWire(error) });
}
