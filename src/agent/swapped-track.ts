import { messageOf } from '../shared/errors.ts';
import type { Frame } from '../shared/types.ts';
import type { RtcLibrary, RtcRoom, RtcTrack, RtcVideoSource } from './rtc-library.ts';

/** Codecs that the track can have. */
export const TRACK_CODECS = ['h264', 'vp8'] as const;

/** How the track is encoded. */
export interface TrackCoding {
  codec: (typeof TRACK_CODECS)[number];
  /** Bit rate of 1280×720 at 30 pictures a second. */
  kbps: number;
}

/** Name of the track. */
const TRACK_NAME = 'swapped';
/** Encoders fail on pictures with shorter sides, in pixels. */
const LEAST_SIDE = 16;
const FULL_FPS = 30;
const FULL_PIXELS = 1280 * 720;
const LEAST_KBPS = 150;
/** A published bit rate that is off by more than this factor for so long is given up. */
const MOST_OFF = 1.3;
const OFF_MS = 2000;
/** How long a track stays beside its successor: a viewer needs to get the other's first picture. */
const OVERLAP_MS = 1000;
/** While no picture comes, the last one is sent so often: viewers can tell a held picture from a lost worker. */
const STILL_MS = 400;

/** The bit rate of pictures, by their size and their rate a second. */
export function kbpsOf(full: number, { width, height }: Pick<Frame, 'width' | 'height'>, fps: number): number {
  const kbps = full * Math.sqrt((width * height) / FULL_PIXELS) * (Math.min(fps, FULL_FPS) / FULL_FPS);
  return Math.max(LEAST_KBPS, Math.round(kbps));
}

interface Published {
  track: RtcTrack;
  sid: string | undefined;
  kbps: number;
}

/**
 * The track that viewers see. It is published with the first picture, never before. The library cannot change the bit rate of
 * a track, so that a changed rate publishes another track of the same pictures, and ends the first a second later. Main thread.
 */
export class SwappedTrack {
  readonly #library: RtcLibrary;
  readonly #room: RtcRoom;
  readonly #coding: TrackCoding;
  readonly #onFault: (error: string) => void;
  readonly #stillTimer: NodeJS.Timeout;
  readonly #overlapTimers = new Set<NodeJS.Timeout>();
  #source: RtcVideoSource | null = null;
  #published: Published | null = null;
  #isPublishing = false;
  #last: Frame | null = null;
  #sentAtMs = 0;
  #fps = FULL_FPS;
  #offSinceMs: number | null = null;
  #closed = false;

  constructor(library: RtcLibrary, room: RtcRoom, coding: TrackCoding, onFault: (error: string) => void) {
    this.#library = library;
    this.#room = room;
    this.#coding = coding;
    this.#onFault = onFault;
    this.#stillTimer = setInterval(() => this.#repeat(), STILL_MS);
  }

  /** Whether viewers can see the track. */
  get isPublished(): boolean {
    return this.#published !== null;
  }

  /** Highest rate of the pictures that come, per second. */
  set fps(fps: number) {
    this.#fps = fps;
  }

  /** Sends a picture; its data is copied. Pictures with a side under 16 pixels are left out. */
  send(frame: Frame): void {
    const { width, height, data } = frame;
    if (this.#closed || Math.min(width, height) < LEAST_SIDE) return;
    const { VideoSource, VideoFrame, VideoBufferType } = this.#library;
    this.#last = frame;
    this.#sentAtMs = performance.now();
    try {
      this.#source ??= new VideoSource(width, height);
      this.#source.captureFrame(new VideoFrame(data, width, height, VideoBufferType.I420));
      this.#publishIfNeeded(frame);
    } catch (error) {
      this.#onFault(messageOf(error));
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#stillTimer);
    for (const timer of this.#overlapTimers) clearTimeout(timer);
    this.#last = null;
    void this.#published?.track.close(false).catch(() => undefined);
    void this.#source?.close().catch(() => undefined);
  }

  #repeat(): void {
    // The data of a frame that was moved or freed is gone.
    if (this.#last !== null && this.#last.data.length > 0 && performance.now() - this.#sentAtMs >= STILL_MS)
      this.send(this.#last);
  }

  #publishIfNeeded(frame: Frame): void {
    // Pictures may come before the room is entered.
    if (this.#isPublishing || !this.#room.isConnected) return;
    const kbps = kbpsOf(this.#coding.kbps, frame, this.#fps);
    if (this.#published !== null && !this.#isOff(this.#published.kbps, kbps)) return;
    this.#isPublishing = true;
    void this.#publish(kbps)
      // The room was left meanwhile, or the server refuses it: the next picture finds out.
      .catch((error: unknown) => this.#closed || this.#onFault(messageOf(error)))
      .finally(() => {
        this.#isPublishing = false;
      });
  }

  #isOff(published: number, wanted: number): boolean {
    const factor = Math.max(published, wanted) / Math.min(published, wanted);
    if (factor < MOST_OFF) this.#offSinceMs = null;
    else this.#offSinceMs ??= performance.now();
    return this.#offSinceMs !== null && performance.now() - this.#offSinceMs > OFF_MS;
  }

  async #publish(kbps: number): Promise<void> {
    const { LocalVideoTrack, TrackPublishOptions, VideoCodec, TrackSource } = this.#library;
    const track = LocalVideoTrack.createVideoTrack(TRACK_NAME, this.#source!);
    const options = new TrackPublishOptions({
      source: TrackSource.SOURCE_CAMERA,
      videoCodec: this.#coding.codec === 'h264' ? VideoCodec.H264 : VideoCodec.VP8,
      videoEncoding: { maxBitrate: BigInt(1000 * kbps), maxFramerate: FULL_FPS },
      simulcast: false,
    });
    const publication = await this.#room.localParticipant!.publishTrack(track, options);
    const before = this.#published;
    this.#published = { track, sid: publication.sid, kbps };
    this.#offSinceMs = null;
    if (before !== null) this.#endLater(before);
  }

  #endLater({ track, sid }: Published): void {
    const timer = setTimeout(() => {
      this.#overlapTimers.delete(timer);
      const unpublished = sid === undefined ? undefined : this.#room.localParticipant?.unpublishTrack(sid);
      void unpublished?.catch(() => undefined).finally(() => void track.close(false).catch(() => undefined));
    }, OVERLAP_MS);
    this.#overlapTimers.add(timer);
  }
}
