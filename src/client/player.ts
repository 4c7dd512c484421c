/** The page `/view/NAME`: a stream over the whole window and nothing else, for an OBS browser source. */

import { element } from './dom.ts';
import { Pulse } from './pulse.ts';
import { Whep } from './whep.ts';

const BEAT_MS = 250;
/** How often the server is asked what became of a stream without pictures. */
const CHECK_MS = 2000;

const video = element('video', HTMLVideoElement);
const pulse = new Pulse();
let checkedAtMs = 0;

const whep = new Whep({
  url: `/whep/${location.pathname.split('/')[2] ?? ''}`,
  onVideo(stream) {
    video.srcObject = stream;
    if (stream !== null) void video.play().catch(() => undefined);
  },
  // The page that comes then asks for the token.
  onLocked: () => location.reload(),
});

function beat(): void {
  const nowMs = performance.now();
  const isLive = pulse.beat(video.getVideoPlaybackQuality().totalVideoFrames, nowMs);
  document.body.dataset.state = isLive ? 'live' : 'waiting';
  if (isLive) checkedAtMs = nowMs;
  if (nowMs - checkedAtMs < CHECK_MS) return;
  checkedAtMs = nowMs;
  void whep.check();
}

setInterval(beat, BEAT_MS);
