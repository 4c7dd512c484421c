/** Plays videos also where a browser refuses to begin by itself, as a phone in low-power mode does. */

import { t } from '../language/translate.ts';

/** Events after which a page may play (HTML standard, "activation triggering input event"): of a finger, only its lifting is one. */
const ACTIVATIONS = ['mousedown', 'pointerup', 'touchend', 'keydown'] as const;
/** Videos that wait for a tap. */
const waiting = new Set<HTMLVideoElement>();

/** Calls a listener once, at the next click, tap or key after which the page may play sound. */
export function onActivation(listener: () => void): void {
  const done = new AbortController();
  for (const event of ACTIVATIONS)
    addEventListener(
      event,
      () => {
        done.abort();
        listener();
      },
      { signal: done.signal },
    );
}

/** Plays a video now or, where the browser wants one, at the next tap or key; the page says so meanwhile. */
export async function playVideo(video: HTMLVideoElement): Promise<void> {
  try {
    await video.play();
  } catch (error) {
    // A stream that was replaced meanwhile, or has ended, is none to wait for.
    if ((error as DOMException).name !== 'NotAllowedError') return;
    waiting.add(video);
    if (waiting.size > 1) return;
    Object.assign(document.body.dataset, { tap: 'needed', tapText: t('Tap to play') });
    onActivation(playWaiting);
  }
}

function playWaiting(): void {
  delete document.body.dataset.tap;
  const videos = [...waiting];
  waiting.clear();
  for (const video of videos) void playVideo(video);
}
