/** The states of a stream. Free of the DOM, for tests. */

import type { CameraState } from '../../shared/messages.ts';

/** `idle`: never started. `failed`: not tried again by itself. */
export type State = 'idle' | 'starting' | 'live' | 'reconnecting' | 'stopped' | 'failed';

/** What changes a state. `lost` is tried again, `refused` is not. */
export type StateEvent = 'start' | 'picture' | 'lost' | 'refused' | 'stop';

/** Whether the stream is on, or comes back by itself. */
export const isActive = (state: State): boolean => state === 'starting' || state === 'live' || state === 'reconnecting';

/** The state after an event. Events of a stream that was stopped or failed change nothing, other than `start`. */
export function nextState(state: State, event: StateEvent): State {
  if (event === 'start') return 'starting';
  if (!isActive(state)) return state;
  switch (event) {
    case 'picture': {
      return 'live';
    }
    case 'lost': {
      return 'reconnecting';
    }
    case 'refused': {
      return 'failed';
    }
    case 'stop': {
      return 'stopped';
    }
  }
}

/** The reason for a state; each has a notice. */
export type Reason =
  | 'welcome'
  | 'stopped'
  | 'asking'
  | 'connecting'
  | 'waiting'
  | 'silent'
  | 'live'
  | 'lost'
  | 'no_way'
  | 'full'
  | 'in_line'
  | 'takeover'
  | 'taken'
  | 'unready'
  | 'unreachable'
  | 'refused'
  | 'insecure'
  | 'denied'
  | 'denied_by_system'
  | 'no_camera'
  | 'unplugged'
  | 'busy'
  | 'unfit'
  | 'camera_failed';

/** The state of a stream with its reason. */
export interface Situation {
  state: State;
  reason: Reason;
  /** The server's or the browser's own words, for people. */
  message?: string;
  /** The code of the server's error that `message` is of. */
  code?: string;
  /** Place in the line for a worker, with `in_line`. */
  place?: number;
}

/** Reasons that are states of the camera. */
const CAMERA_REASONS: ReadonlySet<string> = new Set<CameraState>([
  'asking',
  'insecure',
  'denied',
  'denied_by_system',
  'no_camera',
  'unplugged',
  'busy',
  'unfit',
  'camera_failed',
]);

/** What a situation says of the page's camera. */
export function cameraStateOf({ state, reason }: Situation): CameraState {
  if (CAMERA_REASONS.has(reason)) return reason as CameraState;
  return isActive(state) ? 'open' : 'off';
}

/** Codes of refusals that are worth another try. */
const TRANSIENT = new Set([
  'server_full',
  'ports_taken',
  'server_stopping',
  'stream_taken',
  'session_closed',
  'lane_lost',
  'internal',
]);

/** The state event and the reason for the server's refusal of an offer. */
export function refusalText({ code, message }: { code: string; message: string }): {
  event: 'lost' | 'refused';
  reason: Reason;
  message: string;
} {
  if (!TRANSIENT.has(code)) return { event: 'refused', reason: 'refused', message };
  const reasons: Record<string, Reason> = { server_full: 'full', ports_taken: 'full', stream_taken: 'taken' };
  return { event: 'lost', reason: reasons[code] ?? 'lost', message };
}

/** How long the server asks to wait, in milliseconds, at most a minute; null where it does not ask. */
export function retryAfterMs(details: unknown): number | null {
  const wait = (details as { retryAfterMs?: unknown } | null | undefined)?.retryAfterMs;
  return typeof wait === 'number' && wait >= 0 ? Math.min(wait, 60_000) : null;
}
