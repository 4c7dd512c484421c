/** The worker thread: answers the questions of protocol.ts with a Lane, one at a time. */

import { parentPort, workerData } from 'node:worker_threads';
import { toWire } from '../errors.ts';
import { Lane } from './lane.ts';
import type { Answer, Ask, Fault, LaneOptions, Started } from './protocol.ts';

const port = parentPort!;

function say(message: Answer | Started | Fault, move: ArrayBuffer[] = []): void {
  port.postMessage(message, move);
}

async function answer(lane: Lane, { call, ask }: Ask): Promise<unknown> {
  switch (call) {
    case 'open': {
      return lane.open(ask.session, ask.settings);
    }
    case 'set': {
      return lane.set(ask.session, ask.settings);
    }
    case 'close': {
      return lane.close(ask.session);
    }
    case 'take': {
      return lane.take(ask.id, ask.face);
    }
    case 'takeFor': {
      return lane.takeFor(ask.engine, ask.id, ask.face);
    }
    case 'drop': {
      return lane.drop(ask.id);
    }
    case 'swap': {
      return await lane.swap(ask.session, ask.frame);
    }
    case 'analyse': {
      return await lane.analyse(ask.picture);
    }
    case 'enrol': {
      return lane.enrol(ask.portraits);
    }
    case 'enrolFor': {
      return await lane.enrolFor(ask.engine, ask.portraits);
    }
    case 'crash': {
      return process.exit(1);
    }
    case 'end': {
      return await lane.end();
    }
  }
}

async function serve(lane: Lane, message: Ask): Promise<void> {
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
  const lane = await Lane.start(workerData as LaneOptions, (error) => say({ fault: toWire(error) }));
  // All streams share the kernels' memory, so questions wait for each other.
  let last: Promise<void> = Promise.resolve();
  port.on('message', (message: Ask) => {
    last = last.then(() => serve(lane, message));
  });
  say({ ready: true, loads: lane.loads });
} catch (error) {
  say({ ready: false, error: toWire(error) });
}
