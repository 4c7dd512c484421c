import { MessageChannel } from 'node:worker_threads';
import type { Frame } from '../../shared/types.ts';

const { port1: closedPort } = new MessageChannel();
closedPort.close();

/**
 * Frees a frame's memory at once; the frame has no data afterwards and must not be shared. Left to the garbage
 * collector, thirty buffers of half a megabyte per second would make it stop the main thread.
 */
export function releaseBuffer({ data }: Frame): void {
  // A buffer that is transferred to a closed port is freed. ArrayBuffer.transfer, the direct way, needs Node 21.
  closedPort.postMessage(null, [data.buffer]);
}
