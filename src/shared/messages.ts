/**
 * The JSON that pages and server exchange on `/ws` and `/api/*`. Both sides import this file, so that they agree.
 */

import type { SettingsRequest } from './duties/disclosure-duty.ts';
import type { Phrase } from './language/phrase.ts';
import type { PresetSettings, SwapSettings } from './settings.ts';
import type { Pressure, SeenFace } from './types.ts';

/** A source face as `/api/faces` lists it. */
export interface FaceInfo {
  id: string;
  name: string;
  /** Shipped faces cannot be deleted. */
  builtIn: boolean;
  /** Path on this server. */
  thumbnail: string;
  /** ISO 8601. */
  addedAt: string;
  /** Number of photos the face was made from. */
  photos: number;
  /** Licence of its photos, as it came with a pack; null where none is known. */
  licence: string | null;
  /** When the consent for it was last confirmed, in ISO 8601; null for shipped faces, and where it never was. */
  consentedAt: string | null;
  /** Whether the consent has to be confirmed again before the face can be chosen; sessions that have it go on. */
  consentDue: boolean;
}

/** One confirmation that a face may be used. */
export interface Confirmation {
  /** The sentence that was confirmed. */
  statement: string;
  /** ISO 8601. */
  confirmedAt: string;
  /** Name of the person who confirmed it; null if none was given. */
  confirmedBy: string | null;
  /** The photos it holds for: SHA-256 of each as it is kept, and of the picture that was sent, where that was at hand. */
  photos: { photo: string; sha256: string; uploadSha256: string | null }[];
}

/** The consent for one face, as `/api/faces/ID/consent` and `faceoff faces consents` show it. */
export interface ConsentRecord {
  face: string;
  name: string;
  /** Whether it has to be confirmed again before the face can be chosen. */
  due: boolean;
  /** The newest last; none for a face of before consents were recorded. */
  confirmations: Confirmation[];
}

/** What became of a pack of faces. */
export interface PackImport {
  added: FaceInfo[];
  /** Photos that were not taken, and why; the other photos of their face were. */
  refused: { name: string; photo: string; code: string; message: string }[];
}

/** A face that this server does not take, as `/api/blocked-faces` lists it. */
export interface BlockedFace {
  id: string;
  /** For people: the source of the request, for instance. */
  note: string;
  /** ISO 8601. */
  addedAt: string;
}

/** A picture for backgrounds. */
export interface BackgroundInfo {
  id: string;
  /** ISO 8601. */
  addedAt: string;
}

/** What may be wrong with a photo that a face is made from. */
export type PhotoFlaw =
  | 'cut-off'
  | 'covered'
  | 'turned'
  | 'small'
  | 'blurred'
  | 'dark'
  | 'burnt-out'
  | 'uneven-light'
  | 'colourless';

/** A flaw of a photo, and what would be better, in one sentence for people. */
export interface PhotoFinding {
  flaw: PhotoFlaw;
  message: string;
}

/** One photo of a face, as `/api/faces/ID` describes it. */
export interface PhotoReport {
  /** Path on this server. */
  picture: string;
  /** Of the photo as it is kept, in pixels; and the longer side of the face in it. */
  width: number;
  height: number;
  facePixels: number;
  /** Where the head is turned: to the right of the picture, and down; negative to the left, and up. */
  yawDegrees: number;
  pitchDegrees: number;
  /** The gravest first; empty for a good photo. */
  findings: PhotoFinding[];
}

/** A face, and how well it will do. */
export interface FaceReport {
  face: FaceInfo;
  /** The photos in which a face is found, the first one first. */
  photos: PhotoReport[];
  /** Which photo would help, the most useful first, in sentences. */
  advice: string[];
  /** The same for pages in another language. */
  said: Phrase[];
}

/** How a face would look, before it is added. */
export interface FacePreview {
  /** The face on a shipped portrait: a data URL, WebP. */
  picture: string;
  /** What is wrong with the photo, the gravest first; empty for a good one. */
  findings: PhotoFinding[];
}

/**
 * A refusal: the body over REST, `error` on /ws. docs/errors.md lists the codes. The `details` of `several_faces` are
 * SeveralFaces.
 */
