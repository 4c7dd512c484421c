/** Plays a stream of a LiveKit cluster, and comes back whenever the server, the path or LiveKit is gone. */

import { type Room, RoomEvent } from 'livekit-client';
import { backoffMs } from '../lib/backoff.ts';
import type { PlayerConf, StreamPlayer } from '../peer/connection-conf.ts';
import { askToWatch, RefusedRequest } from './cluster-requests.ts';
import { liveKitRoom } from './livekit-room.ts';
import { SwappedPictures } from './swapped-pictures.ts';

/** Enters the stream's room when it is made, as a viewer. */
export class LiveKitPlayer implements StreamPlayer {
  readonly #conf: PlayerConf;
  readonly #end = new AbortController();
  #room: Room | null = null;
  #failures = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(conf: PlayerConf) {
    this.#conf = conf;
    const { signal } = this.#end;
    void this.#open();
    addEventListener('online', () => this.#retryAfter(0), { signal });
    // A page that comes back from the browser's cache finds its rooms left.
    addEventListener('pageshow', ({ persisted }) => persisted && this.#retryAfter(0), { signal });
  }

  /** LiveKit tells by itself when a room is lost, or has pictures again. */
  async check(): Promise<void> {}

  close(): void {
    this.#end.abort();
    clearTimeout(this.#retryTimer);
    const room = this.#room;
    this.#room = null;
    void room?.disconnect();
  }

  async #open(): Promise<void> {
    if (this.#room !== null || this.#end.signal.aborted) return;
    const room = liveKitRoom();
    this.#room = room;
    const { sound = false, onVideo, onModified } = this.#conf;
    const pictures = new SwappedPictures(room, { sound, onVideo, ...(onModified !== undefined && { onModified }) });
    room.on(RoomEvent.Disconnected, () => {
      pictures.close();
      this.#lost(room);
    });
    try {
      const { url, token } = await askToWatch(this.#conf.stream);
      if (room !== this.#room) return;
      await room.connect(url, token, { autoSubscribe: false });
      if (room !== this.#room) return void room.disconnect();
      this.#failures = 0;
      pictures.begin();
    } catch (error) {
      if (error instanceof RefusedRequest && error.status === 401) this.#conf.onLocked();
      this.#lost(room);
    }
  }

  #lost(room: Room): void {
    if (room !== this.#room) return;
    this.#room = null;
    this.#retryAfter(backoffMs(this.#failures++));
  }

  #retryAfter(ms: number): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => void this.#open(), ms);
  }
}
