/** What pages say of a stream's state. Free of the DOM, for tests. */

import type { SessionStats } from '../../shared/messages.ts';
import type { SwapSettings } from '../../shared/settings.ts';
import { errorText } from '../language/error-texts.ts';
import { say, t } from '../language/translate.ts';
import type { Reason, Situation } from '../peer/stream-state.ts';

/** What a notice's button does. */
export type NoticeAction = 'start' | 'retry' | 'reload';

/** What a page shows over the picture. */
export interface Notice {
  /** Short enough for the state line. */
  title: string;
  text: string;
  action?: { label: string; does: NoticeAction };
}

const START = { label: t('Start camera'), does: 'start' } as const;
const AGAIN = { label: t('Try again'), does: 'start' } as const;
const NOW = { label: t('Try now'), does: 'retry' } as const;

const NOTICES: Record<Exclude<Reason, 'live'>, Notice> = {
  welcome: {
    title: t('Ready'),
    text: t('Choose a face, then start your camera. Pictures are swapped by this server and kept nowhere.'),
    action: START,
  },
  stopped: { title: t('Stopped'), text: t('Your camera is off. Nothing is sent.'), action: START },
  asking: { title: t('Opening the camera'), text: t('If your browser asks, allow this page to use the camera.') },
  connecting: { title: t('Connecting'), text: t('Your camera is on. Reaching the server.') },
  waiting: { title: t('Almost there'), text: t('Connected. Waiting for the first picture.') },
  silent: {
    title: t('The camera sends no pictures'),
    text: t('Is its cover closed, or does another program use it? The picture goes on by itself.'),
  },
  lost: {
    title: t('Connection lost, coming back'),
    text: t('Your camera stays on; the picture goes on as soon as the server can be reached.'),
    action: NOW,
  },
  no_way: {
    title: t('No video gets through'),
    text: t(
      'The server answers, but a router or firewall stops the video. Join its network, or give it a TURN server (webrtc.iceServers). This page keeps trying.',
    ),
    action: NOW,
  },
  full: { title: t('The server is full'), text: t('This page keeps trying by itself.'), action: NOW },
  in_line: {
    title: t('All workers are full'),
    text: t('Your camera stays on. This page goes on by itself as soon as a worker has room.'),
    action: NOW,
  },
  takeover: {
    title: t('Another worker takes over'),
    text: t('Your camera stays on; the picture goes on in a moment.'),
  },
  taken: {
    title: t('The stream’s name is in use'),
    text: t('This page keeps trying by itself. Another name can be given under “Show in OBS, calls, streams”.'),
    action: NOW,
  },
  unready: {
    title: t('The server is getting ready'),
    text: t('It is loading its models. This page goes on by itself as soon as that is done.'),
    action: NOW,
  },
  unreachable: {
    title: t('The server does not answer'),
    text: t('Is FaceOff still running? This page goes on by itself as soon as it answers.'),
    action: NOW,
  },
  refused: { title: t('The server refused the stream'), text: t('The server did not say why.'), action: AGAIN },
  insecure: {
    title: t('This page may not use a camera'),
    text: t(
      'Browsers give cameras only to pages over HTTPS or from the machine itself. Write https:// before the address; on the server’s own machine, open http://127.0.0.1.',
    ),
    action: { label: t('Reload'), does: 'reload' },
  },
  denied: {
    title: t('The camera is not allowed'),
    text: t('Open the camera or lock sign beside the address, allow the camera for this page, then try again.'),
    action: AGAIN,
  },
  denied_by_system: {
    title: t('The system keeps the camera from the browser'),
    text: t('Allow the camera for this browser in the privacy settings of your system, then try again.'),
    action: AGAIN,
  },
  no_camera: {
    title: t('No camera found'),
    text: t('Plug one in or switch it on. This page notices it, or try again.'),
    action: AGAIN,
  },
  unplugged: {
    title: t('The camera is gone'),
    text: t('Plug it in again or connect another one; the picture then goes on by itself.'),
    action: AGAIN,
  },
  busy: {
    title: t('The camera is busy'),
    text: t('Another program seems to use it. Close that program or choose another camera, then try again.'),
    action: AGAIN,
  },
  unfit: {
    title: t('The camera cannot do this'),
    text: t('It does not give pictures of that size. Choose another resolution, then try again.'),
    action: AGAIN,
  },
  camera_failed: { title: t('The camera did not start'), text: t('The browser did not say why.'), action: AGAIN },
};

