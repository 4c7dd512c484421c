/** What carries a page's pictures, whatever that is: what the page can ask of it, and what the page is told. */

import type {
  CallJoin,
  CallPerson,
  CameraState,
  ErrorBody,
  FaceInfo,
  PhoneGuide,
  PresetInfo,
  SessionStats,
} from '../../shared/messages.ts';
import type { SettingsPatch, SwapSettings } from '../../shared/settings.ts';
import type { StatsEntry } from './network-stats.ts';
import type { DownReason } from './reconnecting-socket.ts';
import type { Situation } from './stream-state.ts';

/** Callbacks of a page, all called on its only thread. Optional ones belong to the call page or the studio alone. */
export interface ConnectionConf {
  onSituation(situation: Situation): void;
  /** The swapped picture arrives. The promise resolves when its first frame shows. */
  onVideo(stream: MediaStream): Promise<void>;
  /** The server can be reached. @param defaults settings it uses where the page chose none. */
  onHello(defaults: SwapSettings, locked: boolean): void;
  /** The server cannot be reached while no stream is wanted. */
  onAway(reason: DownReason): void;
  onFaces(faces: FaceInfo[]): void;
  onPresets?(presets: PresetInfo[]): void;
  /** How far a phone has come; while `follow` asks for it. */
  onGuide?(guide: PhoneGuide): void;
  onStats(stats: SessionStats): void;
  /** @param elsewhere changed from another page, not the answer to a change from here. */
  onSettings(settings: SwapSettings, elsewhere: boolean): void;
  /** The server refused something that is not the stream itself. */
  onError(error: ErrorBody): void;
  /** The name that viewers find the stream by, once the server took the stream; null when it is over. */
  onStream(name: string | null): void;
  /** The name that the stream asks for; undefined leaves it to the server. */
  stream(): string | undefined;
  /** Settings that a new session begins with. */
  settings(): SettingsPatch;
  /** A change of settings went out. */
  onSent(): void;
  /** The call that the stream joins, where it is for one. */
  call?(): CallJoin;
  /** The people in the call. @param you this page's own name among them. */
  onRoom?(people: CallPerson[], you: string): void;
  /** Keeps the last session's id over a reload of the page, so that the next session takes its place again. */
  memory?: { session: string | null };
}

/** Whether a person of a call can be heard and seen. */
export type PresenceInCall = Pick<CallPerson, 'muted' | 'camera'>;

/**
 * A page's camera on its way to a swap and back. The pictures come back by themselves when the connection breaks, until
 * the stream is stopped.
 */
export interface StreamConnection {
  /** Sends this camera to be swapped, and this microphone to the viewers. */
  start(track: MediaStreamTrack, sound?: MediaStreamTrack | null): void;
  /** Changes the camera or the resolution, without an interruption where the agreed codec can carry the new track. */
  replace(track: MediaStreamTrack): Promise<void>;
  /** Changes the microphone; null sends no sound. */
  replaceSound(track: MediaStreamTrack | null): Promise<void>;
  /** Stops sending. Idempotent, and not reported through `onSituation`: the caller knows why it stops. */
  stop(): void;
  /** Connects now rather than when the back-off ends. */
  retry(): void;
  /** Changes settings of the running session. Changes of one moment go out together. */
  set(patch: SettingsPatch): void;
  /** Tells the others in the call; dropped while there is no connection. */
  tellPresence(presence: PresenceInCall): void;
  /** Tells the server what became of the camera, for guides on other pages. */
  tellCamera(state: CameraState): void;
  /** Begins or ends to ask how far a phone has come; `onGuide` is told. */
  follow(on: boolean): void;
  /** Entries of the browser's WebRTC statistics; none without a connection. */
  network(): Promise<Iterable<StatsEntry>>;
  /** Plays a person of the call over this connection; absent where each stream is watched by a connection of its own. */
  watch?(conf: PlayerConf): StreamPlayer;
}

/** What a player plays, and what its page is told. */
export interface PlayerConf {
  /** Name of the stream. */
  stream: string;
  /** Whether to ask for the stream's sound as well as its picture. */
  sound?: boolean;
  /** Null when the stream is over: browsers paint a stream black that lost its connection. */
  onVideo(stream: MediaStream | null): void;
  /** Whether the pictures that come are modified: when the stream begins, and when that changes. */
  onModified?(isModified: boolean): void;
  /** The server wants its token. */
  onLocked(): void;
}

/** Plays a stream from when it is made, and connects again whenever the stream is gone. */
export interface StreamPlayer {
  /** For a stream whose pictures stay away: finds out whether it is still there, and connects again where it is not. */
  check(): Promise<void>;
  /** Idempotent. */
  close(): void;
}
