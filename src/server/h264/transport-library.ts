/**
 * The used part of node-datachannel, the bindings of libdatachannel. It is not a dependency: `faceoff h264 install`
 * fetches it. It must stay on the main thread: in a worker together with node-av it ends the process.
 */

/** A media section: packets go in and out as they are, RTCP and RTP, decrypted. */
export interface TransportTrack {
  sendMessageBinary(data: Buffer): boolean;
  isOpen(): boolean;
  onMessage(callback: (data: Buffer) => void): void;
  onOpen(callback: () => void): void;
  close(): void;
}

/** A media section of an own offer. */
export interface TransportSection {
  addSSRC(ssrc: number, cname: string, stream: string, track: string): void;
}

/** A data channel. */
export interface TransportChannel {
  isOpen(): boolean;
  sendMessage(text: string): boolean;
  onOpen(callback: () => void): void;
  close(): void;
}

/** A connection: ICE, DTLS, SRTP and SCTP. */
export interface TransportConnection {
  setRemoteDescription(sdp: string, type: 'offer' | 'answer'): void;
  setLocalDescription(type: 'offer' | 'answer'): void;
  addTrack(section: TransportSection): TransportTrack;
  localDescription(): { sdp: string } | null;
  addRemoteCandidate(candidate: string, mid: string): void;
  gatheringState(): 'new' | 'in-progress' | 'complete';
  onLocalCandidate(callback: (candidate: string, mid: string) => void): void;
  onGatheringStateChange(callback: (state: string) => void): void;
  onStateChange(callback: (state: string) => void): void;
  onTrack(callback: (track: TransportTrack) => void): void;
  onDataChannel(callback: (channel: TransportChannel) => void): void;
  close(): void;
}

/** A STUN or TURN server. */
export interface TransportServer {
  hostname: string;
  port: number;
  username?: string;
  password?: string;
  relayType?: 'TurnUdp' | 'TurnTcp' | 'TurnTls';
}

/** UDP ports that a connection may take one of; with `enableIceUdpMux` all connections of a port share its socket. */
export interface TransportPorts {
  portRangeBegin?: number;
  portRangeEnd?: number;
  enableIceUdpMux?: boolean;
}

/** `node-datachannel`. */
export interface TransportLibrary {
  PeerConnection: new (
    name: string,
    options: TransportPorts & { iceServers: (string | TransportServer)[]; disableAutoNegotiation: boolean },
  ) => TransportConnection;
  Video: new (
    mid: string,
    direction: 'SendOnly',
  ) => TransportSection & { addH264Codec(payloadType: number, fmtp: string): void };
  Audio: new (
    mid: string,
    direction: 'SendOnly',
  ) => TransportSection & { addOpusCodec(payloadType: number, fmtp: string): void };
}

/**
 * Sends where the connection is open. It may close on the library's own thread between the question and the sending,
 * which then throws.
 * @returns whether it was sent, or waits in the library to be sent.
 */
export function sendIfOpen(to: { isOpen(): boolean }, send: () => unknown): boolean {
  if (!to.isOpen()) return false;
  try {
    send();
    return true;
  } catch (error) {
    if (to.isOpen()) throw error;
    return false;
  }
}
