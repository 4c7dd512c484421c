/** What the `livekit` section of config.yaml says, where it is complete. */

import type { Config } from '../config.ts';
import { FaceOffError } from '../shared/errors.ts';
import type { LiveKitAddress } from './livekit-api.ts';
import type { TicketIssuer } from './stream-tokens.ts';

/** Where LiveKit is, and what opens it. @throws FaceOffError `no_livekit` (409) where none is set. */
export function liveKitOf({ livekit: { url, key, secret } }: Pick<Config, 'livekit'>): LiveKitAddress {
  if (url !== null && key !== null && secret !== null) return { url, key, secret };
  throw new FaceOffError(
    'no_livekit',
    'No LiveKit is set. Set livekit.url, and the variables FACEOFF_LIVEKIT_KEY and FACEOFF_LIVEKIT_SECRET.',
  );
}

/** What makes tokens. @throws FaceOffError `no_livekit` (409) where none is set. */
export function issuerOf(config: Pick<Config, 'livekit'>): TicketIssuer {
  const { agentName, tokenLifetimeMs } = config.livekit;
  const { key, secret } = liveKitOf(config);
  return { key, secret, agentName, lifetimeMs: tokenLifetimeMs };
}
