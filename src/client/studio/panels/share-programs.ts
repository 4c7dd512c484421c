/** How the picture gets into other programs, two lines each. Free of the DOM, for tests. */

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
    ? `Make a camera: npm run -s faceoff -- camera --stream ${stream} --output /dev/video10 (docs/streams.md).`
    : 'In OBS, add this address as a source of the kind Browser and press Start Virtual Camera.';
const cameraName = ({ isLinux }: ShareFacts): string => (isLinux ? 'FaceOff' : 'OBS Virtual Camera');
const viaExtension = 'Install the extension (docs/calls.md) and switch it on for the site.';

/** A program with a choice of cameras. @param where its list of cameras is. */
const withCamera = (name: string, where: string, href: string): ShareProgram => ({
  name,
  steps: (facts) => [viaCamera(facts), `In ${name}, ${where}, choose ${cameraName(facts)}.`],
  link: () => ({ text: `Open ${name}`, href }),
});

/** A page whose cameras the extension adds to. */
const inBrowser = (name: string, where: string, href: string): ShareProgram => ({
  name,
  steps: () => [viaExtension, `In ${name}, ${where}, choose FaceOff Camera.`],
  link: () => ({ text: `Open ${name}`, href }),
});

/** The programs, in the order of the list. */
export const SHARE_PROGRAMS: readonly ShareProgram[] = [
  {
    name: 'OBS',
    steps: ({ isLocked }) => [
      `In OBS, add a source of the kind Browser and paste this address as its URL${isLocked ? ', with ?token= and the server’s token after it' : ''}.`,
      'Give it the size of your camera. It is clear until you start, and comes back by itself.',
    ],
    link: ({ address }) => ({ text: 'Open the picture', href: address }),
  },
  inBrowser('Meet', 'under Settings → Video', 'https://meet.google.com/new'),
  withCamera('Zoom', 'under Settings → Video', 'https://app.zoom.us/wc/home'),
  withCamera('Teams', 'under Settings → Devices', 'https://teams.microsoft.com/v2/'),
  withCamera('Discord', 'under Settings → Voice & Video', 'https://discord.com/app'),
  {
    name: 'Twitch',
    steps: ({ stream }) => [
      'Copy the stream key from Twitch, and set FACEOFF_OUTPUT_TOKEN to it in a terminal.',
      `npm run -s faceoff -- camera --stream ${stream} --output whip+https://g.webrtc.live-video.net:4443/v2/offer`,
    ],
    link: () => ({ text: 'Open the key’s page', href: 'https://dashboard.twitch.tv/settings/stream' }),
  },
  inBrowser('VDO.Ninja', 'under Add your Camera', 'https://vdo.ninja/?push'),
];
