/** The stream of the studio or of a call to the server and back. */

import { requestOf } from '../../shared/duties/disclosure-duty.ts';
import type { CameraState, ErrorBody, ServerMessage } from '../../shared/messages.ts';
import type { SettingsPatch } from '../../shared/settings.ts';
import type { ConnectionConf, PresenceInCall, StreamConnection } from './connection-conf.ts';
import type { StatsEntry } from './network-stats.ts';
import { PageSocket } from './page-socket.ts';
import { type BreakCause, ReconnectingPeer } from './reconnecting-peer.ts';
import type { DownReason } from './reconnecting-socket.ts';
import { limitRate } from './sender-limits.ts';
import {
  isActive,
  nextState,
  type Reason,
  refusalText,
  retryAfterMs,
  type Situation,
  type State,
} from './stream-state.ts';
import { acceptAnswer, addCandidate, createStudioAttempt, type StudioAttempt } from './studio-attempt.ts';

/** What a refusal says. */
type ServerWords = Pick<Situation, 'message' | 'code'>;

/** From the offer to the first picture; the server gives up a little earlier. */
const PICTURE_WITHIN_MS = 20_000;
/** While a slider moves, settings go out no more often than this. */
const SETTINGS_EVERY_MS = 50;

/**
 * Signalling and settings go over a WebSocket, pictures over a peer connection. Both come back by themselves when they
 * break, until the stream is stopped.
 */
export class StudioConnection implements StreamConnection {
  readonly #conf: ConnectionConf;
  readonly #socket: PageSocket;
  readonly #peers: ReconnectingPeer<StudioAttempt>;
  #state: State = 'idle';
  #track: MediaStreamTrack | null = null;
  #sound: MediaStreamTrack | null = null;
  #iceServers: RTCIceServer[] = [];
  /** No attempt found a path since the last one that connected. */
  #isPathless = false;
  /** Changes of settings that wait to be sent together. */
  #patch: SettingsPatch | null = null;
  /** The last session, whose place and name the next one takes. */
  #session: string | null = null;

