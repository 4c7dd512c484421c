/** The swapped pictures of a stream's room, and the sound that goes with them. */

import {
  type Participant,
  type RemoteParticipant,
  type RemoteTrack,
  type RemoteTrackPublication,
  RemoteVideoTrack,
  type Room,
  RoomEvent,
  Track,
} from 'livekit-client';
import { DISCLOSURE_ATTRIBUTE, isJob, ON_BEHALF_ATTRIBUTE, SWAPPED_TRACK } from '../../shared/cluster/cluster-names.ts';
import type { Disclosure } from '../../shared/messages.ts';
import type { StatsEntry } from '../peer/network-stats.ts';

/** Whose pictures are shown, and what their owner is told. */
export interface PicturesConf {
  /** Identity of the publisher; undefined for all of the room. */
  publisher?: string;
  /** Whether microphones are played too. */
  sound: boolean;
  /** Null when there is nothing to show any more. */
  onVideo(stream: MediaStream | null): void;
  /** The pictures that come are modified, or are not. */
  onModified?(isModified: boolean): void;
}

interface Shown {
  track: RemoteVideoTrack;
  job: Participant;
}

/**
 * Shows the newest track `swapped` that has pictures: there are two for a moment when a worker hands over. Both are in one
 * MediaStream, so that the picture stands until the next one is there.
 */
export class SwappedPictures {
  readonly #room: Room;
  readonly #conf: PicturesConf;
  readonly #videos: Shown[] = [];
  readonly #sounds = new Set<MediaStreamTrack>();
  #stream = new MediaStream();
  #shown: Shown | null = null;

  /** @param room subscribes to nothing by itself. */
  constructor(room: Room, conf: PicturesConf) {
    this.#room = room;
    this.#conf = conf;
    room
      .on(RoomEvent.TrackPublished, this.#take)
      .on(RoomEvent.TrackSubscribed, this.#add)
      .on(RoomEvent.TrackUnsubscribed, this.#remove)
      .on(RoomEvent.ParticipantAttributesChanged, this.#onAttributes);
  }

  /** Takes what was published before; call it once the room is connected. */
  begin(): void {
    for (const by of this.#room.remoteParticipants.values())
      for (const publication of by.trackPublications.values()) {
        this.#take(publication, by);
        // Another reader of the room may have it already.
        if (publication.track !== undefined) this.#add(publication.track, publication, by);
      }
  }

  /** Number of pictures that were decoded of the track that is shown; 0 while there is none. */
  async frames(): Promise<number> {
    for (const entry of await this.stats()) {
      const { type, framesDecoded } = entry as StatsEntry & { framesDecoded?: number };
      if (type === 'inbound-rtp' && framesDecoded !== undefined) return framesDecoded;
    }
    return 0;
  }

  /** The browser's statistics of the track that is shown; none while there is none. */
  async stats(): Promise<StatsEntry[]> {
    const report = await this.#shown?.track.getRTCStatsReport().catch(() => undefined);
    return [...(report?.values() ?? [])] as StatsEntry[];
  }

  /** Shows nothing any more. Idempotent. */
  close(): void {
    this.#room
      .off(RoomEvent.TrackPublished, this.#take)
      .off(RoomEvent.TrackSubscribed, this.#add)
      .off(RoomEvent.TrackUnsubscribed, this.#remove)
      .off(RoomEvent.ParticipantAttributesChanged, this.#onAttributes);
    this.#videos.length = 0;
    this.#sounds.clear();
    this.#show(null);
  }

  readonly #take = (publication: RemoteTrackPublication, by: RemoteParticipant): void => {
    if (this.#isOurs(publication, by)) publication.setSubscribed(true);
  };

  #isOurs({ trackName, source }: RemoteTrackPublication, { identity, attributes }: RemoteParticipant): boolean {
    const { publisher, sound } = this.#conf;
    const is = (owner: string | undefined): boolean => publisher === undefined || owner === publisher;
    if (isJob(identity)) return trackName === SWAPPED_TRACK && is(attributes[ON_BEHALF_ATTRIBUTE]);
    return sound && source === Track.Source.Microphone && is(identity);
  }

  readonly #add = (track: RemoteTrack, publication: RemoteTrackPublication, by: RemoteParticipant): void => {
    if (!this.#isOurs(publication, by)) return;
    const { mediaStreamTrack } = track;
    if (!(track instanceof RemoteVideoTrack)) {
      this.#sounds.add(mediaStreamTrack);
      this.#stream.addTrack(mediaStreamTrack);
      // A person may be heard before there is a picture.
      if (this.#shown === null) this.#conf.onVideo(this.#stream);
      return;
    }
    const added = { track, job: by };
    this.#videos.push(added);
    // A track is muted until its first packet is there.
    if (mediaStreamTrack.muted)
      mediaStreamTrack.addEventListener('unmute', () => this.#show(this.#newest()), { once: true });
    else this.#show(added);
  };

  readonly #remove = (track: RemoteTrack): void => {
    this.#sounds.delete(track.mediaStreamTrack);
    this.#stream.removeTrack(track.mediaStreamTrack);
    const at = this.#videos.findIndex((one) => one.track === track);
    if (at < 0) return;
    const [gone] = this.#videos.splice(at, 1);
    if (gone === this.#shown) this.#show(this.#newest());
  };

  #newest(): Shown | null {
    return this.#videos.findLast(({ track }) => !track.mediaStreamTrack.muted) ?? null;
  }

  #show(next: Shown | null): void {
    const before = this.#shown;
    if (next === before) return;
    this.#shown = next;
    if (next === null) {
      this.#stream = new MediaStream([...this.#sounds]);
      this.#conf.onVideo(null);
      if (this.#sounds.size > 0) this.#conf.onVideo(this.#stream);
      return;
    }
    this.#stream.addTrack(next.track.mediaStreamTrack);
    if (before === null) this.#conf.onVideo(this.#stream);
    else this.#stream.removeTrack(before.track.mediaStreamTrack);
    this.#disclose(next.job);
  }

  readonly #onAttributes = (_changed: object, by: Participant): void => this.#disclose(by);

  #disclose(by: Participant): void {
    if (by !== this.#shown?.job) return;
    const said = by.attributes[DISCLOSURE_ATTRIBUTE];
    this.#conf.onModified?.(said !== undefined && (JSON.parse(said) as Disclosure).aiModified);
  }
}
