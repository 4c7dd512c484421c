/**
 * The page `/view/NAME`: one stream over the whole window, for an OBS browser source. `?sound` plays its sound too.
 */

import '../language/page-language.ts';

import { t } from '../language/translate.ts';
import { announce, element } from '../lib/dom.ts';
import { onActivation, playVideo } from '../lib/play-video.ts';
import { PlaybackWatchdog } from '../peer/playback-watchdog.ts';
import { openPlayer } from '../transport/open-stream.ts';

const WATCH_EVERY_MS = 250;
/** How often a stream without pictures is checked at the server. */
const CHECK_MS = 2000;

const video = element('video', HTMLVideoElement);
const hasSound = !['0', 'false', null].includes(new URLSearchParams(location.search).get('sound'));
const watchdog = new PlaybackWatchdog();
let checkedAtMs = 0;

const player = await openPlayer({
  stream: location.pathname.match(/([^/]*)\/?$/)![1]!,
  sound: hasSound,
  onVideo(stream) {
    video.srcObject = stream;
    if (stream !== null) void play();
  },
  onModified(isModified) {
    announce('disclosure', isModified ? t('The face in this picture was modified by AI.') : '');
    video.setAttribute(
      'aria-label',
      isModified ? t('The stream. The face in this picture was modified by AI.') : t('The stream.'),
    );
    document.title = isModified ? t('AI face modified – FaceOff view') : t('FaceOff view');
  },
  // The server answers a reload with the login page.
  onLocked: () => location.reload(),
});

/** OBS lets pages play sound at once. Browsers do after a click, and play the picture alone until then. */
async function play(): Promise<void> {
  video.muted = !hasSound;
  try {
    await video.play();
  } catch {
    video.muted = true;
    if (hasSound) onActivation(() => void play());
    await playVideo(video);
  }
}

/** Shows on the page whether pictures come, and checks the stream at the server while none do. */
function watchPlayback(): void {
  const nowMs = performance.now();
  const isLive = watchdog.beat(video.getVideoPlaybackQuality().totalVideoFrames, nowMs);
  document.body.dataset.state = isLive ? 'live' : 'waiting';
  if (isLive) checkedAtMs = nowMs;
  if (nowMs - checkedAtMs < CHECK_MS) return;
  checkedAtMs = nowMs;
  void player.check();
}

setInterval(watchPlayback, WATCH_EVERY_MS);
