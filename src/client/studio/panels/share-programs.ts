/** How the picture gets into other programs, two lines each. Free of the DOM, for tests. */

import { t } from '../../language/translate.ts';

/** What the lines speak of. */
export interface ShareFacts {
  /** Address of the picture alone. */
  address: string;
  /** Name of the stream. */
  stream: string;
  /** Whether the page runs under Linux, where FaceOff makes a camera itself. */
  isLinux: boolean;
  /** Whether the server wants its token. */
  isLocked: boolean;
}

/** One program or service. */
export interface ShareProgram {
  name: string;
  /** Two sentences or commands, in the order in which they are done. */
  steps(facts: ShareFacts): readonly [string, string];
  /** What a button opens, and its text. */
  link(facts: ShareFacts): { text: string; href: string };
}

const viaCamera = ({ stream, isLinux }: ShareFacts): string =>
  isLinux
    ? t('Make a camera (see docs/streams.md): {{command}}', {
        command: `npm run -s faceoff -- camera --stream ${stream} --output /dev/video10`,
      })
    : t('In OBS, add this address as a source of the kind Browser and press Start Virtual Camera.');
const cameraName = ({ isLinux }: ShareFacts): string => (isLinux ? 'FaceOff' : 'OBS Virtual Camera');
const viaExtension = t('Install the extension (docs/calls.md) and switch it on for the site.');

/** Says where a program has its list of cameras, and which one of them to choose. */
type CameraChoice = (names: { camera: string }) => string;

/** A program with a choice of cameras. */
const withCamera = (name: string, choice: CameraChoice, href: string): ShareProgram => ({
  name,
  steps: (facts) => [viaCamera(facts), choice({ camera: cameraName(facts) })],
  link: () => ({ text: t('Open {{program}}', { program: name }), href }),
});

/** A page whose cameras the extension adds to. */
const inBrowser = (name: string, choice: CameraChoice, href: string): ShareProgram => ({
  name,
  steps: () => [viaExtension, choice({ camera: 'FaceOff Camera' })],
  link: () => ({ text: t('Open {{program}}', { program: name }), href }),
});

/** The programs, in the order of the list. */
export const SHARE_PROGRAMS: readonly ShareProgram[] = [
  {
    name: 'OBS',
    steps: ({ isLocked }) => [
      isLocked
        ? t(
            'In OBS, add a source of the kind Browser and paste this address as its URL, with ?token= and the server’s token after it.',
          )
        : t('In OBS, add a source of the kind Browser and paste this address as its URL.'),
      t('Give it the size of your camera. It is clear until you start, and comes back by itself.'),
    ],
    link: ({ address }) => ({ text: t('Open the picture'), href: address }),
  },
  inBrowser(
    'Meet',
    (names) => t('In Meet, under Settings → Video, choose {{camera}}.', names),
    'https://meet.google.com/new',
  ),
  withCamera(
    'Zoom',
    (names) => t('In Zoom, under Settings → Video, choose {{camera}}.', names),
    'https://app.zoom.us/wc/home',
  ),
  withCamera(
    'Teams',
    (names) => t('In Teams, under Settings → Devices, choose {{camera}}.', names),
    'https://teams.microsoft.com/v2/',
  ),
  withCamera(
    'Discord',
    (names) => t('In Discord, under Settings → Voice & Video, choose {{camera}}.', names),
    'https://discord.com/app',
  ),
  {
    name: 'Twitch',
    steps: ({ stream }) => [
      t('Copy the stream key from Twitch, and set FACEOFF_OUTPUT_TOKEN to it in a terminal.'),
      t('Run there: {{command}}', {
        command: `npm run -s faceoff -- camera --stream ${stream} --output whip+https://g.webrtc.live-video.net:4443/v2/offer`,
      }),
    ],
    link: () => ({ text: t('Open the key’s page'), href: 'https://dashboard.twitch.tv/settings/stream' }),
  },
  inBrowser(
    'VDO.Ninja',
    (names) => t('In VDO.Ninja, under Add your Camera, choose {{camera}}.', names),
    'https://vdo.ninja/?push',
  ),
];