export interface ErrorBody {
  code: string;
  message: string;
  details?: unknown;
}

/** An uploaded picture that shows several faces: its size when upright, in pixels, and their boxes. */
export interface SeveralFaces {
  width: number;
  height: number;
  faces: PickableFace[];
}

/** One face of an uploaded picture that shows several, in pixels of the upright picture. */
export interface PickableFace {
  index: number;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Sent on the data channel of a peer that opened one, at once and on every change. */
export interface Disclosure {
  type: 'disclosure';
  aiModified: boolean;
}

/** A choice to leave the visible mark off, as it is recorded. */
export interface UnmarkedChoice {
  /** ISO 8601. */
  at: string;
  /** Where it was made: config.yaml, the publisher's own page, another program, `faceoff render` or `faceoff camera`. */
  by: 'config' | 'publisher' | 'api' | 'render' | 'camera';
  /** Id of the session; null outside of the server. */
  session: string | null;
}

/** How a person joins a call, sent with the offer of their camera. */
export interface CallJoin {
  room: string;
  name: string;
  muted: boolean;
  camera: boolean;
}

/** A person in a call, as the others see them. */
export interface CallPerson {
  /** Unique in the room. */
  name: string;
  /** Name of the stream under which WHEP serves their picture and sound. */
  stream: string;
  muted: boolean;
  /** Whether their camera is on. */
  camera: boolean;
  speaking: boolean;
}

/** Settings under a name. Settings that are absent stay as they are; `map` is never among them. */
export interface PresetInfo {
  name: string;
  settings: PresetSettings;
}

/** What became of a page's camera. All but the first three are reasons why it does not open. */
export type CameraState =
  | 'off'
  | 'asking'
  | 'open'
  | 'insecure'
  | 'denied'
  | 'denied_by_system'
  | 'no_camera'
  | 'unplugged'
  | 'busy'
  | 'unfit'
  | 'camera_failed';

/** Steps of a phone that becomes a camera, in their order; `none` before the first. */
export type PhoneStep = 'none' | 'network' | 'certificate' | 'token' | 'camera' | 'live';

/** How another device becomes a camera, and how far one has come. */
export interface PhoneGuide {
  /** Addresses by which other devices reach the server; none while it listens on this machine alone. */
  urls: string[];
  /** Whether browsers warn of the server's certificate, as it made it itself. */
  selfSigned: boolean;
  /** The last step that is done. */
  step: PhoneStep;
  /** State of the camera on that device; null until its page is open. */
  camera: CameraState | null;
  /** Name of its stream; null while it is not live. */
  stream: string | null;
}

/** Messages from a page to the server on /ws. */
export type ClientMessage =
  /**
   * First message, and again to renegotiate the same session (ICE restart, another camera). Answered by `answer` or
   * `error`. `stream` is the name under which viewers find it; `again` the session this page had before, which ends now
   * if it has not yet. `call` joins a room for as long as the session lasts.
   */
  | { type: 'offer'; sdp: string; settings?: SettingsRequest; stream?: string; again?: string; call?: CallJoin }
  | { type: 'candidate'; candidate: { candidate: string; sdpMid: string | null; sdpMLineIndex: number | null } | null }
  | { type: 'settings'; settings: SettingsRequest }
  /** Sent on to the others in the call. */
  | { type: 'presence'; muted: boolean; camera: boolean }
  /** At each change, for guides on other pages. */
  | { type: 'camera'; state: CameraState }
  /** Whether the page shows the guide for a phone, and is to be sent `guide` messages. */
  | { type: 'guide'; on: boolean }
  | { type: 'close' };

/** Messages from the server to a page on /ws. */
export type ServerMessage =
  /** First message of the server. */
  | {
      type: 'hello';
      version: string;
      iceServers: { urls: string[]; username?: string; credential?: string }[];
      defaults: SwapSettings;
      /** True if the server wants a token. */
      locked: boolean;
    }
  /** New ICE servers, before the credentials in `hello` expire. */
  | { type: 'ice'; iceServers: { urls: string[]; username?: string; credential?: string }[] }
  | { type: 'answer'; session: string; stream: string; sdp: string }
  | { type: 'candidate'; candidate: { candidate: string; sdpMid: string | null; sdpMLineIndex: number | null } | null }
  /** All settings as they are now: the answer to a change of this page, or with `elsewhere` after a change over REST. */
  | { type: 'settings'; settings: SwapSettings; elsewhere?: true }
  | { type: 'stats'; stats: SessionStats }
  | { type: 'faces'; faces: FaceInfo[] }
  /** All people in the call, on every change; `you` is the name of the page's own person. */
  | { type: 'room'; room: string; you: string; people: CallPerson[] }
  | { type: 'presets'; presets: PresetInfo[] }
  /** While the page follows: at once and at each change. */
  | { type: 'guide'; guide: PhoneGuide }
  /** The session ended on the server's side; `why` is for people. A new offer opens another. */
  | { type: 'closed'; why: string }
  | { type: 'error'; error: ErrorBody };

/** Sent once a second to the session's own page, and listed by `/api/sessions`. */
export interface SessionStats {
  /** Id of the session. */
  session: string;
  /** Size of the camera's frames, in pixels. */
  width: number;
  height: number;
  /** Frames a second from the decoder, and to the encoder. */
  fpsIn: number;
  fpsOut: number;
  /** From the decoder to the encoder, over the last seconds, in milliseconds. */
  frameMs: { p50: number; p95: number };
  /** From the decoder to the lane, over the last seconds, in milliseconds. */
  waitMs: { p50: number; p95: number };
  /** Time per stage, by the stage's name, in milliseconds. */
  stagesMs: Record<string, number>;
  /** Frames since the session began, by result; see FrameResult. */
  swapped: number;
  passed: number;
  dropped: number;
  failed: number;
  /** Name of the plan in force, and its place on the ladder, 0 = full quality. */
  plan: string;
  level: number;
  /** Most frames a second that the plan swaps, so that the camera need not send more; null for all. */
  maxFps: number | null;
  /** How long sound waits for its picture, in milliseconds; negative: the picture waits for the sound. Null without sound. */
  soundDelayMs: number | null;
  faces: SeenFace[];
  /** What limits the session. */
  verdict: Verdict;
  /** State of its last recording; absent if there was none. */
  recording?: RecordingState;
}

/**
 * What limits a session. `good`: nothing; `size`: its frames are too large to be swapped; `processor`: the machine's processor is full; `lane`: the lane has too little
 * time for its frames; `network`: losses or bursts; `camera`: it gives few frames; `memory`: it is short; `model`: a
 * generator takes too long; `faces`: more faces are in the picture than are followed.
 */
export type Cause =
  | 'good'
  | 'content'
  | 'size'
  | 'processor'
  | 'lane'
  | 'network'
  | 'camera'
  | 'memory'
  | 'model'
  | 'faces';

/** What limits a session, in words. */
export interface Verdict {
  cause: Cause;
  /** One sentence with figures and what would help. */
  text: string;
  /** The same for pages in another language; absent from servers of an older version. */
  said?: Phrase | undefined;
}

/** `/api/preflight`: an estimate of how many more cameras the machine can swap now. */
export interface Preflight {
  /** Number of further cameras, and frames a second of each; null while the time of a swap is not measured. */
  sessions: number;
  fps: number | null;
  /** The same in one sentence. */
  text: string;
  /** The sentence for pages in another language; absent from servers of an older version. */
  said?: Phrase | undefined;
}

/** The processor at one moment, in cores: 1 is one core. */
export interface ProcessorSample {
  /** Cores of the machine, cores that all programs use together, and cores that FaceOff may use. */
  cores: number;
  busy: number;
  allowed: number;
  /** Share of the time in which a quota (cgroup) stopped FaceOff, 0..1. */
  throttled: number;
}

/** A recording: the one under way if `active`, else the last one. */
export interface RecordingState {
  active: boolean;
  /** ISO 8601. */
  startedAt: string;
  /** Its duration so far, in milliseconds. */
  lastedMs: number;
  /** Folder on the server. */
  folder: string;
  /** Finished files, in order: a change of the picture's size begins another one, and so does the first sound. */
  files: string[];
  /** Size of all its files, in bytes. */
  bytes: number;
  /** Frames in all its files. */
  frames: number;
  /** Frames that were left out because the encoder or the disk was too slow. */
  dropped: number;
  /** The error that ended it; null if none did. */
  error: ErrorBody | null;
}

/** A finished recording as `/api/recordings` lists it. */
export interface RecordingInfo {
  file: string;
  bytes: number;
  /** ISO 8601. */
  finishedAt: string;
  /** Path on this server. */
  url: string;
}

/** The machine at one moment, as `/api/status/memory` lists it. */
export interface MachineSample {
  /** Milliseconds since 1970. */
  atMs: number;
  /** Of all programs together; utilisation 0..1, null where it is not reported; null without a GPU. */
  gpu: { usedBytes: number; totalBytes: number; utilisation: number | null } | null;
  /** Memory of the server's processes, and memory that the machine has available, in bytes. */
  rssBytes: number;
  availableBytes: number;
  /** Cores that the server's processes use: 1 is one core. */
  cores: number;
  /** The whole processor. */
  processor: ProcessorSample;
  /** Longest delay of the event loop since the last sample, in milliseconds. */
  loopDelayMs: number;
  /** Open sessions. */
  sessions: number;
  /** Frames a second of all sessions together. */
  fps: number;
  /** Of the worst session: time of a frame (p95), in milliseconds, and place on the ladder, 0 = full quality. */
  frameMs: number;
  level: number;
  pressure: Pressure;
}

/** The machine's last minutes, as `/api/status/memory` answers. */
export interface MachineHistory {
  /** Time between two samples, in milliseconds. */
  intervalMs: number;
  gpu: { name: string; driver: string; computeCapability: string | null } | null;
  samples: MachineSample[];
}

/** A model of the catalogue, as `/api/models` lists it. */
export interface ModelInfo {
  name: string;
  /** Its role: generator, restorer, masker, recogniser, converter, or its place in the pipeline. */
  role: string;
  /** `present`: the file is there; `verified`: its SHA-256 is right; `ready`: loaded; `failed`: it does not load. */
  state: 'absent' | 'present' | 'verified' | 'loading' | 'ready' | 'failed';
  /** Execution provider; null until the model is ready. */
  provider: string | null;
  /** One sentence: why it failed, or what is being built for it. */
  why: string | null;
  licence: string;
  commercialUse: boolean;
  /** Size of its file; null where it is not known. */
  bytes: number | null;
  /** True if it is shipped with FaceOff; others are added by `faceoff models fetch`. */
  comesAlong: boolean;
  /** Missing files without which it cannot be used, its own included. */
  needs: string[];
}

/** One setting in force, as `/api/config` lists it. */
export interface SettingReport {
  /** The value in force, without secrets. */
  value: unknown;
  /** Whether it is the default. */
  isDefault: boolean;
  from: 'default' | 'file' | 'environment' | 'command line';
  /** `FILE:LINE`, the name of the variable, or `--set`; null for a default. */
  at: string | null;
  /** Whether a running server takes it over from a changed file. */
  live: boolean;
  /** When the running server last took a new value over, in ISO 8601; null if it has the value of its start. */
  takenAt: string | null;
  /** Whether the file has another value by now, which needs a restart. */
  needsRestart: boolean;
}

/** The configuration in force. */
export interface ConfigReport {
  /** Path of config.yaml; null where there is none. */
  file: string | null;
  /** Why the file, as it was last read, was refused; null if it was not. */
  refused: string | null;
  /** By `section.key`. */
  settings: Record<string, SettingReport>;
}

/** One kind of cache entry, as `/api/cache` lists it. */
export interface CacheReport {
  kind: string;
  meaning: string;
  /** True if the schedule cleans it. */
  swept: boolean;
  /** Number and size of its items. */
  items: number;
  bytes: number;
  /** Number of items in use now. */
  inUse: number;
  /** When an item was last used, in ISO 8601; null if there is none. */
  usedAt: string | null;
}
