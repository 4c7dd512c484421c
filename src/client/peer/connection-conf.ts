/** What a page gives to its StudioConnection, and what it is told. */

import type {
  CallJoin,
  CallPerson,
  ErrorBody,
  FaceInfo,
  PhoneGuide,
  PresetInfo,
  SessionStats,
} from '../../shared/messages.ts';
import type { SettingsPatch, SwapSettings } from '../../shared/settings.ts';
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
