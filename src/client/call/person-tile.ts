/** The tile of one person in a call. */

import { MARK_WORDS } from '../../shared/duties/disclosure-duty.ts';
import type { CallPerson } from '../../shared/messages.ts';
import { t } from '../language/translate.ts';
import { createElement, icon } from '../lib/dom.ts';
import { playVideo } from '../lib/play-video.ts';
import type { PlayerConf, StreamPlayer } from '../peer/connection-conf.ts';
import { PlaybackWatchdog } from '../peer/playback-watchdog.ts';

const WATCH_EVERY_MS = 250;
/** How often a stream without pictures is checked at the server. */
const CHECK_MS = 2000;

/** Shows a person's picture, name, and whether they speak. */
export class PersonTile {
  readonly place = createElement('li', { className: 'tile' });
  readonly video = createElement('video', { autoplay: true, playsInline: true });
  readonly #name = createElement('span', { className: 'tile-name', dir: 'auto', translate: false });
  readonly #modified = createElement('span', { className: 'tile-ai', textContent: t(MARK_WORDS), hidden: true });
  readonly #initial = createElement('span', { className: 'tile-initial', translate: false }, { 'aria-hidden': 'true' });
  readonly #watchdog = new PlaybackWatchdog();
  #label = '';
  #stream: string | null = null;
  readonly #open: (conf: PlayerConf) => StreamPlayer;
  #player: StreamPlayer | null = null;
  #watchTimer: ReturnType<typeof setInterval> | undefined;
  #checkedAtMs = 0;

  /**
   * @param isOwn whether the tile is this page's own person, whose picture comes by `play` and whose sound stays off.
   * @param open plays another person's stream.
   */
  constructor(isOwn: boolean, open: (conf: PlayerConf) => StreamPlayer) {
    this.#open = open;
    this.video.muted = isOwn;
    this.place.classList.toggle('own', isOwn);
    const label = createElement('p', { className: 'tile-label' }, {}, icon('mic-off'), this.#name, this.#modified);
    this.place.append(this.video, this.#initial, label);
    this.#watchTimer = setInterval(() => this.#watchPlayback(), WATCH_EVERY_MS);
  }

  /** Shows the person's name and state. */
  show({ name, muted, camera, speaking }: Omit<CallPerson, 'stream'>): void {
    const isOwn = this.place.classList.contains('own');
    this.#name.textContent = isOwn ? t('{{name}} (you)', { name }) : name;
    this.#initial.textContent = [...name][0]?.toUpperCase() ?? '';
    Object.assign(this.place.dataset, { name, muted, camera, speaking });
    this.#label = isOwn ? t('You') : name;
    this.disclose(!this.#modified.hidden);
    this.place.title = speaking ? t('{{name}} is speaking', { name }) : muted ? t('{{name}} is muted', { name }) : '';
  }

  /** Shows, and tells screen readers, whether the person's face is modified. */
  disclose(isModified: boolean): void {
    this.#modified.hidden = !isModified;
    this.video.setAttribute(
      'aria-label',
      isModified ? t('{{name}}; face modified by AI', { name: this.#label }) : this.#label,
    );
  }

  /** Plays another person's stream; the same stream goes on uninterrupted. */
  watch(stream: string): void {
    if (stream === this.#stream) return;
    this.#player?.close();
    this.#stream = stream;
    this.#player = this.#open({
      stream,
      sound: true,
      onVideo: (media) => this.play(media),
      onModified: (isModified) => this.disclose(isModified),
      // The server answers a reload with the login page.
      onLocked: () => location.reload(),
    });
  }

  /** Shows a stream; null shows none. */
  play(media: MediaStream | null): void {
    this.video.srcObject = media;
    if (media !== null) void playVideo(this.video);
  }

  /** Ends the stream and removes the tile. Idempotent. */
  close(): void {
    clearInterval(this.#watchTimer);
    this.#player?.close();
    this.video.srcObject = null;
    this.place.remove();
  }

  #watchPlayback(): void {
    const nowMs = performance.now();
    const isLive = this.#watchdog.beat(this.video.getVideoPlaybackQuality().totalVideoFrames, nowMs);
    this.place.dataset.live = String(isLive);
    if (isLive) this.#checkedAtMs = nowMs;
    if (nowMs - this.#checkedAtMs < CHECK_MS) return;
    this.#checkedAtMs = nowMs;
    void this.#player?.check();
  }
}
