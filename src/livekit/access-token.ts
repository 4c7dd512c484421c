/** Access tokens of LiveKit: JSON Web Tokens (RFC 7519), signed by HMAC with SHA-256. */

import { createHmac } from 'node:crypto';

/** The key and the secret that LiveKit and FaceOff share (`livekit.key`, `livekit.secret`). */
export interface LiveKitCredentials {
  key: string;
  secret: string;
}

/** Kinds of tracks that a token may be limited to. */
export type GrantedSource = 'camera' | 'microphone';

/** What a token allows (LiveKit's video grant). An absent `can…` of a token that joins a room allows it. */
export interface VideoGrant {
  roomJoin?: boolean;
  room?: string;
  canPublish?: boolean;
  canSubscribe?: boolean;
  canPublishData?: boolean;
  canPublishSources?: readonly GrantedSource[];
  canUpdateOwnMetadata?: boolean;
  /** A worker that takes jobs. */
  agent?: boolean;
  roomAdmin?: boolean;
  roomList?: boolean;
  roomCreate?: boolean;
}

/** How a room is made by the first participant that joins with the token. */
export interface RoomConfiguration {
  /** How long a room waits when its last participant has left, in seconds. */
  departureTimeout?: number;
  /** Workers that get a job for each publisher. */
  agents?: readonly { agentName: string }[];
}

/** The content of a token. */
export interface TokenContent {
  grant: VideoGrant;
  identity?: string;
  attributes?: Record<string, string>;
  roomConfig?: RoomConfiguration;
  /** How long the token opens a connection, in milliseconds; LiveKit renews it for participants that stay. */
  lifetimeMs: number;
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Signs a token. @param nowMs milliseconds since 1970. */
export function accessToken(
  { key, secret }: LiveKitCredentials,
  { grant, identity, attributes, roomConfig, lifetimeMs }: TokenContent,
  nowMs: number = Date.now(),
): string {
  const nowS = Math.floor(nowMs / 1000);
  const claims = {
    iss: key,
    ...(identity !== undefined && { sub: identity }),
    nbf: nowS,
    exp: nowS + Math.ceil(lifetimeMs / 1000),
    video: grant,
    ...(attributes !== undefined && { attributes }),
    ...(roomConfig !== undefined && { roomConfig }),
  };
  const text = `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}
