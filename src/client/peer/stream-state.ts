/** The states of a stream, and their texts for people. Free of the DOM, for tests. */

import type { CameraState, SessionStats } from '../../shared/messages.ts';
import type { SwapSettings } from '../../shared/settings.ts';

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
  /** Place in the line for a worker, with `in_line`. */
  place?: number;
}

/** What a notice's button does. */
export type NoticeAction = 'start' | 'retry' | 'reload';

/** What a page shows over the picture. */
export interface Notice {
  /** Short enough for the state line. */
  title: string;
  text: string;
  action?: { label: string; does: NoticeAction };
}

const START = { label: 'Start camera', does: 'start' } as const;
const AGAIN = { label: 'Try again', does: 'start' } as const;
const NOW = { label: 'Try now', does: 'retry' } as const;

const NOTICES: Record<Exclude<Reason, 'live'>, Notice> = {
  welcome: {
    title: 'Ready',
    text: 'Choose a face, then start your camera. Pictures are swapped by this server and kept nowhere.',
    action: START,
  },
  stopped: { title: 'Stopped', text: 'Your camera is off. Nothing is sent.', action: START },
  asking: { title: 'Opening the camera', text: 'If your browser asks, allow this page to use it.' },
  connecting: { title: 'Connecting', text: 'Your camera is on. Reaching the server.' },
  waiting: { title: 'Almost there', text: 'Connected. Waiting for the first picture.' },
  lost: {
    title: 'Connection lost, coming back',
    text: 'Your camera stays on; the picture goes on as soon as the server can be reached.',
    action: NOW,
  },
  no_way: {
    title: 'No video gets through',
    text: 'The server answers, but a router or firewall stops the video. Join its network, or give it a TURN server (webrtc.iceServers). This page keeps trying.',
    action: NOW,
  },
  full: { title: 'The server is full', text: 'This page keeps trying by itself.', action: NOW },
  in_line: {
    title: 'All workers are full',
    text: 'Your camera stays on. This page goes on by itself as soon as a worker has room.',
    action: NOW,
  },
  takeover: {
    title: 'Another worker takes over',
    text: 'Your camera stays on; the picture goes on in a moment.',
  },
  taken: {
    title: 'The stream’s name is in use',
    text: 'This page keeps trying by itself. Another name can be given under “Show in OBS”.',
    action: NOW,
  },
  unready: {
    title: 'The server is getting ready',
    text: 'It is loading its models. This page goes on by itself as soon as that is done.',
    action: NOW,
  },
  unreachable: {
    title: 'The server does not answer',
    text: 'Is FaceOff still running? This page goes on by itself as soon as it answers.',
    action: NOW,
  },
  refused: { title: 'The server refused the stream', text: 'It did not say why.', action: AGAIN },
  insecure: {
    title: 'This page may not use a camera',
    text: 'Browsers give cameras only to pages over HTTPS or from the machine itself. Write https:// before the address; on the server’s own machine, open http://127.0.0.1.',
    action: { label: 'Reload', does: 'reload' },
  },
  denied: {
    title: 'The camera is not allowed',
    text: 'Open the camera or lock sign beside the address, allow the camera for this page, then try again.',
    action: AGAIN,
  },
  denied_by_system: {
    title: 'The system keeps the camera from the browser',
    text: 'Allow the camera for this browser in the privacy settings of your system, then try again.',
    action: AGAIN,
  },
  no_camera: {
    title: 'No camera found',
    text: 'Plug one in or switch it on. This page notices it, or try again.',
    action: AGAIN,
  },
  unplugged: {
    title: 'The camera is gone',
    text: 'Plug it in again or connect another one; the picture then goes on by itself.',
    action: AGAIN,
  },
  busy: {
    title: 'The camera is busy',
    text: 'Another program seems to use it. Close that program or choose another camera, then try again.',
    action: AGAIN,
  },
  unfit: {
    title: 'The camera cannot do this',
    text: 'It does not give pictures of that size. Choose another resolution, then try again.',
    action: AGAIN,
  },
  camera_failed: { title: 'The camera did not start', text: 'The browser did not say why.', action: AGAIN },
};

