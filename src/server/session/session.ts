/**
 * One who publishes: pictures come from its peer, are swapped in its lane one at a time, and go back, and to whoever looks
 * on at its stream. Ends itself when it
 * never connects, loses its connection or gets no more pictures.
 */

import type { Config } from '../../config.ts';
import type { Logger } from '../../lib/log.ts';
import type { Metrics } from '../../metrics.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { SessionStats, Verdict } from '../../shared/messages.ts';
import { type Frame, type SwappedFrame, type SwapSession, type SwapSettings, wantsSwap } from '../../shared/types.ts';
import { LipSync } from '../audio/lip-sync.ts';
import type { Sound } from '../audio/sound.ts';
import { VoiceActivity } from '../audio/voice-activity.ts';
import { disclosureHeader, disclosureMessage } from '../http/disclosure.ts';
import { type Look, type MachineFigures, SteadyVerdict, type Traffic, verdictOf } from '../monitor/verdict.ts';
import type { Recorder } from '../recording/recorder.ts';
import { ConnectionTimeout } from '../webrtc/connection-timeout.ts';
import type { IceCandidate, IceCredentials } from '../webrtc/ice-fragment.ts';
import { Peer, type PeerState } from '../webrtc/peer.ts';
import { Intake } from './intake.ts';
import type { NamedStream } from './named-stream.ts';
import { Opening } from './opening.ts';
import { PrivacyGate } from './privacy-gate.ts';
import { RollingStats } from './session-stats.ts';

export interface SessionParts {
  id: string;
  swap: SwapSession;
  stream: NamedStream;
  webrtc: Config['webrtc'];
  /** Larger frames are not swapped. */
  largestPixels: number;
  metrics: Metrics;
  log: Logger;
  /** The machine over the last seconds; null before the first look at it. */
  machine: () => MachineFigures | null;
  onCandidate?: (candidate: IceCandidate | null) => void;
  onSpeaking?: (speaking: boolean) => void;
  /** The settings were changed by someone else than whoever publishes. */
  onSettings?: (settings: SwapSettings) => void;
  onClose: (session: Session, why: string) => void;
}

/** How often it is asked what limits the session. */
const LOOK_MS = 1000;

export class Session {
  readonly id: string;
  readonly #parts: SessionParts;
  readonly #peer: Peer;
  readonly #stats = new RollingStats();
  readonly #intake: Intake;
  readonly #lifeline: ConnectionTimeout;
  readonly #opening = new Opening();
  readonly #guard = new PrivacyGate();
  readonly #voice: VoiceActivity;
  readonly #lipSync: LipSync;
  #idle: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  readonly #steady = new SteadyVerdict();
  #looks = 0;
  #traffic: Traffic | null = null;
  #lastFrameAtMs = performance.now();
  #lossTold = false;
  #sizeTold = false;
  #plan = 'full';
  #closed = false;
  #connected = false;
  #recorder: Recorder | null = null;
  /** The last piece of sound. */
  #heard: Sound | null = null;

