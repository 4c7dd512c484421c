/** What each state of the stream says to the person, and what they can do about it. No DOM, so it is tested as it is. */

export type StreamState = 'stopped' | 'starting' | 'live' | 'reconnecting' | 'failed';

export interface Notice {
  title: string;
  text: string;
  /** Label of the one button, if there is something to do. */
  action?: string;
}

export const STATE_TEXT: Record<StreamState, string> = {
  stopped: 'Ready when you are.',
  starting: 'Starting…',
  live: 'Live',
  reconnecting: 'Connection lost, coming back…',
  failed: 'Stopped by a problem',
};

export const IDLE: Notice = {
  title: 'Your face, replaced while you move.',
  text: 'Choose a face and press Start. The picture is swapped on this machine and goes nowhere else.',
};
export const WAITING: Notice = { title: 'Starting…', text: 'Waiting for the first swapped picture.' };
export const RECONNECTING: Notice = { title: 'Connection lost', text: 'Trying to get it back. Your camera stays on.' };

/** What went wrong when the camera was asked for. @param error what getUserMedia rejected with, or null where there is none. */
export function cameraNotice(error: { name: string } | null): Notice {
  const action = 'Try again';
  switch (error?.name) {
    case undefined: {
      return {
        title: 'This page cannot use a camera',
        text: 'Browsers give cameras only to pages from this machine or over HTTPS. Open it at http://127.0.0.1 or set up HTTPS.',
      };
    }
    case 'NotAllowedError':
    case 'SecurityError': {
      return {
        title: 'The camera is not allowed',
        text: 'Allow it for this page: the camera or lock sign beside the address, then try again.',
        action,
      };
    }
    case 'NotFoundError': {
      return { title: 'No camera was found', text: 'Plug one in or switch it on, then try again.', action };
    }
    case 'NotReadableError':
    case 'AbortError': {
      return {
        title: 'The camera is busy',
        text: 'Another program seems to use it. Close that program, then try again.',
        action,
      };
    }
    case 'OverconstrainedError': {
      return {
        title: 'The camera cannot do this',
        text: 'It does not have that resolution, or it is gone. Choose another one, then try again.',
        action,
      };
    }
    default: {
      return { title: 'The camera did not start', text: `The browser says: ${error?.name}.`, action };
    }
  }
}

/** What the server answered when it turned the stream away. */
export function serverNotice({ code, message }: { code: string; message: string }): Notice {
  if (code === 'server_full') return { title: 'The server is full', text: `${message} Trying again by itself.` };
  return { title: 'The server refused the stream', text: message, action: 'Try again' };
}

/** Milliseconds to wait before the n-th attempt, counted from 0: doubles from half a second up to eight. */
export const backoffMs = (attempt: number): number => Math.min(8000, 500 * 2 ** attempt);

/** Milliseconds as people read them: one decimal below ten. */
export function showMs(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  return value < 10 ? value.toFixed(1) : String(Math.round(value));
}

export const showPercent = (share: number): string => `${Math.round(share * 100)} %`;
