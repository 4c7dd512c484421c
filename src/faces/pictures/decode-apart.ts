/** Decodes pictures of callers in a process of their own, which is ended where a picture holds it up. */

import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { RETRY_AFTER_MS } from '../../lib/error-body.ts';
import { root } from '../../lib/package-root.ts';
import { FaceOffError, fromWire, messageOf } from '../../shared/errors.ts';
import type { Frame } from '../../shared/types.ts';
import { checkBytes, type PictureLimits, tooSlow, unreadable } from '../portrait.ts';
import type { PictureReply, PictureRequest } from './picture-protocol.ts';

/** Longest start of the process, on a machine that is busy. */
const START_MS = 60_000;
/** What the process may take beyond the limit, which its decoder keeps by itself where it can. */
const BEYOND_MS = 1000;

/**
 * As `decodePicture`, with a time limit that holds for whatever the file makes the decoder do: its libraries read headers
 * and metadata without one (EXIF of 60 kB whose parts name each other takes 20 s), and a thread in native code cannot be ended. A
 * file that ends the decoder ends that process alone.
 * @param limits with `timeMs`.
 * @throws FaceOffError `bad_picture` (415), `picture_too_large` (413), `picture_too_slow` (422), `server_full` (503) where
 *   the system starts no process.
 */
export async function decodeApart(data: Uint8Array, limits: PictureLimits & { timeMs: number }): Promise<Frame> {
  checkBytes(data, limits);
  const child = start();
  let timer: NodeJS.Timeout | undefined;
  const endAfter = (ms: number, reject: (error: Error) => void, error: () => Error): void => {
    clearTimeout(timer);
    timer = setTimeout(() => reject(error()), ms);
  };
  try {
    const reply = await new Promise<Exclude<PictureReply, 'ready'>>((resolve, reject) => {
      endAfter(START_MS, reject, () => notStarted('it did not start in time'));
      let isReady = false;
      child.on('message', (message: PictureReply) => {
        if (message !== 'ready') resolve(message);
        else {
          isReady = true;
          endAfter(limits.timeMs + BEYOND_MS, reject, () => tooSlow(new Error('its process was ended')));
          child.send({ data, limits } satisfies PictureRequest, () => undefined);
        }
      });
      child.once('error', (error) => reject(notStarted(messageOf(error))));
      child.once('exit', (code, signal) => {
        const why = `its process ended with ${signal ?? `code ${code}`}`;
        reject(isReady ? unreadable(why) : notStarted(why));
      });
    });
    if ('error' in reply) throw fromWire(reply.error);
    return { ...reply.frame, data: new Uint8Array(reply.frame.data) };
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
  }
}

function start(): ChildProcess {
  try {
    return fork(path.join(root, 'dist/faces/picture.js'), [], {
      execArgv: [],
      env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
  } catch (error) {
    throw notStarted(messageOf(error));
  }
}

const notStarted = (why: string): FaceOffError =>
  new FaceOffError(
    'server_full',
    `The server cannot start a process for the picture (${why}). Try again in a moment.`,
    {
      details: { retryAfterMs: RETRY_AFTER_MS },
    },
  );
