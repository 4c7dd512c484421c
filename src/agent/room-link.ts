import type { Logger } from '../lib/log.ts';
import type { ClusterPublisher } from '../livekit/room-names.ts';
import type { MediaLink, PeerListener, PeerSource } from '../server/webrtc/peer.ts';
import { upright } from '../server/webrtc/upright.ts';
import { DISCLOSURE_ATTRIBUTE, jobsOf, SETTINGS_ATTRIBUTE, STATS_TOPIC } from '../shared/cluster/cluster-names.ts';
import { messageOf } from '../shared/errors.ts';
import type { SessionStats } from '../shared/messages.ts';
import type { Frame } from '../shared/types.ts';
import { leaveRoom } from './leave-room.ts';
import type { RtcFrameEvent, RtcLibrary, RtcRoom, RtcTrack } from './rtc-library.ts';
import { SwappedTrack, type TrackCoding } from './swapped-track.ts';

/** What a link connects to. */
export interface LinkTarget extends ClusterPublisher {
  /** ws: or wss:. */
  url: string;
  /** Identity of the job in both rooms. */
  identity: string;
  /** Tokens of the camera's room and of the stream's. */
  cameraToken: string;
  streamToken: string;
  /** The publisher changed its settings. @param text the attribute, JSON of anyone's making. */
  onSettings: (text: string) => void;
  /** Another job of the publisher shows pictures. */
  onSuccessor: () => void;
}

const LEAST_SIDE = 16;
/**
 * A job that is cut off from a room for so long ends. Its publisher's page asked for another worker after a second, and where
 * LiveKit lost a node, all jobs of its rooms come anew: they need the places.
 */
const CUT_OFF_MS = 3000;

/** Opens links. */
export class RoomLinks implements PeerSource<RoomLink> {
  readonly #library: RtcLibrary;
  readonly #coding: TrackCoding;
  readonly #log: Logger;

  constructor(library: RtcLibrary, coding: TrackCoding, log: Logger) {
    this.#library = library;
    this.#coding = coding;
    this.#log = log;
  }

  open(listener: PeerListener): RoomLink {
    return new RoomLink({ library: this.#library, coding: this.#coding, log: this.#log, listener });
  }
}

interface LinkParts {
  library: RtcLibrary;
  coding: TrackCoding;
  log: Logger;
  listener: PeerListener;
}

/**
 * A session's connection to LiveKit, in place of a peer: takes the camera from one room, publishes the swapped track in
 * another. `join` connects it. Whatever the library throws or rejects with is caught: while a room is left, or its node is lost,
 * it does so at any call, and that would end the process with all its jobs. Main thread.
 */
export class RoomLink implements MediaLink {
  readonly #parts: LinkParts;
  readonly #camera: RtcRoom;
  readonly #stream: RtcRoom;
  readonly #track: SwappedTrack;
  #reader: ReadableStreamDefaultReader<RtcFrameEvent> | null = null;
  #message: string | null = null;
  /** Identity of the publisher; null before the rooms are entered. */
  #publisher: string | null = null;
  /** Rooms that the library is trying to come back to. */
  readonly #cutOff = new Set<RtcRoom>();
  #cutOffTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: LinkParts) {
    const { library, coding, log } = parts;
    this.#parts = parts;
    this.#camera = new library.Room();
    this.#stream = new library.Room();
    this.#track = new SwappedTrack(library, this.#stream, coding, (error) =>
      log.warn({ error }, 'the swapped track could not be published'),
    );
  }

  /** Whether viewers can see the swapped track. */
  get isPublished(): boolean {
    return this.#track.isPublished;
  }

  /** Highest rate of the pictures that are sent, per second; the bit rate follows. */
  set fps(fps: number) {
    this.#track.fps = fps;
  }

