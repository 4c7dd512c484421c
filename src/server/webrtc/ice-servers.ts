import { createHmac } from 'node:crypto';
import type { Config } from '../../config.ts';

/** A STUN or TURN server (W3C RTCIceServer). */
export interface IceServer {
  urls: string[];
  username?: string;
  credential?: string;
}

/**
 * The STUN and TURN servers in the form that clients need now. For a server with a shared secret it creates a user
 * name that expires and its signature (draft-uberti-behave-turn-rest; coturn calls it use-auth-secret): the
 * credentials of a page expire, and the secret stays on the server.
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
