/** Plays videos also where a browser refuses to begin by itself, as a phone in low-power mode does. */

import { t } from '../language/translate.ts';

/** Videos that wait for a tap. */
const waiting = new Set<HTMLVideoElement>();

/** Plays a video now or, where the browser wants one, at the next tap or key; the page says so meanwhile. */
export async function playVideo(video: HTMLVideoElement): Promise<void> {
  try {
    await video.play();
  } catch (error) {
    // A stream that was replaced meanwhile, or has ended, is none to wait for.
    if ((error as DOMException).name !== 'NotAllowedError') return;
    waiting.add(video);
    Object.assign(document.body.dataset, { tap: 'needed', tapText: t('Tap to play') });
  }
}

function playWaiting(): void {
  if (waiting.size === 0) return;
  delete document.body.dataset.tap;
  const videos = [...waiting];
  waiting.clear();
  for (const video of videos) void playVideo(video);
}

for (const event of ['pointerdown', 'keydown'] as const) addEventListener(event, playWaiting);
