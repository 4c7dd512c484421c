/**
 * The used part of @livekit/rtc-node. It is not a dependency: `faceoff agent install` fetches it. It must stay on one thread:
 * a second one would take all its events.
 */

/** Keeps an object of native code; freed by `dispose`, once, else by a garbage collection, which may be minutes away. */
export interface RtcHandle {
  dispose(): void;
}

/** A track. */
export interface RtcTrack {
  readonly ffi_handle?: RtcHandle | undefined;
  readonly sid?: string | undefined;
  close(closeSource?: boolean): Promise<void>;
}

/** A track as a participant announces it. */
export interface RtcPublication {
  readonly sid?: string | undefined;
  readonly kind?: number | undefined;
  readonly source?: number | undefined;
  readonly name?: string | undefined;
  readonly track?: RtcTrack | undefined;
  readonly ffiHandle?: RtcHandle | undefined;
}

/** Another participant. */
export interface RtcParticipant {
  readonly ffi_handle?: RtcHandle | undefined;
  readonly identity: string;
  readonly attributes: Record<string, string>;
  readonly trackPublications: Map<string, RtcPublication>;
}

/** This side's participant. Every promise can reject when the room is left meanwhile. */
export interface RtcLocalParticipant {
  readonly ffi_handle?: RtcHandle | undefined;
  readonly identity: string;
  readonly trackPublications?: Map<string, RtcPublication>;
  publishTrack(track: RtcTrack, options: object): Promise<RtcPublication>;
  unpublishTrack(sid: string, stopOnUnpublish?: boolean): Promise<void>;
  setAttributes(attributes: Record<string, string>): Promise<void>;
  publishData(
    data: Uint8Array,
    options: { reliable: boolean; destination_identities: string[]; topic: string },
  ): Promise<void>;
}

/** Events of a room that are used, with what they carry. */
export interface RtcRoomEvents {
  trackPublished: (publication: RtcPublication, participant: RtcParticipant) => void;
  trackUnpublished: (publication: RtcPublication, participant: RtcParticipant) => void;
  trackSubscribed: (track: RtcTrack, publication: RtcPublication, participant: RtcParticipant) => void;
  participantConnected: (participant: RtcParticipant) => void;
  participantDisconnected: (participant: RtcParticipant) => void;
  participantAttributesChanged: (changed: Record<string, string>, participant: { identity: string }) => void;
  reconnecting: () => void;
  reconnected: () => void;
  disconnected: (reason: number) => void;
}

/** A connection to a room. */
export interface RtcRoom {
  readonly localParticipant?: RtcLocalParticipant | undefined;
  readonly remoteParticipants: Map<string, RtcParticipant>;
  readonly isConnected: boolean;
  /** Private to the library, of this release. */
  readonly ffiHandle?: RtcHandle | undefined;
  connect(url: string, token: string, options: { autoSubscribe: boolean; dynacast: boolean }): Promise<void>;
  disconnect(): Promise<void>;
  on<K extends keyof RtcRoomEvents>(event: K, listener: RtcRoomEvents[K]): unknown;
}

/** A picture: `data` holds the planes one after another. */
export interface RtcVideoFrame {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly type: number;
  convert(type: number): RtcVideoFrame;
}

/** A picture of a stream. `rotation` is a VideoRotation: quarter turns clockwise that make it upright. */
export interface RtcFrameEvent {
  readonly frame: RtcVideoFrame;
  readonly rotation: number;
}

/** Takes pictures for tracks. */
export interface RtcVideoSource {
  captureFrame(frame: RtcVideoFrame): void;
  close(): Promise<void>;
}

/** The library. */
export interface RtcLibrary {
  Room: new () => RtcRoom;
  /** Has no back pressure: pictures that are not read are kept. */
  VideoStream: new (
    track: RtcTrack,
  ) => ReadableStream<RtcFrameEvent>;
  VideoSource: new (width: number, height: number) => RtcVideoSource;
  /** Takes the whole buffer below `data`, from its first byte. */
  VideoFrame: new (
    data: Uint8Array,
    width: number,
    height: number,
    type: number,
  ) => RtcVideoFrame;
  LocalVideoTrack: { createVideoTrack(name: string, source: RtcVideoSource): RtcTrack };
  TrackPublishOptions: new (options: object) => object;
  VideoBufferType: { I420: number };
  VideoCodec: { VP8: number; H264: number };
  TrackSource: { SOURCE_CAMERA: number };
  TrackKind: { KIND_VIDEO: number };
}