  constructor(parts: SessionParts) {
    this.id = parts.id;
    this.#parts = parts;
    this.#intake = new Intake(
      (frame, dropped) => this.#work(frame, dropped),
      (isLate) => this.#drop(isLate),
      () => parts.swap.place?.() ?? Promise.resolve(() => undefined),
    );
    this.#voice = new VoiceActivity((speaking) => parts.onSpeaking?.(speaking));
    // Sound goes to the viewers alone: nobody wants to hear themselves.
    this.#lipSync = new LipSync({
      buffersMs: () => this.#peer.buffersMs(),
      onSound: (sound) => parts.stream.hear(sound),
      onPicture: (frame) => parts.stream.show(frame, this.#recorder !== null),
    });
    this.#lifeline = new ConnectionTimeout(parts.webrtc, (why) => this.close(why));
    this.#peer = new Peer(parts.webrtc, {
      onFrame: (frame) => this.#receive(frame),
      onSound: (sound) => {
        this.#voice.hear(sound);
        this.#lipSync.sound(sound);
        this.#heard = sound;
        this.#recorder?.hear(sound, this.#lipSync.behindMs);
      },
      onState: (state) => this.#turn(state),
      onCandidate: (candidate) => parts.onCandidate?.(candidate),
    });
    const { idleTimeoutMs } = parts.webrtc;
    this.#disclose();
    this.#idle = setInterval(() => this.#checkIdle(), Math.max(50, idleTimeoutMs / 4));
    this.#looking = setInterval(() => void this.#look(), LOOK_MS);
  }

  get settings(): SwapSettings {
    return this.#parts.swap.settings;
  }

  get level(): number {
    return this.#stats.level;
  }

  /** What limits it. */
  get verdict(): Verdict {
    return this.#steady.verdict;
  }

  get stats(): SessionStats {
    const stats = { ...this.#stats.read(this.id), maxFps: this.#maxFps, verdict: this.verdict };
    return this.#recorder === null ? stats : { ...stats, recording: this.#recorder.state };
  }

  /** What is shown now; null before the first picture. It must not be changed. */
  get picture(): Frame | null {
    return this.#parts.stream.picture;
  }

  /** Its recording, under way or the last one. */
  get recorder(): Recorder | null {
    return this.#recorder;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Whether its pictures go out with another face in them. */
  get modified(): boolean {
    return wantsSwap(this.settings);
  }

  get headers(): Record<string, string> {
    return disclosureHeader(this.modified);
  }

  /** What its stream is called. */
  get stream(): string {
    return this.#parts.stream.name;
  }

  get viewers(): number {
    return this.#parts.stream.viewers.size;
  }

  get etag(): string {
    return this.#peer.etag;
  }

  get remoteUfrag(): string | null {
    return this.#peer.remoteUfrag;
  }

  /** The first offer opens, a later one renegotiates. */
  answer(offer: string, gather: boolean): Promise<string> {
    return this.#peer.answer(offer, gather);
  }

  addCandidate(candidate: IceCandidate): Promise<void> {
    return this.#peer.addCandidate(candidate);
  }

  restartIce(ice: IceCredentials, candidates: readonly IceCandidate[]): Promise<string> {
    return this.#peer.restartIce(ice, candidates);
  }

  /**
   * @param elsewhere by someone else than whoever publishes, who is told.
   * @throws FaceOffError `unknown_face`, `unknown_model` (404), `model_missing` (409), and changes nothing.
   */
  set(settings: Partial<SwapSettings>, elsewhere = false): void {
    this.#parts.swap.set(settings);
    if (this.settings.guarded) this.#cover(this.#guard.cover());
    this.#disclose();
    if (elsewhere) this.#parts.onSettings?.(this.settings);
  }

  /** Every picture and all sound from now on go to this recorder as well. */
  record(recorder: Recorder): void {
    this.#recorder = recorder;
    // So that it knows from its first picture on that there is sound.
    if (this.#heard !== null) recorder.hear(this.#heard, 0);
  }

  /** Idempotent; the peer, the lane's state and the timers are gone when it returns. */
  close(why: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#lifeline.close();
    clearInterval(this.#idle);
    clearInterval(this.#looking);
    this.#intake.clear();
    this.#lipSync.close();
    this.#peer.close();
    this.#parts.swap.close();
    void this.#recorder?.stop();
    this.#parts.onClose(this, why);
  }

  get #maxFps(): number | null {
    const { fps } = this.#intake;
    return fps === Number.POSITIVE_INFINITY ? null : fps;
  }

  /** Once a second; the network every other time, as its figures cost a millisecond or two. */
  async #look(): Promise<void> {
    if (this.#looks++ % 2 === 0) this.#traffic = await this.#peer.traffic().catch(() => null);
    const { width, fpsIn, fpsOut, plan, level, frameMs, waitMs } = this.#stats.read(this.id);
    if (this.#closed || width === 0) return;
    const { lane = null, slowEngine = null } = this.#stats.last ?? {};
    const look: Look = {
      ...{ fpsIn, fpsOut, plan, level, frameMs, waitMs, lane, slowEngine },
      ...{ wantsSwap: this.modified, maxFps: this.#maxFps },
      ...{ missedShare: this.#stats.missedShare, traffic: this.#traffic, machine: this.#parts.machine() },
    };
    this.#steady.look(verdictOf(look, this.verdict.cause));
  }

  #receive(frame: Frame): void {
    if (this.#closed) return;
    this.#lastFrameAtMs = frame.receivedAtMs;
    this.#stats.arrived(frame.width, frame.height);
    this.#tellSize(frame);
    this.#intake.put(frame);
  }

  /** One line a session. */
  #tellSize({ width, height }: Frame): void {
    if (this.#sizeTold || width * height <= this.#parts.largestPixels) return;
    this.#sizeTold = true;
    const size = { session: this.id, width, height };
    this.#parts.log.warn(size, 'frames too large to swap go out as they came; raise limits.frameWidth and frameHeight');
  }

  /** @param isLate for want of time. */
  #drop(isLate: boolean): void {
    if (isLate) this.#stats.miss();
    this.#stats.count('dropped');
    this.#parts.metrics.count('dropped');
  }

  async #work(frame: Frame, dropped: number): Promise<SwappedFrame | null> {
    const { swap, metrics, log } = this.#parts;
    try {
      const swapped = await swap.swap(frame, dropped);
      if (this.#closed) return swapped;
      const isHeld = this.#opening.holds(swapped, this.modified);
      const done: SwappedFrame = isHeld ? { ...swapped, result: 'dropped', hold: true } : swapped;
      this.#pass(done);
      this.#tellPlan(done.plan);
      if (done.result === 'dropped') {
        this.#drop(!isHeld);
        return done;
      }
      const frameMs = performance.now() - frame.receivedAtMs;
      if (!done.hold) this.#lipSync.took(frameMs);
      this.#stats.done(done, frameMs);
      metrics.frame(done, frameMs);
      return done;
    } catch (error) {
      if (this.#closed) return null;
      this.#stats.count('failed');
      metrics.count('failed');
      // The frame went down with its lane; the next one finds a new lane. One line is enough.
      const code = error instanceof FaceOffError ? error.code : 'internal';
      if (!this.#lossTold) log.warn({ session: this.id, code }, 'frame lost');
      this.#lossTold = true;
      return null;
    }
  }

  #pass(done: SwappedFrame): void {
    const frame = this.#guard.pass(done, this.settings.guarded);
    if (frame === null) this.#parts.stream.again();
    else if (frame === done.frame) this.#show(frame);
    else this.#cover(frame);
  }

  #show(frame: Frame): void {
    this.#peer.send(frame);
    this.#lipSync.picture(frame);
    this.#recorder?.show(frame);
  }

  /** At once: what waits for its sound may be bare, too, and so may what viewers would be shown again. */
  #cover(card: Frame | null): void {
    if (card === null) return;
    this.#lipSync.drop();
    this.#peer.send(card);
    this.#parts.stream.show(card);
  }

  #disclose(): void {
    this.#peer.tell(disclosureMessage(this.modified));
    this.#parts.stream.disclose(this.modified);
  }

  /** One line a change of quality. */
  #tellPlan(plan: string): void {
    if (plan === this.#plan) return;
    this.#parts.log.info({ session: this.id, from: this.#plan, to: plan }, 'quality changed');
    this.#plan = plan;
  }

  #turn(state: PeerState): void {
    if (this.#closed) return;
    this.#lifeline.turn(state);
    if (state !== 'connected') return;
    if (!this.#connected) this.#parts.log.info({ session: this.id }, 'session connected');
    this.#connected = true;
    this.#lastFrameAtMs = performance.now();
  }

  #checkIdle(): void {
    const { idleTimeoutMs } = this.#parts.webrtc;
    if (performance.now() - this.#lastFrameAtMs > idleTimeoutMs) this.close('no picture for too long');
  }
}
