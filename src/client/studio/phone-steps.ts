/** The steps of a phone that becomes a camera, in words. Free of the DOM, for tests. */

import type { CameraState, PhoneGuide, PhoneStep } from '../../shared/messages.ts';
import { t } from '../language/translate.ts';
import { noticeOf } from '../notices/stream-notices.ts';
import type { Reason } from '../peer/stream-state.ts';

/** A step as the panel shows it. */
export interface GuideStep {
  title: string;
  /** What to do on the phone; null where the step is done, or not yet its turn. */
  hint: string | null;
  state: 'done' | 'now' | 'later';
}

const ORDER: readonly PhoneStep[] = ['none', 'network', 'certificate', 'token', 'camera', 'live'];
/** States of a camera in which nothing is wrong. */
const FINE: ReadonlySet<CameraState | null> = new Set(['off', 'asking', 'open', null]);

/**
 * All steps; the first that is not done has a hint.
 * @param isRemote whether the phone is to be a remote control: its page is then open after the token.
 */
export function guideSteps({ selfSigned, step, camera }: PhoneGuide, isRemote = false): GuideStep[] {
  const steps: [PhoneStep, title: string, hint: string][] = [
    [
      'network',
      t('Same network'),
      t('Join the Wi-Fi of this machine, then scan the code or type the address, with https://.'),
    ],
    ['certificate', t('Certificate accepted'), certificateHint(selfSigned)],
    ['token', t('Token'), t('Type the server’s token (server.token) on the phone’s page.')],
    ['camera', t('Camera'), cameraHint(camera)],
    ['live', t('Live'), t('Waiting for the first picture. The phone’s page says what it waits for.')],
  ];
  const reached = ORDER.indexOf(step);
  return (isRemote ? steps.slice(0, ORDER.indexOf('token')) : steps).map(([name, title, hint]) => {
    const at = ORDER.indexOf(name);
    if (at <= reached) return { title, hint: null, state: 'done' };
    return at === reached + 1 ? { title, hint, state: 'now' } : { title, hint: null, state: 'later' };
  });
}

const certificateHint = (selfSigned: boolean): string =>
  selfSigned
    ? t(
        'The phone warns, as the server made its certificate itself. Choose “Advanced” or “Show details”, then go on to the page.',
      )
    : t('The phone’s browser does not trust the certificate (server.certificate), or opens the page just now.');

function cameraHint(camera: CameraState | null): string {
  if (camera === 'asking') return t('Allow the camera on the phone.');
  if (FINE.has(camera)) return t('Press “Start camera” on the phone.');
  const notice = noticeOf({ state: 'failed', reason: camera as Reason });
  return t('On the phone: {{title}}. {{text}}', { title: notice?.title ?? '', text: notice?.text ?? '' });
}
