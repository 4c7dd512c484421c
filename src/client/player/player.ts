/** The page `/view/NAME`: a stream over the whole window and nothing else, for an OBS browser source; with `?sound` it is heard. */

import { element } from '../lib/dom.ts';
import { PlaybackWatchdog } from '../peer/playback-watchdog.ts';
import { WhepPlayer } from '../peer/whep-player.ts';

const BEAT_MS = 250;
/** How often the server is asked what became of a stream without pictures. */
const CHECK_MS = 2000;

const video = element('video', HTMLVideoElement);
const isHeard = !['0', 'false', null].includes(new URLSearchParams(location.search).get('sound'));
const watchdog = new PlaybackWatchdog();
let checkedAtMs = 0;

const whep = new WhepPlayer({
  url: `/whep/${location.pathname.split('/')[2] ?? ''}`,
  sound: isHeard,
  onVideo(stream) {
    video.srcObject = stream;
    if (stream !== null) void play();
  },
  // The page that comes then asks for the token.
  onLocked: () => location.reload(),
});

/** OBS lets pages be heard at once; browsers only after a click, and show the picture until then. */
async function play(): Promise<void> {
  video.muted = !isHeard;
  try {
    await video.play();
  } catch {
    video.muted = true;
    if (isHeard) addEventListener('pointerdown', () => void play(), { once: true });
    await video.play().catch(() => undefined);
  }
}

function beat(): void {
  const nowMs = performance.now();
  const isLive = watchdog.beat(video.getVideoPlaybackQuality().totalVideoFrames, nowMs);
  document.body.dataset.state = isLive ? 'live' : 'waiting';
  if (isLive) checkedAtMs = nowMs;
  if (nowMs - checkedAtMs < CHECK_MS) return;
  checkedAtMs = nowMs;
  void whep.check();
}

setInterval(beat, BEAT_MS);
