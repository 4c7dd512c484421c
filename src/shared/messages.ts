/**
 * What crosses the wire between the pages and the server: the JSON of `/ws` and of `/api/*`.
 * Both sides import this file, so neither can drift.
 */

import type { FaceChoice, Fallback, PresetSettings, SettingsPatch, SwapSettings } from './settings.ts';
import type { Pressure, SeenFace } from './types.ts';

export type { FaceChoice, Fallback, SeenFace, SettingsPatch, SwapSettings };

/** A source face as `/api/faces` lists it. `thumbnail` is a path on this server. */
export interface FaceInfo {
  id: string;
  name: string;
  /** Shipped faces cannot be deleted. */
  builtIn: boolean;
  thumbnail: string;
  addedAt: string;
  photos: number;
}

/** A refusal, on REST as the body and on /ws as `error`. `details` of `several_faces` is SeveralFaces. */
export interface ErrorBody {
  code: string;
  message: string;
  details?: unknown;
}

/** An uploaded picture that shows several faces: its size, upright, and where they are. */
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

/** Said on the data channel of a peer that opened one, at once and whenever it changes. */
export interface Disclosure {
  type: 'disclosure';
  aiModified: boolean;
}

/** How somebody joins a call with the offer of their camera. */
export interface CallJoin {
  room: string;
  name: string;
  muted: boolean;
  camera: boolean;
}

/** Somebody in a call, as the others see them. */
export interface CallPerson {
  /** Unique in the room. */
  name: string;
  /** What WHEP finds their picture and sound by. */
  stream: string;
  muted: boolean;
  /** Whether their camera is on. */
  camera: boolean;
  speaking: boolean;
}

/** Settings under a name. What is not among them stays as it is; which person wears what never is: people change. */
export interface PresetInfo {
  name: string;
  settings: PresetSettings;
}

export type ClientMessage =
  /**
   * First message, and again to renegotiate the same session (`ice restart`, camera changed). Answered by `answer` or
   * `error`. `stream` is what viewers find it by; `again` the session this page had before, which ends now if it has not. `call` joins a room as long as the session lasts.
   */
  | { type: 'offer'; sdp: string; settings?: SettingsPatch; stream?: string; again?: string; call?: CallJoin }
  | { type: 'candidate'; candidate: { candidate: string; sdpMid: string | null; sdpMLineIndex: number | null } | null }
  | { type: 'settings'; settings: SettingsPatch }
  /** Tells the others in the call. */
  | { type: 'presence'; muted: boolean; camera: boolean }
  | { type: 'close' };

export type ServerMessage =
  /** On connecting: what the server offers. */
  | {
      type: 'hello';
      version: string;
      iceServers: { urls: string[]; username?: string; credential?: string }[];
      defaults: SwapSettings;
      /** Whether the server wants a token. */
      locked: boolean;
    }
  /** While the socket stays open: what `hello` said of them runs out. */
  | { type: 'ice'; iceServers: { urls: string[]; username?: string; credential?: string }[] }
  | { type: 'answer'; session: string; stream: string; sdp: string }
  | { type: 'candidate'; candidate: { candidate: string; sdpMid: string | null; sdpMLineIndex: number | null } | null }
  /** All settings as they are now: the answer to a change of this page, or `elsewhere`, one made over REST. */
  | { type: 'settings'; settings: SwapSettings; elsewhere?: true }
  | { type: 'stats'; stats: SessionStats }
  | { type: 'faces'; faces: FaceInfo[] }
  /** Who is in the call, on every change; `you` is the name of the page's own person. */
  | { type: 'room'; room: string; you: string; people: CallPerson[] }
  | { type: 'presets'; presets: PresetInfo[] }
  /** The session ended on the server's side; `why` is for people. A new offer opens another. */
  | { type: 'closed'; why: string }
  | { type: 'error'; error: ErrorBody };

/** Sent once a second to the session's own page, and listed by `/api/sessions`. */
export interface SessionStats {
  session: string;
  width: number;
  height: number;
  fpsIn: number;
  fpsOut: number;
  /** Arrival from the decoder to hand-over to the encoder, over the last seconds, in milliseconds. */
  frameMs: { p50: number; p95: number };
  waitMs: { p50: number; p95: number };
  stagesMs: Record<string, number>;
  swapped: number;
  passed: number;
  dropped: number;
  failed: number;
  plan: string;
  level: number;
  /** Most pictures a second that are swapped by this plan, so that no more need be sent; null for all. */
  maxFps: number | null;
  faces: SeenFace[];
  /** What limits it. */
  verdict: Verdict;
  /** Of its last recording, if there was any. */
  recording?: RecordingState;
}