  /** Enters both rooms. @throws Error of the library; the link is then closed by its owner. */
  async join(target: LinkTarget): Promise<void> {
    const { publisher, identity, onSuccessor } = target;
    const camera = this.#camera;
    const stream = this.#stream;
    this.#followCamera(target);
    stream.on('trackPublished', (_publication, by) => {
      if (by.identity !== identity && by.identity.startsWith(jobsOf(publisher))) onSuccessor();
    });
    for (const room of [camera, stream]) {
      room.on('reconnecting', () => this.#cutOffFrom(room));
      room.on('reconnected', () => this.#cameBack(room));
      room.on('disconnected', () => this.#lost());
    }
    // A camera that is subscribed to while the room is entered comes a tenth of a second sooner.
    const joined = [
      camera
        .connect(target.url, target.cameraToken, { autoSubscribe: true, dynacast: false })
        .then(() => this.#find(target)),
      stream.connect(target.url, target.streamToken, { autoSubscribe: false, dynacast: false }),
    ];
    const failed = (await Promise.allSettled(joined)).find(({ status }) => status === 'rejected');
    if (this.#closed) this.#leave();
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
    if (this.#closed) return;
    this.#publisher = publisher;
    this.#parts.listener.onState('connected');
    if (this.#message !== null) this.#tell(stream, { [DISCLOSURE_ATTRIBUTE]: this.#message });
  }

  /** Shows the publisher's page an attribute of the job. */
  showPublisher(attributes: Record<string, string>): void {
    this.#tell(this.#camera, attributes);
  }

  /** Sends statistics to the publisher's page; they may get lost. */
  sendStats(stats: SessionStats): void {
    if (this.#closed || this.#publisher === null || !this.#camera.isConnected) return;
    const data = new TextEncoder().encode(JSON.stringify(stats));
    const options = { reliable: false, destination_identities: [this.#publisher], topic: STATS_TOPIC };
    void this.#camera.localParticipant?.publishData(data, options).catch((error: unknown) => {
      if (!this.#closed) this.#parts.log.debug({ error: messageOf(error) }, 'statistics could not be sent');
    });
  }

  sendFrame(frame: Frame): void {
    if (!this.#closed) this.#track.send(frame);
  }

  /** Sound goes from the publisher to the stream's room by itself. */
  sendSound(): void {}

  sendMessage(message: string): void {
    if (this.#message === message) return;
    this.#message = message;
    this.#tell(this.#stream, { [DISCLOSURE_ATTRIBUTE]: message });
  }

  async buffersMs(): Promise<null> {
    return null;
  }

  async traffic(): Promise<null> {
    return null;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#cutOffTimer);
    void this.#reader?.cancel().catch(() => undefined);
    this.#track.close();
    this.#leave();
  }

  /** Finds the publisher in the camera's room. */
  #find({ publisher, onSettings }: LinkTarget): void {
    const there = this.#camera.remoteParticipants.get(publisher);
    if (there === undefined) {
      this.#lost();
      return;
    }
    const settings = there.attributes[SETTINGS_ATTRIBUTE];
    if (settings !== undefined) onSettings(settings);
  }

  #leave(): void {
    for (const room of [this.#stream, this.#camera]) void leaveRoom(room);
  }

  #cutOffFrom(room: RtcRoom): void {
    if (this.#closed) return;
    if (this.#cutOff.size === 0) this.#cutOffTimer = setTimeout(() => this.#lost(), CUT_OFF_MS);
    this.#cutOff.add(room);
    this.#parts.listener.onState('disconnected');
  }

  #cameBack(room: RtcRoom): void {
    this.#cutOff.delete(room);
    if (this.#closed || this.#cutOff.size > 0) return;
    clearTimeout(this.#cutOffTimer);
    this.#parts.listener.onState('connected');
  }

  #lost(): void {
    if (!this.#closed) this.#parts.listener.onState('closed');
  }

  #followCamera({ publisher, onSettings }: LinkTarget): void {
    const camera = this.#camera;
    const { SOURCE_CAMERA } = this.#parts.library.TrackSource;
    camera.on('trackSubscribed', (track, { source }, { identity }) => {
      if (identity === publisher && source === SOURCE_CAMERA) void this.#read(track);
    });
    camera.on('participantDisconnected', ({ identity }) => {
      if (identity === publisher) this.#lost();
    });
    camera.on('participantAttributesChanged', (changed, { identity }) => {
      const settings = changed[SETTINGS_ATTRIBUTE];
      if (identity === publisher && settings !== undefined) onSettings(settings);
    });
  }

  /** Reads every picture of a track; those of the track before it come to their end. */
  async #read(track: RtcTrack): Promise<void> {
    void this.#reader?.cancel().catch(() => undefined);
    if (this.#closed) return;
    try {
      // Throws where the track is gone already: a room that comes back announces its tracks, and may lose them at once.
      const reader = new this.#parts.library.VideoStream(track).getReader();
      this.#reader = reader;
      for (;;) {
        const { done, value } = await reader.read();
        if (done || this.#closed) return;
        this.#receive(value);
      }
    } catch (error) {
      this.#parts.log.warn({ error: messageOf(error) }, 'a camera cannot be read');
    }
  }

  #receive({ frame, rotation }: RtcFrameEvent): void {
    const { I420 } = this.#parts.library.VideoBufferType;
    if (Math.min(frame.width, frame.height) < LEAST_SIDE) return;
    const { data, width, height } = frame.type === I420 ? frame : frame.convert(I420);
    // The buffer of a received picture belongs to the library and cannot be moved to a lane.
    const owned = data.slice();
    this.#parts.listener.onFrame?.(
      upright({ width, height, data: owned, receivedAtMs: performance.now() }, 90 * rotation),
    );
  }

  #tell(room: RtcRoom, attributes: Record<string, string>): void {
    if (this.#closed || !room.isConnected) return;
    void room.localParticipant?.setAttributes(attributes).catch((error: unknown) => {
      if (!this.#closed) this.#parts.log.debug({ error: messageOf(error) }, 'an attribute could not be set');
    });
  }
}
