/** One person of a call on the page: their picture, name, and whether they speak. Another one's comes by WHEP. */

import type { CallPerson } from '../../shared/messages.ts';
import { createElement, icon } from '../lib/dom.ts';
import { PlaybackWatchdog } from '../peer/playback-watchdog.ts';
import { WhepPlayer } from '../peer/whep-player.ts';

const BEAT_MS = 250;
/** How often the server is asked what became of a stream without pictures. */
const CHECK_MS = 2000;

export class PersonTile {
  readonly place = createElement('li', { className: 'tile' });
  readonly video = createElement('video', { autoplay: true, playsInline: true });
  readonly #name = createElement('span', { className: 'tile-name' });
  readonly #initial = createElement('span', { className: 'tile-initial' }, { 'aria-hidden': 'true' });
  readonly #watchdog = new PlaybackWatchdog();
  #stream: string | null = null;
  #whep: WhepPlayer | null = null;
  #beat: ReturnType<typeof setInterval> | undefined;
  #checkedAtMs = 0;

  /** @param isOwn whether it shows this page's person, whose picture comes from elsewhere and whose sound never. */
  constructor(isOwn: boolean) {
    this.video.muted = isOwn;
    this.place.classList.toggle('own', isOwn);
    const label = createElement('p', { className: 'tile-label' }, {}, icon('mic-off'), this.#name);
    this.place.append(this.video, this.#initial, label);
    this.#beat = setInterval(() => this.#look(), BEAT_MS);
  }

  show({ name, muted, camera, speaking }: Omit<CallPerson, 'stream'>): void {
    const isOwn = this.place.classList.contains('own');
    this.#name.textContent = isOwn ? `${name} (you)` : name;
    this.#initial.textContent = [...name][0]?.toUpperCase() ?? '';
    Object.assign(this.place.dataset, { name, muted, camera, speaking });
    this.video.setAttribute('aria-label', isOwn ? 'You, as the others see you' : name);
    this.place.title = speaking ? `${name} is speaking` : muted ? `${name} is muted` : '';
  }

  /** Watches another person's stream; the same one goes on as it is. */
  watch(stream: string): void {
    if (stream === this.#stream) return;
    this.#whep?.close();
    this.#stream = stream;
    this.#whep = new WhepPlayer({
      url: `/whep/${stream}`,
      sound: true,
      onVideo: (media) => this.play(media),
      // The page that comes then asks for the token.
      onLocked: () => location.reload(),
    });
  }

  play(media: MediaStream | null): void {
    this.video.srcObject = media;
    if (media !== null) void this.video.play().catch(() => undefined);
  }

  /** Idempotent. */
  close(): void {
    clearInterval(this.#beat);
    this.#whep?.close();
    this.video.srcObject = null;
    this.place.remove();
  }

  #look(): void {
    const nowMs = performance.now();
    const isLive = this.#watchdog.beat(this.video.getVideoPlaybackQuality().totalVideoFrames, nowMs);
    this.place.dataset.live = String(isLive);
    if (isLive) this.#checkedAtMs = nowMs;
    if (nowMs - this.#checkedAtMs < CHECK_MS) return;
    this.#checkedAtMs = nowMs;
    void this.#whep?.check();
  }
}
