/** The STUN and TURN servers as they are told to those who need them now. */

import { createHmac } from 'node:crypto';
import type { Config } from '../../config.ts';

export interface IceServer {
  urls: string[];
  username?: string;
  credential?: string;
}

/**
 * A server with a shared secret gets a user name that ends in time and its signature (draft-uberti-behave-turn-rest, which
 * coturn calls use-auth-secret): what a page is told is of no use later, and the secret stays here.
 */
export function iceServersOf(
  { iceServers, turnLifetimeMs }: Pick<Config['webrtc'], 'iceServers' | 'turnLifetimeMs'>,
  nowMs: number = Date.now(),
): IceServer[] {
  return iceServers.map(({ urls, username, credential, secret }) => {
    if (secret !== undefined) {
      const until = `${Math.floor((nowMs + turnLifetimeMs) / 1000)}:faceoff`;
      return { urls, username: until, credential: createHmac('sha1', secret).update(until).digest('base64') };
    }
    return { urls, ...(username && { username }), ...(credential && { credential }) };
  });
}
