/**
 * The stream to the server and back: signalling and settings over a WebSocket, pictures over a peer connection. Comes
 * back by itself when either breaks, until it is stopped.
 */

import type {
  CallJoin,
  CallPerson,
  ClientMessage,
  ErrorBody,
  FaceInfo,
  PresetInfo,
  ServerMessage,
  SessionStats,
  SwapSettings,
} from '../../shared/messages.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { StatsEntry } from './network-stats.ts';
import { preferVp8 } from './prefer-codec.ts';
import { type DownReason, ReconnectingSocket } from './reconnecting-socket.ts';
import {
  isActive,
  nextState,
  type Reason,
  refusalText,
  retryAfterMs,
  type Situation,
  type State,
} from './stream-state.ts';

export interface ConnectionConf {
  onSituation(situation: Situation): void;
  /** Swapped pictures come here; resolves when the first one shows. */
  onVideo(stream: MediaStream): Promise<void>;
  /** The server can be reached, and says what it would do by itself. */
  onHello(defaults: SwapSettings, locked: boolean): void;
  /** The server cannot be reached while no stream is wanted. */
  onAway(reason: DownReason): void;
  onFaces(faces: FaceInfo[]): void;
  onPresets?(presets: PresetInfo[]): void;
  onStats(stats: SessionStats): void;
  /** @param elsewhere changed by someone else, not the answer to a change from here. */
  onSettings(settings: SwapSettings, elsewhere: boolean): void;
  /** The server refused something that is not the stream itself. */
  onError(error: ErrorBody): void;
  /** What viewers find the stream by, once the server took it; null when it is over. */
  onStream(name: string | null): void;
  /** What the stream is to be called; undefined leaves it to the server. */
  stream(): string | undefined;
  /** Settings a new session begins with. */
  settings(): Partial<SwapSettings>;
  /** A change of settings went out. */
  onSent(): void;
  /** The call that the stream joins, where it is for one. */
  call?(): CallJoin;
  /** Who is in the call, and which of them this is. */
  onRoom?(people: CallPerson[], you: string): void;
  /** Where the last session is remembered, so that a page that was reloaded takes its place again. */
  memory?: { session: string | null };
}

/** One peer connection, from its offer to its end. */
interface Attempt {
  peer: RTCPeerConnection;
  sender: RTCRtpSender;
  /** The server answered the offer, or refused it. */
  settled: boolean;
  /** A way for pictures was found. */
  connected: boolean;
  /** The server's candidates that came before its answer. */
  early: RTCIceCandidateInit[];
}

/** From the offer to the first picture; the server gives up a little earlier. */
const PICTURE_WITHIN_MS = 20_000;
/** A broken path often heals by itself. */
const HEALS_WITHIN_MS = 3000;
/** While a slider moves, settings go out no more often. */
const SETTINGS_EVERY_MS = 50;

export class StudioConnection {
  readonly #conf: ConnectionConf;
  readonly #socket: ReconnectingSocket;
  #state: State = 'idle';
  #attempt: Attempt | null = null;
  #track: MediaStreamTrack | null = null;
  #sound: MediaStreamTrack | null = null;
  #iceServers: RTCIceServer[] = [];
  #attempts = 0;
  /** No attempt since the last way that was found has found one. */
  #wayless = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #patch: Partial<SwapSettings> | null = null;
  /** The last session, whose place and name the next one takes. */
  #session: string | null = null;