/** The server's or the browser's own words, the server's in the reader's language. */
const saidBy = ({ message, code }: Situation): string | undefined =>
  message === undefined || code === undefined ? message : errorText({ code, message });

/** The notice of a situation; null while the stream is live. */
export function noticeOf(situation: Situation): Notice | null {
  const { reason, place } = situation;
  const message = saidBy(situation);
  if (reason === 'live') return null;
  const notice = NOTICES[reason];
  if (place !== undefined) return { ...notice, title: t('{{title}}, place {{place}}', { title: notice.title, place }) };
  if (message === undefined) return notice;
  return {
    ...notice,
    text: reason === 'full' ? t('{{message}} This page keeps trying by itself.', { message }) : message,
  };
}

/** A situation in a few words, for the state line. */
export const stateText = (situation: Situation): string => noticeOf(situation)?.title ?? t('Live');

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
      return {
        reason: 'camera_failed',
        message: t('The browser says: {{words}}', { words: error.message || error.name }),
      };
    }
  }
}

/** A situation as it is shown while the camera gives no pictures, which is then why none comes back. */
export const seenSilent = (situation: Situation): Situation =>
  situation.reason === 'waiting' || situation.reason === 'connecting' ? { ...situation, reason: 'silent' } : situation;

/** What is said of a live picture whose camera gives no pictures. */
export const silentRemark = (): string => NOTICES.silent.title;

/** The statistics that remarks are made of. */
type Remarked = Pick<SessionStats, 'faces' | 'level' | 'plan'> & Partial<Pick<SessionStats, 'verdict'>>;

/** Why nothing in the picture is swapped now; null while something is, or nothing should be. */
export function remarkOf(
  { faces, level, plan, verdict }: Remarked,
  { on, face, choice, map, engine }: Pick<SwapSettings, 'on' | 'face' | 'choice' | 'map' | 'engine'>,
): string | null {
  if (verdict?.cause === 'content') return t('Picture hidden by the content check');
  const wanted = choice === 'mapped' ? Object.values(map).some((id) => id !== null) : face !== null;
  if (!on || !wanted || engine === 'none' || faces.some(({ swapped }) => swapped)) return null;
  if (verdict?.cause === 'size') return t('Pictures too large to be swapped: choose a lower resolution');
  if (level > 0 && plan === 'passthrough') return t('Too much to do: not swapping just now');
  return faces.length === 0 ? t('No face in sight') : t('Not swapped just now');
}

/** What limits the stream, for pages without the statistics panel; null while nothing does. */
export const limitOf = ({ verdict: { cause, text, said } }: Pick<SessionStats, 'verdict'>): string | null =>
  cause === 'good' ? null : say(said ?? { key: text });

const CALL_NOTICES: Partial<Record<Reason, Notice>> = {
  welcome: { title: t('Join the call'), text: t('Choose the face that the others see, then say who you are.') },
  stopped: { title: t('You left the call'), text: t('Camera and microphone are off. You can join again.') },
  asking: {
    title: t('Opening camera and microphone'),
    text: t('If your browser asks, allow this page to use camera and microphone.'),
  },
  lost: {
    title: t('Connection lost, coming back'),
    text: t('You are back in the call as soon as the server can be reached.'),
  },
  refused: { title: t('You could not join'), text: t('The server did not say why.') },
};

/** The notice of a situation on the call page. */
export function callNotice(situation: Situation): Notice {
  const { reason } = situation;
  const message = saidBy(situation);
  if (reason === 'live') return { title: t('In the call'), text: '' };
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
    return isGuarded ? t('Choose a face: until then your picture stands still') : t('The others see your real face');
  const remark = remarkOf(stats, settings);
  return remark !== null && isGuarded ? t('{{remark}}: your picture stands still', { remark }) : remark;
}