/** The notice of a situation; null while the stream is live. */
export function noticeOf({ reason, message, place }: Situation): Notice | null {
  if (reason === 'live') return null;
  const notice = NOTICES[reason];
  if (place !== undefined) return { ...notice, title: `${notice.title}, place ${place}` };
  if (message === undefined) return notice;
  return { ...notice, text: reason === 'full' ? `${message} ${notice.text}` : message };
}

/** A situation in a few words, for the state line. */
export const stateText = (situation: Situation): string => noticeOf(situation)?.title ?? 'Live';

/** The reason why a camera did not open. @param error what getUserMedia rejected with. */
export function cameraProblem(error: { name: string; message?: string }): Omit<Situation, 'state'> {
  switch (error.name) {
    case 'NotAllowedError': {
      return { reason: /system/i.test(error.message ?? '') ? 'denied_by_system' : 'denied' };
    }
    case 'SecurityError': {
      return { reason: 'denied' };
    }
    case 'NotFoundError': {
      return { reason: 'no_camera' };
    }
    case 'NotReadableError':
    case 'AbortError': {
      return { reason: 'busy' };
    }
    case 'OverconstrainedError': {
      return { reason: 'unfit' };
    }
    default: {
      return { reason: 'camera_failed', message: `The browser says: ${error.message || error.name}` };
    }
  }
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

/** The statistics that remarks are made of. */
type Remarked = Pick<SessionStats, 'faces' | 'level' | 'plan'> & Partial<Pick<SessionStats, 'verdict'>>;

/** Why nothing in the picture is swapped now; null while something is, or nothing should be. */
export function remarkOf(
  { faces, level, plan, verdict }: Remarked,
  { on, face, choice, map, engine }: Pick<SwapSettings, 'on' | 'face' | 'choice' | 'map' | 'engine'>,
): string | null {
  if (verdict?.cause === 'content') return 'Picture hidden by the content check';
  const wanted = choice === 'mapped' ? Object.values(map).some((id) => id !== null) : face !== null;
  if (!on || !wanted || engine === 'none' || faces.some(({ swapped }) => swapped)) return null;
  if (verdict?.cause === 'size') return 'Pictures too large to be swapped: choose a lower resolution';
  if (level > 0 && plan === 'passthrough') return 'Too much to do: not swapping just now';
  return faces.length === 0 ? 'No face in sight' : 'Not swapped just now';
}

/** What limits the stream, for pages without the statistics panel; null while nothing does. */
export const limitOf = ({ verdict: { cause, text } }: Pick<SessionStats, 'verdict'>): string | null =>
  cause === 'good' ? null : text;

const CALL_NOTICES: Partial<Record<Reason, Notice>> = {
  welcome: { title: 'Join the call', text: 'Choose the face that the others see, then say who you are.' },
  stopped: { title: 'You left the call', text: 'Camera and microphone are off. You can join again.' },
  asking: { title: 'Opening camera and microphone', text: 'If your browser asks, allow this page to use them.' },
  lost: {
    title: 'Connection lost, coming back',
    text: 'You are back in the call as soon as the server can be reached.',
  },
  refused: { title: 'You could not join', text: 'The server did not say why.' },
};

/** The notice of a situation on the call page. */
export function callNotice(situation: Situation): Notice {
  const { reason, message } = situation;
  if (reason === 'live') return { title: 'In the call', text: '' };
  const own = CALL_NOTICES[reason];
  if (own === undefined) return noticeOf(situation)!;
  return message === undefined ? own : { ...own, text: message };
}

/** As `remarkOf`, for the call page, where a guarded picture stands still rather than show the real face. */
export function callRemark(
  stats: Remarked,
  settings: Pick<SwapSettings, 'on' | 'face' | 'choice' | 'map' | 'engine' | 'guarded'>,
): string | null {
  const isGuarded = settings.guarded;
  if (settings.face === null)
    return isGuarded ? 'Choose a face: until then your picture stands still' : 'The others see your real face';
  const remark = remarkOf(stats, settings);
  return remark !== null && isGuarded ? `${remark}: your picture stands still` : remark;
}