/**
 * What limits a session: nothing; the machine's processor, which is full; the lane, which has too little time for its frames; the
 * network's losses or bursts; a camera that gives few pictures; memory that is short; a generator that takes too long.
 */
export type Cause = 'good' | 'processor' | 'lane' | 'network' | 'camera' | 'memory' | 'model';

export interface Verdict {
  cause: Cause;
  /** One sentence: what it is, with figures, and what would help. */
  text: string;
}

/** `/api/preflight`: what the machine can hold beside what it does now. An estimate. */
export interface Preflight {
  /** As many more cameras, 0 for none, at so many pictures a second; null where it was not measured what a swap takes. */
  sessions: number;
  fps: number | null;
  /** The same in one sentence. */
  text: string;
}

/** The processor at one moment; cores as a number, 1 is one core. */
export interface ProcessorSample {
  /** Cores of the machine, how many of them all programs use, and how many FaceOff may use. */
  cores: number;
  busy: number;
  allowed: number;
  /** Share of the time in which a quota stopped FaceOff, 0..1. */
  throttled: number;
}

/** A recording under way or, when it is not active, the last one. */
export interface RecordingState {
  active: boolean;
  startedAt: string;
  lastedMs: number;
  /** On the server. */
  folder: string;
  /** Finished files, in the order they were begun: each change of the picture's size begins another, and so does sound where there was none. */
  files: string[];
  bytes: number;
  frames: number;
  /** Pictures that were left out, as the encoder or the disk was too slow. */
  dropped: number;
  /** What ended it, if it was not told to end. */
  error: ErrorBody | null;
}

/** A finished recording as `/api/recordings` lists it; `url` is a path on this server. */
export interface RecordingInfo {
  file: string;
  bytes: number;
  finishedAt: string;
  url: string;
}

/** The machine at one moment, as `/api/status/memory` lists it. */
export interface MachineSample {
  /** Milliseconds since 1970. */
  atMs: number;
  /** All programs together; utilisation is 0..1, null where it is not told. */
  gpu: { usedBytes: number; totalBytes: number; utilisation: number | null } | null;
  /** Memory of the server's process, and what the machine could still give. */
  rssBytes: number;
  availableBytes: number;
  /** Processor time of the server's processes, 1 is one core. */
  cores: number;
  /** The whole processor. */
  processor: ProcessorSample;
  /** The longest that its event loop was held up. */
  loopDelayMs: number;
  sessions: number;
  /** Frames a second of all sessions, and the worst session's time for a frame (p95) and place on the ladder. */
  fps: number;
  frameMs: number;
  level: number;
  pressure: Pressure;
}

/** `/api/status/memory`. */
export interface MachineHistory {
  intervalMs: number;
  gpu: { name: string; driver: string; computeCapability: string | null } | null;
  samples: MachineSample[];
}

/** A model of the catalogue, as `/api/models` lists it. */
export interface ModelInfo {
  name: string;
  /** What it does: generator, restorer, masker, recogniser, converter, or its place in the pipeline. */
  role: string;
  /** Not here; here; here and found to be the right file; being loaded; loaded; tried in vain. */
  state: 'absent' | 'present' | 'verified' | 'loading' | 'ready' | 'failed';
  /** What it runs on, once it is ready. */
  provider: string | null;
  /** Why it failed, or what is still being done for it. */
  why: string | null;
  licence: string;
  commercialUse: boolean;
  bytes: number | null;
  /** Released with FaceOff; the others are added by `faceoff models fetch`. */
  comesAlong: boolean;
  /** The files that are not here, its own included, without which it cannot be used. */
  needs: string[];
}

/** One kind of thing in the cache, as `/api/cache` lists it. */
export interface CacheReport {
  kind: string;
  meaning: string;
  /** Whether it is cleaned by schedule. */
  swept: boolean;
  items: number;
  bytes: number;
  /** How many of the items somebody uses just now. */
  inUse: number;
  /** When one of them was last used, in ISO 8601; null where there is none. */
  usedAt: string | null;
}
