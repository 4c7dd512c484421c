/** Plays a stream by WHEP (RFC 9725), and connects again whenever the server, the path or the stream is gone. */

import type { Disclosure } from '../../shared/messages.ts';
import { serverUrl } from '../lib/server-url.ts';
import { candidateFragment } from './candidate-fragment.ts';
import type { PlayerConf, StreamPlayer } from './connection-conf.ts';
import { iceServersInLinks } from './link-header.ts';
import { preferCodecs, VIEWER_CODECS } from './prefer-codec.ts';
import { type PeerAttempt, ReconnectingPeer } from './reconnecting-peer.ts';

interface WhepAttempt extends PeerAttempt {
  /** The session's address, once the server answered. */
  session: URL | null;
  /** This side's candidates that were not sent to the server yet. */
  candidates: RTCIceCandidate[];
}

/** Candidates come in bursts; those of one burst go out in one request. */
const CANDIDATES_EVERY_MS = 50;
const ANSWER_WITHIN_MS = 15_000;
/** From the server's answer to the connection; the first picture may come later. */
const CONNECT_WITHIN_MS = 15_000;
/** The longest wait that a server may ask for. */
const LONGEST_WAIT_S = 60;

/** Connects when it is made, and keeps the stream playing until it is closed or the page goes. */
export class WhepPlayer implements StreamPlayer {
  readonly #conf: PlayerConf;
  readonly #end = new AbortController();
  readonly #peers: ReconnectingPeer<WhepAttempt>;

  constructor(conf: PlayerConf) {
    this.#conf = conf;
    const { signal } = this.#end;
    this.#peers = new ReconnectingPeer({
      mayOpen: () => !signal.aborted,
      create: () => this.#create(),
      negotiate: (attempt) => this.#negotiate(attempt),
      onConnected: () => this.#peers.settle(),
      onBroken: () => this.#reconnect(),
      onDropped: (attempt) => {
        this.#conf.onVideo(null);
        endSession(attempt);
      },
    });
    this.#peers.open();
    addEventListener('online', () => this.#peers.retryAfter(0), { signal });
    addEventListener('pagehide', () => this.#peers.drop(), { signal });
    // A page that comes back from the browser's cache finds everything closed.
    addEventListener('pageshow', ({ persisted }) => persisted && this.#peers.retryAfter(0), { signal });
  }

  close(): void {
    this.#end.abort();
    this.#peers.drop();
  }

  /** Asks whether the session still waits for its publisher, with a PATCH of no candidates. */
  async check(): Promise<void> {
    const attempt = this.#peers.current;
    if (attempt === null || attempt.session === null) return;
    const isKnown = await patchSession(attempt.session, 'a=mid:0\r\n');
    if (!isKnown && attempt === this.#peers.current) this.#reconnect();
  }

  #create(): WhepAttempt {
    const peer = new RTCPeerConnection();
    const attempt: WhepAttempt = { peer, session: null, candidates: [] };
    preferCodecs(peer.addTransceiver('video', { direction: 'recvonly' }), VIEWER_CODECS);
    if (this.#conf.sound === true) peer.addTransceiver('audio', { direction: 'recvonly' });
    const { onModified } = this.#conf;
    if (onModified !== undefined)
      peer.createDataChannel('disclosure').onmessage = ({ data }) => {
        if (attempt === this.#peers.current) onModified(isModifiedIn(data));
      };
    const stream = new MediaStream();
    peer.ontrack = ({ track }) => {
      stream.addTrack(track);
      if (track.kind === 'video') this.#conf.onVideo(stream);
    };
    peer.onicecandidate = ({ candidate }) => candidate?.candidate && sendCandidate(attempt, candidate);
    return attempt;
  }

  async #negotiate(attempt: WhepAttempt): Promise<void> {
    const { peer } = attempt;
    const offer = await peer.createOffer();
    const answer = await fetch(serverUrl(`/whep/${this.#conf.stream}`), {
      method: 'POST',
      headers: { 'content-type': 'application/sdp' },
      body: offer.sdp ?? '',
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if (answer.status === 201) attempt.session = sessionUrl(answer);
    if (attempt !== this.#peers.current) {
      // Dropped while the answer was on its way: the server now holds a session that no one else ends.
      endSession(attempt);
      return;
    }
    if (answer.status !== 201) {
      this.#onRefused(answer);
      return;
    }
    this.#conf.onModified?.(answer.headers.get('ai-disclosure') === 'mode=ai-modified');
    // The answer names the ICE servers, so gathering starts only now.
    peer.setConfiguration({ iceServers: iceServersInLinks(answer.headers.get('link')) });
    this.#peers.expectWithin(CONNECT_WITHIN_MS);
    await peer.setLocalDescription(offer);
    await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
  }

  #onRefused({ status, headers }: Response): void {
    if (status === 401) this.#conf.onLocked();
    const waitS = Number(headers.get('retry-after') ?? Number.NaN);
    this.#reconnect(waitS > 0 ? 1000 * Math.min(waitS, LONGEST_WAIT_S) : null);
  }

  #reconnect(waitMs: number | null = null): void {
    this.#peers.drop();
    this.#peers.retryAfter(waitMs);
  }
}

/** What a message on the data channel says; of one that is no disclosure, that the pictures are not modified. */
function isModifiedIn(message: unknown): boolean {
  try {
    const { type, aiModified } = JSON.parse(String(message)) as Partial<Disclosure>;
    return type === 'disclosure' && aiModified === true;
  } catch {
    return false;
  }
}

/**
 * Sends a candidate to the server, together with those that follow at once. A server that is reached directly learns
 * the address from the connectivity checks. One behind a TURN relay does not: the relay lets nothing through from an
 * address that the server has no permission for (RFC 8656, 9).
 */
function sendCandidate(attempt: WhepAttempt, candidate: RTCIceCandidate): void {
  if (attempt.candidates.push(candidate) > 1) return;
  setTimeout(() => {
    const candidates = attempt.candidates.splice(0);
    if (attempt.session !== null && attempt.peer.signalingState !== 'closed')
      void patchSession(attempt.session, candidateFragment(candidates));
  }, CANDIDATES_EVERY_MS);
}

/** The session's address. A proxy may leave its own path out of `Location`, but not the session's id. */
function sessionUrl({ headers, url }: Response): URL {
  const id = headers.get('location')!.split('/').at(-1)!;
  return new URL(`${url.replace(/\/$/, '')}/${id}`);
}

/** Whether the server took the fragment. */
const patchSession = (session: URL, body: string): Promise<boolean> =>
  fetch(session, {
    method: 'PATCH',
    headers: { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': '*' },
    body,
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  }).then(
    ({ ok }) => ok,
    () => false,
  );

/** Ends the server's session, where there is one. The page may be going; a request with keepalive still arrives. */
function endSession({ session }: WhepAttempt): void {
  if (session !== null) fetch(session, { method: 'DELETE', keepalive: true }).catch(() => undefined);
}
