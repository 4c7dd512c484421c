/** The two rooms of a publisher: the camera goes into one, the swapped picture comes out of the other. */

import {
  type LocalTrackPublication,
  type LocalVideoTrack,
  type Participant,
  RoomEvent,
  Track,
  type TrackPublishOptions,
} from 'livekit-client';
import {
  isJob,
  jobsOf,
  ON_BEHALF_ATTRIBUTE,
  PERSON_ATTRIBUTE,
  SETTINGS_ATTRIBUTE,
  STATE_ATTRIBUTE,
  STATS_TOPIC,
} from '../../shared/cluster/cluster-names.ts';
import type { SettingsRequest } from '../../shared/duties/disclosure-duty.ts';
import type { CallPerson, SessionStats } from '../../shared/messages.ts';
import type { PlayerConf, StreamPlayer } from '../peer/connection-conf.ts';
import type { StatsEntry } from '../peer/network-stats.ts';
import { limitRate } from '../peer/sender-limits.ts';
import { followPeople, type PersonSaid } from './call-people.ts';
import type { PublisherPass } from './cluster-requests.ts';
import { liveKitRoom } from './livekit-room.ts';
import { SwappedPictures } from './swapped-pictures.ts';

/** What the owner of the rooms is told. */
export interface PublisherRoomsConf {
  onVideo(stream: MediaStream | null): void;
  /** A job says what holds. @param text its attribute. */
  onState(text: string): void;
  onStats(stats: SessionStats): void;
  /** The people of the call, once this page's own is among them. */
  onPeople(people: CallPerson[], you: string): void;
  /** A connection is being made anew; it may come back. */
  onShaky(): void;
  /** A room is left, and does not come back. */
  onGone(): void;
}

/** Bit rate of 1280×720 at 30 pictures a second; smaller pictures get less. */
const FULL_BPS = 2_500_000;
const FULL_PIXELS = 1280 * 720;
const LEAST_BPS = 500_000;
const FPS = 30;

/** A publisher's connection to LiveKit, from its entry to its end. */
export class PublisherRooms {
  readonly #stream = liveKitRoom();
  readonly #camera = liveKitRoom();
  readonly #pass: PublisherPass;
  readonly #conf: PublisherRoomsConf;
  readonly #pictures: SwappedPictures;
  #sound: LocalTrackPublication | null = null;
  #video: LocalVideoTrack | null = null;
  #closed = false;