  constructor(conf: ConnectionConf) {
    this.#conf = conf;
    this.#session = conf.memory?.session ?? null;
    this.#peers = new ReconnectingPeer({
      mayOpen: () => isActive(this.#state) && this.#track !== null && this.#socket.isOpen,
      create: () => this.#create(),
      negotiate: (attempt) => this.#sendOffer(attempt),
      onConnected: (attempt) => this.#onConnected(attempt),
      onBroken: (attempt, cause, error) => this.#onBroken(attempt, cause, error),
      onDropped: (attempt) => this.#onDropped(attempt),
    });
    this.#socket = new PageSocket(conf, {
      onMessage: (message) => this.#onMessage(message),
      onDown: (reason) => this.#onDown(reason),
    });
  }

  start(track: MediaStreamTrack, sound: MediaStreamTrack | null = null): void {
    this.#peers.drop();
    // A new start begins with the shortest wait.
    this.#peers.settle();
    this.#track = track;
    this.#sound = sound;
    this.#isPathless = false;
    this.#become(nextState(this.#state, 'start'), 'connecting');
    this.retry();
  }

  async replace(track: MediaStreamTrack): Promise<void> {
    this.#track = track;
    try {
      await this.#peers.current?.sender.replaceTrack(track);
    } catch {
      // The agreed codec cannot carry the pictures: a new offer can.
      this.#reconnect('connecting');
    }
  }

  async replaceSound(track: MediaStreamTrack | null): Promise<void> {
    this.#sound = track;
    const attempt = this.#peers.current;
    if (attempt === null) return;
    if (attempt.soundSender !== null) await attempt.soundSender.replaceTrack(track);
    else if (track !== null) this.#reconnect('connecting');
  }

  stop(): void {
    this.#track = null;
    this.#sound = null;
    this.#peers.drop();
    this.#state = nextState(this.#state, 'stop');
  }

  retry(): void {
    if (this.#socket.isOpen) this.#peers.open();
    else this.#socket.retry();
  }

  set(patch: SettingsPatch): void {
    if (this.#peers.current === null) return;
    if (this.#patch === null) setTimeout(() => this.#flushSettings(), SETTINGS_EVERY_MS);
    this.#patch = { ...this.#patch, ...patch };
  }

  tellPresence(presence: PresenceInCall): void {
    if (this.#peers.current !== null) this.#socket.send({ type: 'presence', ...presence });
  }

  tellCamera(state: CameraState): void {
    this.#socket.tellCamera(state);
  }

  follow(on: boolean): void {
    this.#socket.follow(on);
  }

  async network(): Promise<Iterable<StatsEntry>> {
    const report = await this.#peers.current?.peer.getStats().catch(() => undefined);
    return (report?.values() ?? []) as Iterable<StatsEntry>;
  }

  #flushSettings(): void {
    const settings = this.#patch;
    this.#patch = null;
    if (settings === null || this.#peers.current === null || !this.#socket.isOpen) return;
    this.#conf.onSent();
    this.#socket.send({ type: 'settings', settings: requestOf(settings) });
  }

  #onMessage(message: ServerMessage): void {
    switch (message.type) {
      case 'hello': {
        this.#iceServers = message.iceServers;
        this.#peers.open();
        break;
      }
      case 'ice': {
        this.#iceServers = message.iceServers;
        break;
      }
      case 'answer': {
        this.#session = message.session;
        if (this.#conf.memory !== undefined) this.#conf.memory.session = message.session;
        this.#conf.onStream(message.stream);
        void this.#onAnswer(message.sdp);
        break;
      }
      case 'candidate': {
        if (message.candidate !== null && this.#peers.current !== null)
          addCandidate(this.#peers.current, message.candidate);
        break;
      }
      case 'settings': {
        this.#conf.onSettings(message.settings, message.elsewhere ?? false);
        break;
      }
      case 'stats': {
        if (this.#state !== 'live') break;
        if (this.#peers.current !== null) limitRate(this.#peers.current.sender, message.stats.maxFps);
        this.#conf.onStats(message.stats);
        break;
      }
      case 'room': {
        this.#conf.onRoom?.(message.people, message.you);
        break;
      }
      case 'closed': {
        this.#onClosed();
        break;
      }
      case 'error': {
        this.#onErrorMessage(message.error);
        break;
      }
      default: {
        // News that the page was told already.
        break;
      }
    }
  }

  #create(): StudioAttempt {
    const attempt = createStudioAttempt(this.#track!, this.#sound, this.#iceServers);
    const { peer } = attempt;
    peer.ontrack = ({ track }) => {
      void this.#conf.onVideo(new MediaStream([track])).then(() => {
        if (attempt !== this.#peers.current) return;
        this.#peers.settle();
        this.#become(nextState(this.#state, 'picture'), 'live');
      });
    };
    peer.onicecandidate = ({ candidate }) => {
      if (candidate === null || candidate.candidate === '' || attempt !== this.#peers.current) return;
      const { sdpMid, sdpMLineIndex } = candidate;
      this.#socket.send({ type: 'candidate', candidate: { candidate: candidate.candidate, sdpMid, sdpMLineIndex } });
    };
    return attempt;
  }

  async #sendOffer(attempt: StudioAttempt): Promise<void> {
    const { peer } = attempt;
    this.#become(this.#state, this.#isPathless ? 'no_way' : 'connecting');
    this.#peers.expectWithin(PICTURE_WITHIN_MS);
    await peer.setLocalDescription(await peer.createOffer());
    if (attempt !== this.#peers.current) return;
    const settings = requestOf(this.#conf.settings());
    const stream = this.#conf.stream();
    const call = this.#conf.call?.();
    this.#conf.onSent();
    this.#socket.send({
      type: 'offer',
      sdp: peer.localDescription!.sdp,
      settings,
      ...(stream !== undefined && { stream }),
      ...(this.#session !== null && { again: this.#session }),
      ...(call !== undefined && { call }),
    });
  }

  async #onAnswer(sdp: string): Promise<void> {
    const attempt = this.#peers.current;
    if (attempt === null || attempt.isAnswered) return;
    attempt.isAnswered = true;
    try {
      await acceptAnswer(attempt, sdp);
    } catch {
      if (attempt === this.#peers.current) this.#reconnect('lost');
    }
  }

  #onConnected(attempt: StudioAttempt): void {
    attempt.isConnected = true;
    this.#isPathless = false;
    if (this.#state !== 'live') this.#become(this.#state, 'waiting');
  }

  #onBroken(attempt: StudioAttempt, cause: BreakCause, error: unknown): void {
    if (cause === 'signalling') {
      // No offer went out, so there is no answer to come.
      attempt.isAnswered = true;
      this.#reconnect('lost', { message: String(error) });
    } else if (cause === 'disconnected') {
      this.#reconnect('lost');
    } else {
      this.#reconnectAfter(attempt);
    }
  }

  /** Without an answer the server is lost; with one, and never connected, the path to it is. */
  #reconnectAfter({ isAnswered, isConnected }: StudioAttempt): void {
    this.#isPathless = isAnswered && !isConnected;
    this.#reconnect(this.#isPathless ? 'no_way' : 'lost');
  }

  /** The server ended a session: the current one, or, before the answer to the offer, the one before. */
  #onClosed(): void {
    const attempt = this.#peers.current;
    if (attempt === null) return;
    if (attempt.isAnswered) this.#reconnectAfter(attempt);
    else attempt.early = [];
  }

  #onErrorMessage(error: ErrorBody): void {
    const attempt = this.#peers.current;
    if (attempt === null || attempt.isAnswered) {
      this.#conf.onError(error);
      return;
    }
    attempt.isAnswered = true;
    const { event, reason, message } = refusalText(error);
    if (event === 'lost') {
      this.#reconnect(reason, { message, code: error.code, waitMs: retryAfterMs(error.details) });
      return;
    }
    this.#peers.drop();
    this.#become(nextState(this.#state, 'refused'), reason, { message, code: error.code });
  }

  #onDown(reason: DownReason): void {
    if (!isActive(this.#state)) {
      this.#conf.onAway(reason);
      return;
    }
    if (this.#peers.current !== null) this.#peers.current.isAnswered = true;
    this.#reconnect(reason);
  }

  /** Drops the connection and retries after the back-off; at once when a server that was lost says hello. */
  #reconnect(reason: Reason, { waitMs = null, ...said }: ServerWords & { waitMs?: number | null } = {}): void {
    if (!isActive(this.#state)) return;
    this.#peers.drop();
    this.#become(nextState(this.#state, 'lost'), reason, said);
    this.#peers.retryAfter(waitMs);
  }

  #onDropped(attempt: StudioAttempt): void {
    this.#patch = null;
    this.#conf.onStream(null);
    // Without an answer yet, the socket must go: that answer could not be told from the next attempt's.
    if (attempt.isAnswered) this.#socket.send({ type: 'close' });
    else this.#socket.renew();
  }

  #become(state: State, reason: Reason, said: ServerWords = {}): void {
    this.#state = state;
    this.#conf.onSituation({ state, reason, ...said });
  }
}
