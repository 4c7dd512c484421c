/** A page's camera, sent to the server and swapped there, as one track. */

import { iceServersInLinks } from '../src/client/peer/link-header.ts';
import { PUBLISHER_CODECS, preferCodecs, VIEWER_CODECS } from '../src/client/peer/prefer-codec.ts';
import { type PeerAttempt, ReconnectingPeer } from '../src/client/peer/reconnecting-peer.ts';
import { askExtension } from './ask-extension.ts';

/**
 * Chromium's constructor of tracks from video frames (W3C MediaStreamTrack Insertable Media Processing, first edition).
 */
interface Generator extends MediaStreamTrack {
  writable: WritableStream<VideoFrame>;
}
declare const MediaStreamTrackGenerator: new (init: { kind: 'video' }) => Generator;
declare const MediaStreamTrackProcessor: new (init: {
  track: MediaStreamTrack;
}) => {
  readable: ReadableStream<VideoFrame>;
};

interface SwapAttempt extends PeerAttempt {
  /** The session's number in the page, once the server answered. */
  session: number | null;
}

/** From the offer to the first picture. */
const PICTURE_WITHIN_MS = 15_000;
/** After so long without a picture the extension asks the server whether the session is still there. */
const QUIET_MS = 3000;
const CHECK_EVERY_MS = 1000;

/**
 * The swapped camera. Its track stays the same when the connection is lost: the picture stands still, comes back when
 * the connection does, and never shows the unswapped camera.
 */
export class CameraSwap {
  readonly track: Generator = new MediaStreamTrackGenerator({ kind: 'video' });
  readonly #writer = this.track.writable.getWriter();
  readonly #camera: MediaStreamTrack | null;
  readonly #ticker = setInterval(() => void this.#checkSession(), CHECK_EVERY_MS);
  readonly #peers: ReconnectingPeer<SwapAttempt>;
  #quietSinceMs = performance.now();
  #size = { width: 0, height: 0 };
  #first: { resolve(): void; reject(error: Error): void } | null = null;
  #isOver = false;

  /** @param camera null to get a stream of the server instead. */
  private constructor(camera: MediaStreamTrack | null) {
    this.#camera = camera;
    this.#peers = new ReconnectingPeer({
      mayOpen: () => !this.#isOver,
      create: () => this.#create(),
      negotiate: (attempt) => this.#negotiate(attempt),
      onBroken: (_, cause, error) => {
        if (cause === 'signalling') this.#onRefused(String(error), null);
        else this.#reconnect(null);
      },
      onDropped: endSession,
    });
    // The camera was unplugged: the page learns it from its own track.
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
    swap.#peers.open();
    await first.finally(() => clearTimeout(deadline));
    return swap;
  }

  /** Size of the last picture, in pixels; zero before the first. */
  get size(): { width: number; height: number } {
    return this.#size;
  }

  /** The camera that is swapped; null where the page gets a stream of the server. */
  get camera(): MediaStreamTrack | null {
    return this.#camera;
  }

  /** Ends the connection, the camera and the session. Idempotent. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#ticker);
    this.#peers.drop();
    this.#camera?.stop();
    this.#writer.close().catch(() => undefined);
  }

  #create(): SwapAttempt {
    const peer = new RTCPeerConnection();
    const attempt: SwapAttempt = { peer, session: null };
    this.#quietSinceMs = performance.now();
    if (this.#camera === null) preferCodecs(peer.addTransceiver('video', { direction: 'recvonly' }), VIEWER_CODECS);
    else preferCodecs(peer.addTransceiver(this.#camera, { direction: 'sendrecv' }), PUBLISHER_CODECS);
    peer.ontrack = ({ track }) => void this.#pump(attempt, track);
    return attempt;
  }

  async #negotiate(attempt: SwapAttempt): Promise<void> {
    const { peer } = attempt;
    const offer = await peer.createOffer();
    const answer = await askExtension({ do: 'open', sdp: offer.sdp ?? '' });
    if (answer.ok && 'session' in answer) attempt.session = answer.session;
    if (attempt !== this.#peers.current) {
      // Dropped while the answer was on its way: the server now holds a session that nothing else ends.
      endSession(attempt);
      return;
    }
    if (!answer.ok) {
      this.#onRefused(answer.message, answer.retryAfterMs);
      return;
    }
    if (!('sdp' in answer)) return;
    // The answer names the ICE servers, so gathering starts only now.
    peer.setConfiguration({ iceServers: iceServersInLinks(answer.link) });
    await peer.setLocalDescription(offer);
    await peer.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
  }

  /** Writes the pictures of a connection into the page's track, for as long as that connection is the current one. */
  async #pump(attempt: SwapAttempt, track: MediaStreamTrack): Promise<void> {
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    for (;;) {
      const { value: picture } = await reader.read().catch(() => ({ value: undefined }));
      if (picture === undefined) return;
      if (attempt !== this.#peers.current) {
        picture.close();
        void reader.cancel();
        return;
      }
      this.#quietSinceMs = performance.now();
      this.#peers.settle();
      this.#size = { width: picture.displayWidth, height: picture.displayHeight };
      await this.#writer.write(picture).catch(() => picture.close());
      this.#first?.resolve();
      this.#first = null;
    }
  }

  /** Reconnects where pictures stay away and the server, started anew perhaps, does not know the session. */
  async #checkSession(): Promise<void> {
    const attempt = this.#peers.current;
    if (attempt === null || attempt.session === null || performance.now() - this.#quietSinceMs < QUIET_MS) return;
    const { ok } = await askExtension({ do: 'check', session: attempt.session });
    if (!ok && attempt === this.#peers.current) this.#reconnect(null);
  }

  /** Before the first picture the page is told why there is none; later the connection is tried again. */
  #onRefused(message: string, retryAfterMs: number | null): void {
    if (this.#first !== null) this.#fail(message);
    else this.#reconnect(retryAfterMs);
  }

  #fail(message: string): void {
    this.#first?.reject(new DOMException(message, 'NotReadableError'));
    this.#first = null;
    this.close();
  }

  #reconnect(waitMs: number | null): void {
    this.#peers.drop();
    this.#peers.retryAfter(waitMs);
  }
}

/** Ends the server's session of a connection, where there is one. */
function endSession({ session }: SwapAttempt): void {
  if (session !== null) void askExtension({ do: 'end', session });
}
