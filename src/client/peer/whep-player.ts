/** Watches a stream by WHEP, for ever: comes back by itself whenever the server, the way or the stream is gone. */

import { backoffMs } from '../lib/backoff.ts';
import { candidateFragment } from './candidate-fragment.ts';
import { iceServersInLinks } from './link-header.ts';
import { preferVp8 } from './prefer-codec.ts';

export interface WhepConf {
  /** Where offers are posted to. */
  url: string;
  /** Whether it is to be heard, too. */
  sound?: boolean;
  /** Null when it is over: browsers paint a stream black that lost its connection. */
  onVideo(stream: MediaStream | null): void;
  /** The server wants its token. */
  onLocked(): void;
}

interface Attempt {
  peer: RTCPeerConnection;
  /** The session's address, once the server answered. */
  session: URL | null;
  /** This side's, not yet told to the server. */
  candidates: RTCIceCandidate[];
}

/** Candidates come in bursts; those of one are told at once. */
const TELL_WITHIN_MS = 50;
const ANSWER_WITHIN_MS = 15_000;
/** A broken path often heals by itself. */
const HEALS_WITHIN_MS = 3000;
/** Connected, but for the first picture. */
const CONNECT_WITHIN_MS = 15_000;

export class WhepPlayer {
  readonly #conf: WhepConf;
  readonly #end = new AbortController();
  #attempt: Attempt | null = null;
  #attempts = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #deadline: ReturnType<typeof setTimeout> | undefined;

  constructor(conf: WhepConf) {
    this.#conf = conf;
    void this.#open();
    const { signal } = this.#end;
    addEventListener('online', () => this.#soon(0), { signal });
    addEventListener('pagehide', () => this.#drop(), { signal });
    // A page that comes back from the browser's cache finds everything closed.
    addEventListener('pageshow', ({ persisted }) => persisted && this.#soon(0), { signal });
  }

  /** Idempotent. */
  close(): void {
    this.#end.abort();
    this.#drop();
  }

  /** Pictures stay away: is the session still there, waiting for its publisher? A PATCH of nothing tells. */
  async check(): Promise<void> {
    const attempt = this.#attempt;
    if (attempt === null || attempt.session === null) return;
    if (!(await patch(attempt.session, 'a=mid:0\r\n')) && attempt === this.#attempt) this.#lost();
  }

  async #open(): Promise<void> {
    this.#drop();
    const peer = new RTCPeerConnection();
    const attempt: Attempt = { peer, session: null, candidates: [] };
    this.#attempt = attempt;
    preferVp8(peer.addTransceiver('video', { direction: 'recvonly' }));
    if (this.#conf.sound === true) peer.addTransceiver('audio', { direction: 'recvonly' });
    const stream = new MediaStream();
    peer.ontrack = ({ track }) => {
      stream.addTrack(track);
      if (track.kind === 'video') this.#conf.onVideo(stream);
    };
    peer.onconnectionstatechange = () => this.#turn(attempt);
    peer.onicecandidate = ({ candidate }) => candidate?.candidate && tell(attempt, candidate);
    try {
      await this.#meet(attempt);
    } catch {
      if (attempt === this.#attempt) this.#lost();
    }
  }

  async #meet(attempt: Attempt): Promise<void> {
    const { peer } = attempt;
    const offer = await peer.createOffer();
    const answer = await fetch(this.#conf.url, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp' },
      body: offer.sdp ?? '',
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if (answer.status === 201) attempt.session = new URL(answer.headers.get('location')!, answer.url);
    if (attempt !== this.#attempt) {
      end(attempt);
      return;
    }
    if (answer.status !== 201) {
      this.#refused(answer);
      return;
    }
    // Only now is it known which servers help on the way.
    peer.setConfiguration({ iceServers: iceServersInLinks(answer.headers.get('link')) });
    this.#deadline = setTimeout(() => this.#lost(), CONNECT_WITHIN_MS);
    await peer.setLocalDescription(offer);
    await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
  }

  #turn(attempt: Attempt): void {
    if (attempt !== this.#attempt) return;
    const { connectionState } = attempt.peer;
    if (connectionState === 'connected') {
      clearTimeout(this.#deadline);
      this.#attempts = 0;
    } else if (connectionState === 'failed') {
      this.#lost();
    } else if (connectionState === 'disconnected') {
      clearTimeout(this.#deadline);
      this.#deadline = setTimeout(() => this.#lost(), HEALS_WITHIN_MS);
    }
  }

  #refused({ status, headers }: Response): void {
    if (status === 401) this.#conf.onLocked();
    const waitS = Number(headers.get('retry-after') ?? Number.NaN);
    this.#lost(waitS > 0 ? 1000 * Math.min(waitS, 60) : undefined);
  }

  #lost(waitMs: number = backoffMs(this.#attempts++)): void {
    this.#drop();
    this.#soon(waitMs);
  }

  #soon(waitMs: number): void {
    clearTimeout(this.#retry);
    if (this.#end.signal.aborted) return;
    this.#retry = setTimeout(() => {
      if (this.#attempt === null) void this.#open();
    }, waitMs);
  }

  #drop(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#deadline);
    if (this.#attempt === null) return;
    this.#conf.onVideo(null);
    end(this.#attempt);
    this.#attempt = null;
  }
}

/**
 * Where the server is reached directly, it sees where the checks come from. One that is behind a relay does not: that lets
 * nothing through from an address that the server never heard of (RFC 8656, 9).
 */
function tell(attempt: Attempt, candidate: RTCIceCandidate): void {
  if (attempt.candidates.push(candidate) > 1) return;
  setTimeout(() => {
    const candidates = attempt.candidates.splice(0);
    if (attempt.session !== null && attempt.peer.signalingState !== 'closed')
      void patch(attempt.session, candidateFragment(candidates));
  }, TELL_WITHIN_MS);
}

/** Whether it was taken. */
const patch = (session: URL, body: string): Promise<boolean> =>
  fetch(session, {
    method: 'PATCH',
    headers: { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': '*' },
    body,
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  }).then(
    ({ ok }) => ok,
    () => false,
  );

function end({ peer, session }: Attempt): void {
  peer.onconnectionstatechange = null;
  peer.onicecandidate = null;
  peer.close();
  // The page may be going; what is sent with keepalive still arrives.
  if (session !== null) fetch(session, { method: 'DELETE', keepalive: true }).catch(() => undefined);
}
