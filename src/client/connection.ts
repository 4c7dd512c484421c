/**
 * The way to the server: a WebSocket for signalling and settings, a peer connection for the pictures. Comes back by
 * itself when either breaks, until it is stopped.
 */

import type { ClientMessage, ErrorBody, FaceInfo, ServerMessage, SessionStats, SwapSettings } from '../messages.ts';
import { backoffMs } from './states.ts';

export interface ConnectionListener {
  onVideo(stream: MediaStream): void;
  onLive(): void;
  /** The stream broke; another attempt follows. `error` where the server said why. */
  onLost(error: ErrorBody | null): void;
  /** The server refused and trying again would not help. */
  onRefused(error: ErrorBody): void;
  onSettings(settings: SwapSettings): void;
  onStats(stats: SessionStats): void;
  onFaces(faces: FaceInfo[]): void;
  onError(error: ErrorBody): void;
}

/** Refusals that pass by themselves. */
const PASSING = new Set(['server_full', 'session_closed', 'lane_lost']);

export class Connection {
  readonly #listener: ConnectionListener;
  #socket: WebSocket | null = null;
  #iceServers: RTCIceServer[] = [];
  #peer: RTCPeerConnection | null = null;
  #sender: RTCRtpSender | null = null;
  #track: MediaStreamTrack | null = null;
  #settings: Partial<SwapSettings> = {};
  #wanted = false;
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;

  constructor(listener: ConnectionListener) {
    this.#listener = listener;
    this.#connect();
  }

  /** Sends this camera track to be swapped. */
  start(track: MediaStreamTrack, settings: Partial<SwapSettings>): void {
    this.#track = track;
    this.#settings = settings;
    this.#wanted = true;
    this.#attempt = 0;
    if (this.#socket?.readyState === WebSocket.OPEN) void this.#offer();
  }

  /** Another camera or resolution, without an interruption. */
  async replace(track: MediaStreamTrack): Promise<void> {
    this.#track = track;
    await this.#sender?.replaceTrack(track);
  }

  stop(): void {
    this.#wanted = false;
    clearTimeout(this.#retry);
    this.#dropPeer();
    this.#say({ type: 'close' });
  }

  set(settings: Partial<SwapSettings>): void {
    this.#settings = { ...this.#settings, ...settings };
    if (this.#peer !== null) this.#say({ type: 'settings', settings });
  }

  /** Round trip to the server in milliseconds, where the browser knows it. */
  async roundTripMs(): Promise<number | null> {
    const report = await this.#peer?.getStats();
    for (const entry of report?.values() ?? []) {
      if (entry.type === 'candidate-pair' && entry.nominated && entry.currentRoundTripTime !== undefined)
        return 1000 * entry.currentRoundTripTime;
    }
    return null;
  }

  #connect(): void {
    const address = new URL('/ws', location.href);
    address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(address);
    this.#socket = socket;
    socket.onmessage = ({ data }) => void this.#hear(JSON.parse(String(data)) as ServerMessage);
    socket.onclose = () => {
      if (this.#wanted) this.#lost(null);
      setTimeout(() => this.#connect(), backoffMs(this.#attempt++));
    };
  }

  #say(message: ClientMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  async #hear(message: ServerMessage): Promise<void> {
    switch (message.type) {
      case 'hello': {
        this.#iceServers = message.iceServers;
        this.#attempt = 0;
        if (this.#wanted) void this.#offer();
        else this.#listener.onSettings({ ...message.defaults, ...this.#settings });
        break;
      }
      case 'answer': {
        await this.#peer?.setRemoteDescription({ type: 'answer', sdp: message.sdp }).catch(() => this.#lost(null));
        break;
      }
      case 'candidate': {
        if (message.candidate !== null) await this.#peer?.addIceCandidate(message.candidate).catch(() => undefined);
        break;
      }
      case 'settings': {
        this.#listener.onSettings(message.settings);
        break;
      }
      case 'stats': {
        this.#listener.onStats(message.stats);
        break;
      }
      case 'faces': {
        this.#listener.onFaces(message.faces);
        break;
      }
      case 'closed': {
        if (this.#wanted && this.#peer !== null) this.#lost(null);
        break;
      }
      case 'error': {
        this.#failed(message.error);
        break;
      }
    }
  }

  #failed(error: ErrorBody): void {
    const opening = this.#peer !== null && this.#peer.remoteDescription === null;
    if (!opening) {
      this.#listener.onError(error);
    } else if (PASSING.has(error.code)) {
      this.#lost(error);
    } else {
      this.stop();
      this.#listener.onRefused(error);
    }
  }

  async #offer(): Promise<void> {
    this.#dropPeer();
    const peer = new RTCPeerConnection({ iceServers: this.#iceServers });
    this.#peer = peer;
    const { sender } = peer.addTransceiver(this.#track!, {
      direction: 'sendrecv',
      streams: [new MediaStream([this.#track!])],
    });
    this.#sender = sender;
    keepResolution(sender);
    peer.ontrack = ({ streams, track }) => this.#listener.onVideo(streams[0] ?? new MediaStream([track]));
    peer.onicecandidate = ({ candidate }) => {
      const shown = candidate && {
        candidate: candidate.candidate,
        sdpMid: candidate.sdpMid,
        sdpMLineIndex: candidate.sdpMLineIndex,
      };
      if (shown !== null) this.#say({ type: 'candidate', candidate: shown });
    };
    peer.onconnectionstatechange = () => this.#turn(peer);
    try {
      await peer.setLocalDescription(await peer.createOffer());
      if (peer === this.#peer) this.#say({ type: 'offer', sdp: peer.localDescription!.sdp, settings: this.#settings });
    } catch {
      if (peer === this.#peer) this.#lost(null);
    }
  }

  #turn(peer: RTCPeerConnection): void {
    if (peer !== this.#peer) return;
    clearTimeout(this.#watch);
    if (peer.connectionState === 'connected') {
      this.#attempt = 0;
      this.#listener.onLive();
    } else if (peer.connectionState === 'failed') {
      this.#lost(null);
    } else if (peer.connectionState === 'disconnected') {
      // Often comes back within moments.
      this.#watch = setTimeout(() => this.#lost(null), 3000);
    }
  }

  /** Tells, lets go of the peer, and tries again after a while if the server can be reached. */
  #lost(error: ErrorBody | null): void {
    this.#dropPeer();
    this.#say({ type: 'close' });
    this.#listener.onLost(error);
    clearTimeout(this.#retry);
    const wait = (error?.details as { retryAfterMs?: number } | undefined)?.retryAfterMs ?? backoffMs(this.#attempt++);
    this.#retry = setTimeout(() => {
      if (this.#wanted && this.#peer === null && this.#socket?.readyState === WebSocket.OPEN) void this.#offer();
    }, wait);
  }

  #dropPeer(): void {
    clearTimeout(this.#watch);
    this.#peer?.close();
    this.#peer = null;
    this.#sender = null;
  }
}

/** Asks the encoder for a softer rather than a smaller picture; browsers that cannot just go on. */
function keepResolution(sender: RTCRtpSender): void {
  const parameters: RTCRtpSendParameters & { degradationPreference?: string } = sender.getParameters();
  parameters.degradationPreference = 'maintain-resolution';
  sender.setParameters(parameters).catch(() => undefined);
}
