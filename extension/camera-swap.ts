/**
 * One camera's way to the server and back, in the page. The track that comes of it stays the same when the connection is
 * lost: it stands still, comes back by itself, and never shows the camera as it is.
 */

import { backoffMs } from '../src/client/lib/backoff.ts';
import { iceServersInLinks } from '../src/client/peer/link-header.ts';
import { preferVp8 } from '../src/client/peer/prefer-codec.ts';
import { askExtension } from './ask-extension.ts';

/** Chromium's way to make tracks of pictures (W3C MediaStreamTrack Insertable Media Processing, first edition). */
interface Generator extends MediaStreamTrack {
  writable: WritableStream<VideoFrame>;
}
declare const MediaStreamTrackGenerator: new (init: { kind: 'video' }) => Generator;
declare const MediaStreamTrackProcessor: new (init: {
  track: MediaStreamTrack;
}) => {
  readable: ReadableStream<VideoFrame>;
};

interface Attempt {
  peer: RTCPeerConnection;
  session: number | null;
}

/** From the offer to the first picture. */
const PICTURE_WITHIN_MS = 15_000;
/** A broken path often heals by itself. */
const HEALS_WITHIN_MS = 3000;
/** Without a picture for so long it is asked whether the session is still there. */
const QUIET_MS = 3000;

export class CameraSwap {
  readonly track: Generator = new MediaStreamTrackGenerator({ kind: 'video' });
  readonly #writer = this.track.writable.getWriter();
  readonly #camera: MediaStreamTrack | null;
  readonly #ticker = setInterval(() => void this.#look(), 1000);
  #attempt: Attempt | null = null;
  #attempts = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #quietSinceMs = performance.now();
  #size = { width: 0, height: 0 };
  #first: { resolve(): void; reject(error: Error): void } | null = null;
  #isOver = false;

  /** @param camera null to get a stream of the server instead. */
  private constructor(camera: MediaStreamTrack | null) {
    this.#camera = camera;
    // Unplugged: the page is told so by its own track.
    camera?.addEventListener('ended', () => this.close());
  }

  /**
   * Resolves with the first picture.
   * @throws DOMException `NotReadableError` with what the server says.
   */
  static async open(camera: MediaStreamTrack | null): Promise<CameraSwap> {
    const swap = new CameraSwap(camera);
    const first = new Promise<void>((resolve, reject) => {
      swap.#first = { resolve, reject };
    });
    const deadline = setTimeout(() => swap.#fail('No picture came from the FaceOff server.'), PICTURE_WITHIN_MS);
    void swap.#connect();
    await first.finally(() => clearTimeout(deadline));
    return swap;
  }

  /** Of the last picture. */
  get size(): { width: number; height: number } {
    return this.#size;
  }

  get camera(): MediaStreamTrack | null {
    return this.#camera;
  }

  /** Idempotent: the connection, the camera and the session are gone. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#ticker);
    clearTimeout(this.#retry);
    this.#drop();
    this.#camera?.stop();
    this.#writer.close().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    this.#drop();
    const peer = new RTCPeerConnection();
    const attempt: Attempt = { peer, session: null };
    this.#attempt = attempt;
    this.#quietSinceMs = performance.now();
    preferVp8(
      this.#camera === null
        ? peer.addTransceiver('video', { direction: 'recvonly' })
        : peer.addTransceiver(this.#camera, { direction: 'sendrecv' }),
    );
    peer.ontrack = ({ track }) => void this.#pump(attempt, track);
    peer.onconnectionstatechange = () => this.#turn(attempt);
    try {
      const offer = await peer.createOffer();
      const answer = await askExtension({ do: 'open', sdp: offer.sdp ?? '' });
      if (answer.ok && 'session' in answer) attempt.session = answer.session;
      if (attempt !== this.#attempt) {
        end(attempt);
        return;
      }
      if (!answer.ok) {
        this.#refused(answer.message, answer.retryAfterMs);
        return;
      }
      if (!('sdp' in answer)) return;
      // Only now is it known which servers help on the way.
      peer.setConfiguration({ iceServers: iceServersInLinks(answer.link) });
      await peer.setLocalDescription(offer);
      await peer.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
    } catch (error) {
      if (attempt === this.#attempt) this.#refused(String(error), null);
    }
  }

  /** Pictures of this connection into the page's track. */
  async #pump(attempt: Attempt, track: MediaStreamTrack): Promise<void> {
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    for (;;) {
      const { value: picture } = await reader.read().catch(() => ({ value: undefined }));
      if (picture === undefined) return;
      if (attempt !== this.#attempt) {
        picture.close();
        void reader.cancel();
        return;
      }
      this.#quietSinceMs = performance.now();
      this.#attempts = 0;
      this.#size = { width: picture.displayWidth, height: picture.displayHeight };
      await this.#writer.write(picture).catch(() => picture.close());
      this.#first?.resolve();
      this.#first = null;
    }
  }

  #turn(attempt: Attempt): void {
    if (attempt !== this.#attempt) return;
    clearTimeout(this.#retry);
    const { connectionState } = attempt.peer;
    if (connectionState === 'failed') this.#lost(null);
    if (connectionState === 'disconnected') this.#retry = setTimeout(() => this.#lost(null), HEALS_WITHIN_MS);
  }

  /** Pictures stay away: a server that was started anew does not know the session. */
  async #look(): Promise<void> {
    const attempt = this.#attempt;
    if (attempt === null || attempt.session === null || performance.now() - this.#quietSinceMs < QUIET_MS) return;
    const { ok } = await askExtension({ do: 'check', session: attempt.session });
    if (!ok && attempt === this.#attempt) this.#lost(null);
  }

  /** The page that waits for its first picture is told why there is none; later it is tried again. */
  #refused(message: string, retryAfterMs: number | null): void {
    if (this.#first !== null) this.#fail(message);
    else this.#lost(retryAfterMs);
  }

  #fail(message: string): void {
    this.#first?.reject(new DOMException(message, 'NotReadableError'));
    this.#first = null;
    this.close();
  }

  #lost(waitMs: number | null): void {
    this.#drop();
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#connect(), waitMs ?? backoffMs(this.#attempts++));
  }

  #drop(): void {
    const attempt = this.#attempt;
    this.#attempt = null;
    if (attempt !== null) end(attempt);
  }
}

function end({ peer, session }: Attempt): void {
  peer.onconnectionstatechange = null;
  peer.close();
  if (session !== null) void askExtension({ do: 'end', session });
}
