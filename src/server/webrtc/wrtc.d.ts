/** The used part of @roamhq/wrtc: the W3C interfaces, and its own sources and sinks of raw frames and sound. */
declare module '@roamhq/wrtc' {
  export interface IceCandidate {
    candidate: string;
    sdpMid: string | null;
    sdpMLineIndex: number | null;
  }
  export interface MediaTrack {
    readonly kind: 'audio' | 'video';
    stop(): void;
  }
  export interface Transceiver {
    direction: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';
    readonly mid: string | null;
    readonly sender: { replaceTrack(track: MediaTrack | null): Promise<void> };
    readonly receiver: { readonly track: MediaTrack };
  }
  export class RTCPeerConnection {
    constructor(configuration?: {
      iceServers?: { urls: string[]; username?: string; credential?: string }[];
      portRange?: { min: number; max: number };
      bundlePolicy?: 'max-bundle';
    });
    readonly connectionState: 'new' | 'connecting' | 'connected' | 'disconnected' | 'failed' | 'closed';
    readonly iceGatheringState: 'new' | 'gathering' | 'complete';
    readonly localDescription: { sdp: string } | null;
    readonly remoteDescription: { sdp: string } | null;
    ondatachannel: ((event: { channel: DataChannel }) => void) | null;
    onconnectionstatechange: (() => void) | null;
    onicegatheringstatechange: (() => void) | null;
    onicecandidate: ((event: { candidate: IceCandidate | null }) => void) | null;
    addTransceiver(kind: MediaTrack | 'video' | 'audio', init?: { direction: Transceiver['direction'] }): Transceiver;
    addTrack(track: MediaTrack): unknown;
    getTransceivers(): Transceiver[];
    setRemoteDescription(description: { type: 'offer' | 'answer'; sdp: string }): Promise<void>;
    setLocalDescription(description: { type: 'offer' | 'answer'; sdp: string }): Promise<void>;
    createAnswer(): Promise<{ type: 'answer'; sdp: string }>;
    createOffer(options?: { iceRestart?: boolean }): Promise<{ type: 'offer'; sdp: string }>;
    addIceCandidate(candidate: Partial<IceCandidate>): Promise<void>;
    getStats(): Promise<Map<string, RtpStats>>;
    close(): void;
  }
  /** The used statistics of an RTP stream (W3C webrtc-stats). */
  export interface RtpStats {
    type: string;
    kind?: 'audio' | 'video';
    jitterBufferDelay?: number;
    jitterBufferEmittedCount?: number;
    totalProcessingDelay?: number;
    framesDecoded?: number;
    packetsReceived?: number;
    packetsLost?: number;
    /** In seconds. */
    jitter?: number;
    /** In `remote-inbound-rtp`: share of the packets that the other side lost lately, 0..1. */
    fractionLost?: number;
  }
  export interface DataChannel {
    readonly readyState: 'connecting' | 'open' | 'closing' | 'closed';
    onopen: (() => void) | null;
    onmessage: ((event: { data: unknown }) => void) | null;
    send(text: string): void;
    close(): void;
  }
  /** Ten milliseconds of sound, channels interleaved. */
  export interface AudioData {
    samples: Int16Array<ArrayBuffer>;
    sampleRate: number;
    channelCount: number;
    numberOfFrames: number;
    bitsPerSample: 16;
  }
  export interface VideoFrame {
    width: number;
    height: number;
    rotation: number;
    data: Uint8Array<ArrayBuffer>;
  }
  class RTCVideoSource {
    constructor(init?: { isScreencast?: boolean; needsDenoising?: boolean });
    createTrack(): MediaTrack;
    onFrame(frame: { width: number; height: number; data: Uint8Array }): void;
  }
  class RTCVideoSink {
    constructor(track: MediaTrack);
    onframe: ((event: { frame: VideoFrame }) => void) | null;
    stop(): void;
  }
  class RTCAudioSource {
    createTrack(): MediaTrack;
    onData(data: AudioData): void;
  }
  class RTCAudioSink {
    constructor(track: MediaTrack);
    ondata: ((data: AudioData) => void) | null;
    stop(): void;
  }
  export const nonstandard: {
    RTCVideoSource: typeof RTCVideoSource;
    RTCVideoSink: typeof RTCVideoSink;
    RTCAudioSource: typeof RTCAudioSource;
    RTCAudioSink: typeof RTCAudioSink;
  };
  const wrtc: { RTCPeerConnection: typeof RTCPeerConnection; nonstandard: typeof nonstandard };
  export default wrtc;
}