  constructor(conf: ConnectionConf) {
    this.#conf = conf;
    this.#session = conf.memory?.session ?? null;
    this.#socket = new ReconnectingSocket({
      onMessage: (message) => void this.#hear(message),
      onDown: (reason) => this.#down(reason),
    });
  }

  get state(): State {
    return this.#state;
  }

  /** Sends this camera to be swapped, and this microphone to the viewers. */
  start(track: MediaStreamTrack, sound: MediaStreamTrack | null = null): void {
    this.#drop();
    this.#track = track;
    this.#sound = sound;
    this.#attempts = 0;
    this.#wayless = false;
    this.#become(nextState(this.#state, 'start'), 'connecting');
    this.retry();
  }

  /** Another camera or resolution, mostly without an interruption. */
  async replace(track: MediaStreamTrack): Promise<void> {
    this.#track = track;
    try {
      await this.#attempt?.sender.replaceTrack(track);
    } catch {
      // Pictures the agreed codec cannot carry: agree anew.
      this.#lost('connecting');
    }
  }

  /** Idempotent, and not told to the listener: whoever stops knows why. */
  stop(): void {
    this.#track = null;
    this.#sound = null;
    this.#drop();
    this.#state = nextState(this.#state, 'stop');
  }

  /** Does not wait for the next attempt. */
  retry(): void {
    if (this.#socket.isOpen) void this.#open();
    else this.#socket.retry();
  }

  /** Changes of one moment go out together. */
  set(patch: Partial<SwapSettings>): void {
    if (this.#attempt === null) return;
    if (this.#patch === null) setTimeout(() => this.#flush(), SETTINGS_EVERY_MS);
    this.#patch = { ...this.#patch, ...patch };
  }

  /** Nothing, while the server cannot be reached. */
  tell(message: ClientMessage): void {
    if (this.#attempt !== null) this.#socket.send(message);
  }

  async network(): Promise<Iterable<StatsEntry>> {
    const report = await this.#attempt?.peer.getStats().catch(() => undefined);
    return (report?.values() ?? []) as Iterable<StatsEntry>;
  }

  #flush(): void {
    const settings = this.#patch;
    this.#patch = null;
    if (settings === null || this.#attempt === null || !this.#socket.isOpen) return;
    this.#conf.onSent();
    this.#socket.send({ type: 'settings', settings });
  }

  async #hear(message: ServerMessage): Promise<void> {
    switch (message.type) {
      case 'hello': {
        this.#iceServers = message.iceServers;
        this.#conf.onHello(message.defaults, message.locked);
        await this.#open();
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
        await this.#answered(message.sdp);
        break;
      }
      case 'candidate': {
        if (message.candidate !== null) this.#candidate(message.candidate);
        break;
      }
      case 'settings': {
        this.#conf.onSettings(message.settings, message.elsewhere ?? false);
        break;
      }
      case 'stats': {
        if (this.#state !== 'live') break;
        if (this.#attempt !== null) limitRate(this.#attempt.sender, message.stats.maxFps);
        this.#conf.onStats(message.stats);
        break;
      }
      case 'faces': {
        this.#conf.onFaces(message.faces);
        break;
      }
      case 'room': {
        this.#conf.onRoom?.(message.people, message.you);
        break;
      }
      case 'presets': {
        this.#conf.onPresets?.(message.presets);
        break;
      }
      case 'closed': {
        this.#closed();
        break;
      }
      case 'error': {
        this.#refused(message.error);
        break;
      }
    }
  }

  async #open(): Promise<void> {
    if (!isActive(this.#state) || this.#track === null || this.#attempt !== null || !this.#socket.isOpen) return;
    clearTimeout(this.#retry);
    const peer = new RTCPeerConnection({ iceServers: this.#iceServers });
    // Of one stream, so that they are kept in step.
    const streams = [new MediaStream([this.#track])];
    const transceiver = peer.addTransceiver(this.#track, { direction: 'sendrecv', streams });
    if (this.#sound !== null) peer.addTransceiver(this.#sound, { direction: 'sendonly', streams });
    preferVp8(transceiver);
    keepResolution(transceiver.sender);
    const attempt: Attempt = { peer, sender: transceiver.sender, settled: false, connected: false, early: [] };
    this.#attempt = attempt;
    this.#become(this.#state, this.#wayless ? 'no_way' : 'connecting');
    this.#deadline = setTimeout(() => this.#ended(attempt), PICTURE_WITHIN_MS);
    peer.ontrack = ({ track }) => {
      void this.#conf.onVideo(new MediaStream([track])).then(() => {
        if (attempt !== this.#attempt) return;
        clearTimeout(this.#deadline);
        this.#attempts = 0;
        this.#become(nextState(this.#state, 'picture'), 'live');
      });
    };
    peer.onicecandidate = ({ candidate }) => {
      if (candidate === null || candidate.candidate === '' || attempt !== this.#attempt) return;
      const { sdpMid, sdpMLineIndex } = candidate;
      this.#socket.send({
        type: 'candidate',
        candidate: { candidate: candidate.candidate, sdpMid, sdpMLineIndex },
      });
    };
    peer.onconnectionstatechange = () => this.#turn(attempt);
    try {
      await peer.setLocalDescription(await peer.createOffer());
    } catch (error) {
      if (attempt !== this.#attempt) return;
      attempt.settled = true;
      this.#lost('lost', String(error));
      return;
    }
    if (attempt !== this.#attempt) return;
    const settings = this.#conf.settings();
    const stream = this.#conf.stream();
    const call = this.#conf.call?.();
    this.#conf.onSent();
    this.#socket.send({
      ...{ type: 'offer', sdp: peer.localDescription!.sdp, settings },
      ...(stream !== undefined && { stream }),
      ...(this.#session !== null && { again: this.#session }),
      ...(call !== undefined && { call }),
    });
  }

  async #answered(sdp: string): Promise<void> {
    const attempt = this.#attempt;
    if (attempt === null || attempt.settled) return;
    attempt.settled = true;
    try {
      await attempt.peer.setRemoteDescription({ type: 'answer', sdp });
    } catch {
      if (attempt === this.#attempt) this.#lost('lost');
      return;
    }
    for (const candidate of attempt.early.splice(0)) this.#candidate(candidate);
  }

  #candidate(candidate: RTCIceCandidateInit): void {
    const attempt = this.#attempt;
    if (attempt === null) return;
    if (attempt.peer.remoteDescription === null) attempt.early.push(candidate);
    // One that does not fit is no loss: others do, or the deadline passes.
    else attempt.peer.addIceCandidate(candidate).catch(() => undefined);
  }

  #turn(attempt: Attempt): void {
    if (attempt !== this.#attempt) return;
    const { connectionState } = attempt.peer;
    if (connectionState === 'failed') {
      this.#ended(attempt);
    } else if (connectionState === 'disconnected') {
      clearTimeout(this.#deadline);
      this.#deadline = setTimeout(() => this.#lost('lost'), HEALS_WITHIN_MS);
    } else if (connectionState === 'connected') {
      attempt.connected = true;
      this.#wayless = false;
      if (this.#state === 'live') clearTimeout(this.#deadline);
      else this.#become(this.#state, 'waiting');
    }
  }

  /** Without an answer it is the server that is lost; with one, and never connected, what is between. */
  #ended({ settled, connected }: Attempt): void {
    this.#wayless = settled && !connected;
    this.#lost(this.#wayless ? 'no_way' : 'lost');
  }

  /** The server ended a session: this one, or before the answer to the offer the one before. */
  #closed(): void {
    if (this.#attempt === null) return;
    if (this.#attempt.settled) this.#ended(this.#attempt);
    else this.#attempt.early = [];
  }

  #refused(error: ErrorBody): void {
    const attempt = this.#attempt;
    if (attempt === null || attempt.settled) {
      this.#conf.onError(error);
      return;
    }
    attempt.settled = true;
    const { event, reason, message } = refusalText(error);
    if (event === 'lost') {
      this.#lost(reason, message, retryAfterMs(error.details));
      return;
    }
    this.#drop();
    this.#become(nextState(this.#state, 'refused'), reason, message);
  }

  #down(reason: DownReason): void {
    if (!isActive(this.#state)) {
      this.#conf.onAway(reason);
      return;
    }
    if (this.#attempt !== null) this.#attempt.settled = true;
    this.#lost(reason);
  }

  /** Tells, lets go of the peer, and tries again after a while; at once when a lost server says hello. */
  #lost(reason: Reason, message?: string, waitMs: number | null = null): void {
    if (!isActive(this.#state)) return;
    this.#drop();
    this.#become(nextState(this.#state, 'lost'), reason, message);
    this.#retry = setTimeout(() => void this.#open(), waitMs ?? backoffMs(this.#attempts++));
  }

  #drop(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#deadline);
    const attempt = this.#attempt;
    this.#attempt = null;
    this.#patch = null;
    if (attempt === null) return;
    this.#conf.onStream(null);
    attempt.peer.onconnectionstatechange = null;
    attempt.peer.close();
    // An answer still to come could not be told from the next one's.
    if (attempt.settled) this.#socket.send({ type: 'close' });
    else this.#socket.renew();
  }

  #become(state: State, reason: Reason, message?: string): void {
    this.#state = state;
    this.#conf.onSituation(message === undefined ? { state, reason } : { state, reason, message });
  }
}

/** Asks the encoder for a softer rather than a smaller picture; browsers that cannot just go on. */
function keepResolution(sender: RTCRtpSender): void {
  const parameters: RTCRtpSendParameters & { degradationPreference?: string } = sender.getParameters();
  parameters.degradationPreference = 'maintain-resolution';
  sender.setParameters(parameters).catch(() => undefined);
}

/** Sends no more pictures than are swapped: one that is left out there need not be coded twice. The camera's own preview stays as it is. */
function limitRate(sender: RTCRtpSender, maxFps: number | null): void {
  const parameters = sender.getParameters();
  const [encoding] = parameters.encodings;
  if (encoding === undefined || (encoding.maxFramerate ?? null) === maxFps) return;
  if (maxFps === null) delete encoding.maxFramerate;
  else encoding.maxFramerate = maxFps;
  sender.setParameters(parameters).catch(() => undefined);
}
