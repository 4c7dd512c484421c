/** Publishers and viewers of LiveKit in this process, by the library that workers use. One thread of a process can have it. */

import type { RtcLibrary, RtcRoom, RtcTrack, RtcVideoSource } from '../../src/agent/rtc-library.ts';
import type { LiveKitAddress } from '../../src/livekit/livekit-api.ts';
import type { PublisherTickets, RoomTicket } from '../../src/livekit/stream-tokens.ts';
import type { Frame } from '../../src/shared/types.ts';

const OPTIONS = { autoSubscribe: true, dynacast: false };

/** A camera: publishes a still picture, whose top rows tell the time. */
export class CameraOfCluster {
  readonly room: RtcRoom;
  readonly #library: RtcLibrary;
  #source: RtcVideoSource | null = null;
  #timer: NodeJS.Timeout | undefined;
  sent = 0;

  constructor(library: RtcLibrary) {
    this.#library = library;
    this.room = new library.Room();
  }

  async join({ url }: LiveKitAddress, { camera }: Pick<PublisherTickets, 'camera'>): Promise<void> {
    await this.room.connect(url, camera.token, OPTIONS);
  }

  /** Publishes the picture as a camera, so many times a second. */
  async publish(picture: Frame, fps = 25, codec: 'H264' | 'VP8' = 'H264'): Promise<void> {
    const { LocalVideoTrack, TrackPublishOptions, TrackSource, VideoCodec, VideoSource } = this.#library;
    const source = new VideoSource(picture.width, picture.height);
    this.#source = source;
    const track = LocalVideoTrack.createVideoTrack('camera', source);
    const options = new TrackPublishOptions({
      source: TrackSource.SOURCE_CAMERA,
      videoCodec: VideoCodec[codec],
      videoEncoding: { maxBitrate: 2_000_000n, maxFramerate: 30 },
      simulcast: false,
    });
    this.show(picture, fps);
    await this.room.localParticipant!.publishTrack(track, options);
  }

  /** Shows another picture from now on, which may have another size. */
  show(picture: Frame, fps = 25): void {
    const { VideoFrame, VideoBufferType } = this.#library;
    clearInterval(this.#timer);
    const { width, height } = picture;
    const data = picture.data.slice();
    this.#timer = setInterval(() => {
      writeTime(data, width, performance.now());
      this.#source!.captureFrame(new VideoFrame(data, width, height, VideoBufferType.I420));
      this.sent++;
    }, 1000 / fps);
  }

  pause(): void {
    clearInterval(this.#timer);
  }

  async leave(): Promise<void> {
    clearInterval(this.#timer);
    await this.room.disconnect().catch(() => undefined);
    await this.#source?.close().catch(() => undefined);
  }
}

/** One picture that a viewer got. */
export interface SeenPicture {
  atMs: number;
  /** When the camera drew it; null where it cannot be read. */
  drawnAtMs: number | null;
  track: string;
}

/** A viewer: notes when pictures come, keeps the newest. */
export class ViewerOfCluster {
  readonly room: RtcRoom;
  readonly seen: SeenPicture[] = [];
  /** Identity and track of each publication that was announced. */
  readonly announced: string[] = [];
  picture: Frame | null = null;
  /** Called with each picture. */
  onPicture: (picture: Frame) => void = () => undefined;
  #closed = false;

  constructor(library: RtcLibrary) {
    this.room = new library.Room();
    this.room.on('trackPublished', ({ name }, { identity }) => this.announced.push(`${identity}/${name}`));
    this.room.on('trackSubscribed', (track) => void this.#watch(library, track));
  }

  async join({ url }: LiveKitAddress, { token }: RoomTicket): Promise<void> {
    await this.room.connect(url, token, OPTIONS);
  }

  /** Longest time without a picture, from one time to another or to now. */
  longestGapMs(fromMs: number, toMs = performance.now()): number {
    const times = [fromMs, ...this.seen.map(({ atMs }) => atMs).filter((atMs) => atMs > fromMs && atMs < toMs), toMs];
    return Math.max(...times.slice(1).map((atMs, n) => atMs - times[n]!));
  }

  /** Times from drawing to arrival, of the pictures that came since then, rising. */
  latenciesMs(fromMs: number): number[] {
    return this.seen
      .filter(({ atMs, drawnAtMs }) => atMs > fromMs && drawnAtMs !== null)
      .map(({ atMs, drawnAtMs }) => atMs - drawnAtMs!)
      .sort((a, b) => a - b);
  }

  async leave(): Promise<void> {
    this.#closed = true;
    await this.room.disconnect().catch(() => undefined);
  }

  async #watch(library: RtcLibrary, track: RtcTrack): Promise<void> {
    const reader = new library.VideoStream(track).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.#closed) return;
      const { width, height, data } = value.frame;
      const atMs = performance.now();
      const picture = { width, height, data: data.slice(), receivedAtMs: atMs };
      this.seen.push({ atMs, drawnAtMs: readTime(picture, atMs), track: track.sid ?? '' });
      this.picture = picture;
      this.onPicture(picture);
    }
  }
}

/** Side of a block of the time code, and number of its bits: a bit is a block of luma. */
const BLOCK = 16;
const BITS = 20;

function writeTime(data: Uint8Array, width: number, atMs: number): void {
  const value = Math.round(atMs) % 2 ** BITS;
  for (let bit = 0; bit < BITS; bit++) {
    const luma = (value >> bit) & 1 ? 235 : 16;
    for (let y = 0; y < BLOCK; y++) data.fill(luma, y * width + bit * BLOCK, y * width + (bit + 1) * BLOCK);
  }
}

function readTime({ data, width }: Frame, nowMs: number): number | null {
  if (width < BITS * BLOCK) return null;
  let value = 0;
  for (let bit = 0; bit < BITS; bit++) {
    const luma = data[(BLOCK / 2) * width + bit * BLOCK + BLOCK / 2]!;
    if (luma > 90 && luma < 160) return null;
    if (luma > 125) value |= 1 << bit;
  }
  const round = 2 ** BITS;
  const age = (Math.round(nowMs) - value + round) % round;
  return age > 10_000 ? null : nowMs - age;
}
