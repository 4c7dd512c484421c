/** Entry point of the process that decodes one picture. It ends with its parent, or is ended by it. */

import { toWire } from '../../shared/errors.ts';
import { decodePicture } from '../portrait.ts';
import type { PictureReply, PictureRequest } from './picture-protocol.ts';

/** A thread that still decodes would hold up an end in order. */
const end = (): void => void process.kill(process.pid, 'SIGKILL');

const post = (reply: PictureReply, then: () => void = () => undefined): void => void process.send?.(reply, then);

// Ctrl-C reaches the whole process group; the parent ends this process when it is done with it.
process.on('SIGINT', () => undefined);
process.once('disconnect', end);
process.once('message', async ({ data, limits }: PictureRequest) => {
  try {
    post({ frame: await decodePicture(data, limits) }, end);
  } catch (error) {
    post({ error: toWire(error) }, end);
  }
});
post('ready');