  constructor(pass: PublisherPass, conf: PublisherRoomsConf) {
    this.#pass = pass;
    this.#conf = conf;
    const { publisher } = pass;
    followPeople(this.#stream, conf.onPeople);
    const onVideo = (stream: MediaStream | null): void => conf.onVideo(stream);
    this.#pictures = new SwappedPictures(this.#stream, { publisher, sound: false, onVideo });
    for (const room of [this.#stream, this.#camera])
      room
        .on(RoomEvent.Reconnecting, () => this.#closed || conf.onShaky())
        .on(RoomEvent.Disconnected, () => this.#closed || conf.onGone());
    this.#camera
      .on(RoomEvent.ParticipantConnected, (by) => this.#hear(by.attributes, by))
      .on(RoomEvent.ParticipantAttributesChanged, (changed, by) => this.#hear(changed, by))
      .on(RoomEvent.DataReceived, (data, by, _kind, topic) => {
        if (topic === STATS_TOPIC && by !== undefined && this.#isOurJob(by.identity))
          conf.onStats(JSON.parse(new TextDecoder().decode(data)) as SessionStats);
      });
  }

  /** Enters both rooms. @throws ConnectionError of LiveKit's client. */
  async enter(): Promise<void> {
    const { url, camera, sound } = this.#pass;
    const options = { autoSubscribe: false };
    await Promise.all([
      this.#camera.connect(url, camera.token, options),
      this.#stream.connect(url, sound.token, options),
    ]);
    this.#pictures.begin();
  }

  /** Whether another publisher has the stream's name. */
  get isTaken(): boolean {
    const jobs = [...this.#stream.remoteParticipants.values()].filter(({ identity }) => isJob(identity));
    return jobs.some(({ attributes }) => attributes[ON_BEHALF_ATTRIBUTE] !== this.#pass.publisher);
  }

  /** Whether a worker has a job for the camera. */
  get hasJob(): boolean {
    return [...this.#camera.remoteParticipants.keys()].some((identity) => this.#isOurJob(identity));
  }

  /** Sends the camera, from now on. @throws Error of LiveKit's client. */
  async publishCamera(track: MediaStreamTrack): Promise<void> {
    const published = await this.#camera.localParticipant.publishTrack(track, cameraOptions(track));
    this.#video = (published.videoTrack as LocalVideoTrack | undefined) ?? null;
  }

  /** Sends another camera's pictures in place of those before. @throws Error of LiveKit's client. */
  async replaceCamera(track: MediaStreamTrack): Promise<void> {
    await this.#video?.replaceTrack(track, true);
  }

  /** Sends this microphone's sound to the stream's room; null sends none. @throws Error of LiveKit's client. */
  async publishSound(track: MediaStreamTrack | null): Promise<void> {
    const { localParticipant } = this.#stream;
    const before = this.#sound?.track;
    if (track !== null && before !== undefined) {
      await before.replaceTrack(track, true);
      return;
    }
    this.#sound = null;
    if (before !== undefined) await localParticipant.unpublishTrack(before.mediaStreamTrack, false);
    if (track === null) return;
    this.#sound = await localParticipant.publishTrack(track, { source: Track.Source.Microphone });
  }

  /** Tells jobs what the page wants. @throws Error of LiveKit's client. */
  async tell(settings: SettingsRequest): Promise<void> {
    await this.#camera.localParticipant.setAttributes({ [SETTINGS_ATTRIBUTE]: JSON.stringify(settings) });
  }

  /** Tells the others in the call. @throws Error of LiveKit's client. */
  async tellPerson(person: PersonSaid, muted: boolean): Promise<void> {
    await this.#stream.localParticipant.setAttributes({ [PERSON_ATTRIBUTE]: JSON.stringify(person) });
    const { audioTrack } = this.#sound ?? {};
    await (muted ? audioTrack?.mute() : audioTrack?.unmute());
  }

  /** Plays another publisher of the stream. */
  watch({ stream: publisher, sound = false, onVideo, onModified }: PlayerConf): StreamPlayer {
    const pictures = new SwappedPictures(this.#stream, {
      publisher,
      sound,
      onVideo: (media) => onVideo(media),
      ...(onModified !== undefined && { onModified }),
    });
    pictures.begin();
    // LiveKit tells by itself when there are pictures again.
    return { check: async () => undefined, close: () => pictures.close() };
  }

  /** Sends no more pictures a second than that. @param maxFps null for as many as the camera gives. */
  limitRate(maxFps: number | null): void {
    const sender = this.#video?.sender;
    if (sender !== undefined) limitRate(sender, maxFps);
  }

  /** Number of pictures that came back and were decoded, of the track that is shown. */
  frames(): Promise<number> {
    return this.#pictures.frames();
  }

  /** The browser's statistics of what comes back and of what goes out. */
  async stats(): Promise<StatsEntry[]> {
    const sent = await this.#video?.getRTCStatsReport().catch(() => undefined);
    return [...((sent?.values() ?? []) as Iterable<StatsEntry>), ...(await this.#pictures.stats())];
  }

  /** Leaves both rooms. Idempotent; nothing is told of it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pictures.close();
    for (const room of [this.#stream, this.#camera]) void room.disconnect(false).catch(() => undefined);
  }

  #isOurJob(identity: string): boolean {
    return identity.startsWith(jobsOf(this.#pass.publisher));
  }

  #hear(attributes: Readonly<Record<string, string>>, by: Participant): void {
    const state = attributes[STATE_ATTRIBUTE];
    if (state !== undefined && this.#isOurJob(by.identity)) this.#conf.onState(state);
  }
}

/** H.264 costs a worker least; a browser that cannot encode it sends VP8. */
function cameraOptions(track: MediaStreamTrack): TrackPublishOptions {
  const codecs = RTCRtpSender.getCapabilities?.('video')?.codecs ?? [];
  const hasH264 = codecs.some(({ mimeType }) => mimeType.toLowerCase() === 'video/h264');
  const { width = 640, height = 480 } = track.getSettings();
  const bps = Math.max(LEAST_BPS, Math.round(FULL_BPS * Math.sqrt((width * height) / FULL_PIXELS)));
  return {
    source: Track.Source.Camera,
    name: 'camera',
    videoCodec: hasH264 ? 'h264' : 'vp8',
    backupCodec: false,
    simulcast: false,
    degradationPreference: 'maintain-resolution',
    videoEncoding: { maxBitrate: bps, maxFramerate: FPS },
  };
}
