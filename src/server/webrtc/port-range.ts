/** The range of UDP ports of `webrtc.portMin` and `portMax`. A peer takes one port, for all its media. */

import type { Config } from '../../config.ts';
import { RETRY_AFTER_MS } from '../../lib/error-body.ts';
import { FaceOffError } from '../../shared/errors.ts';

/** Number of ports of the range; Infinity where any port may be used. */
export const portCount = ({ portMin, portMax }: Config['webrtc']): number =>
  portMax > 0 ? portMax - portMin + 1 : Number.POSITIVE_INFINITY;

/**
 * Refuses another peer where every port is taken: it would be answered, and never be reached.
 * @throws FaceOffError `ports_taken` (503, details: retryAfterMs).
 */
export function checkPorts(webrtc: Config['webrtc'], openPeers: number): void {
  const count = portCount(webrtc);
  if (openPeers < count) return;
  throw new FaceOffError(
    'ports_taken',
    `All ${count} ports of webrtc.portMin to portMax are taken. Try again in a moment, or widen the range.`,
    { details: { retryAfterMs: RETRY_AFTER_MS } },
  );
}
