import { setTimeout as delay } from 'node:timers/promises';
import { type Sound, silenceLike } from '../../media/sound.ts';
import { ContentGuard } from '../../pipeline/content/content-guard.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import type { SessionStats, UnmarkedChoice, Verdict } from '../../shared/messages.ts';
import { type SettingsPatch, type SwapSettings, wantsSwap } from '../../shared/settings.ts';
import type { Traffic } from '../../shared/traffic.ts';
import type { Frame, SwappedFrame } from '../../shared/types.ts';
import { LipSync } from '../audio/lip-sync.ts';
import { VoiceActivity } from '../audio/voice-activity.ts';
import { disclosureHeader, disclosureMessage } from '../disclosure/disclosure-message.ts';
import { hiddenVerdict, type SessionFigures, SteadyVerdict, verdictOf } from '../monitor/verdict.ts';
import type { RecordedSession } from '../recording/recorded-session.ts';
import type { Recorder } from '../recording/recorder.ts';
import { ConnectionTimeout } from '../webrtc/connection-timeout.ts';
import type { MediaLink, MediaPeer, PeerListener, PeerState } from '../webrtc/peer.ts';
import { releaseBuffer } from '../webrtc/release-buffer.ts';
import { Intake } from './intake.ts';
import { Opening } from './opening.ts';
import { PrivacyGate } from './privacy-gate.ts';
import type { SessionParts } from './session-parts.ts';
import { RollingStats } from './session-stats.ts';

/** Time between two updates of the verdict on what limits the session. */
const VERDICT_MS = 1000;
/** While no frame arrives, viewers get the last picture so often: they can tell a pause from the end of the stream. */
const STILL_MS = 500;
/** A connected publisher that sends nothing for so long was cut; one that never connected gets longer. */
const CUT_MS = 1000;
/** How long a copy of the camera's next picture is waited for. */
const CAMERA_MS = 1000;
const NEVER_CONNECTED_MS = 5000;

/**
 * A publisher's session: frames come from its peer, are swapped in its lane one at a time, and go back to the peer
 * and to the viewers of its stream. It closes itself when it never connects, loses its connection or gets no more
 * frames. Runs on the main thread.
 */
export class Session<P extends MediaLink = MediaPeer> implements RecordedSession {
  readonly id: string;
  readonly #parts: SessionParts<P>;
  readonly #peer: P;
  readonly #stats = new RollingStats();
  readonly #intake: Intake;
  readonly #connectionTimeout: ConnectionTimeout;
  readonly #opening = new Opening();
  readonly #privacyGate = new PrivacyGate();
  readonly #contentGuard: ContentGuard | null;
  readonly #voiceActivity: VoiceActivity;
  readonly #lipSync: LipSync;
  #idleTimer: NodeJS.Timeout | undefined;
  #verdictTimer: NodeJS.Timeout | undefined;
  #stillTimer: NodeJS.Timeout | undefined;
  readonly #steadyVerdict = new SteadyVerdict();
  #verdictUpdates = 0;
  #traffic: Traffic | null = null;
  #lastFrameAtMs = performance.now();
  #isLossLogged = false;
  #isSizeLogged = false;
  #plan = 'full';
  #planLevel = 0;
  #closed = false;
  #connected = false;
  /** When the pictures were last covered, as their face was removed. */
  #coveredAtMs = Number.NEGATIVE_INFINITY;
  #recorder: Recorder | null = null;
  /** The choice to leave the mark off; null while modified pictures are marked. */
  #unmarked: UnmarkedChoice | null = null;
  /** Requests for a copy of the camera's next picture. */
  readonly #cameraWaiters: ((frame: Frame) => void)[] = [];
  /** The last incoming piece of sound. */
  #lastSound: Sound | null = null;

  constructor(parts: SessionParts<P>) {
    this.id = parts.id;
    this.#parts = parts;
    this.#intake = new Intake(
      (frame, dropped) => this.#swap(frame, dropped),
      (isLate) => this.#countDropped(isLate),
      () => parts.swap.place?.() ?? Promise.resolve(() => undefined),
    );
    this.#contentGuard = this.#guardContent();
    this.#voiceActivity = new VoiceActivity((speaking) => parts.onSpeaking?.(speaking));
    // Sound goes to the viewers alone: publishers do not want to hear themselves.
    this.#lipSync = new LipSync({
      buffersMs: () => this.#peer.buffersMs(),
      onSound: (sound) => parts.stream.sendSound(sound),
      onFrame: (frame) => parts.stream.show(frame, this.#recorder !== null),
    });
    this.#lipSync.offsetMs = this.settings.soundOffsetMs;
    this.#connectionTimeout = new ConnectionTimeout(parts.webrtc, (why) => this.close(why));
    const listener: PeerListener = {
      onFrame: (frame) => this.#receive(frame),
      onSound: (heard) => {
        const sound = this.settings.offAir ? silenceLike(heard) : heard;
        this.#voiceActivity.addSound(sound);
        this.#lipSync.addSound(sound);
        this.#lastSound = sound;
        this.#recorder?.addSound(sound, this.#lipSync.behindMs);
      },
      onState: (state) => this.#onPeerState(state),
      onCandidate: (candidate) => parts.onCandidate?.(candidate),
    };
    this.#peer = parts.peers.open(listener, { log: parts.log });
    const { idleTimeoutMs } = parts.webrtc;
    this.#noteMark(parts.unmarkedBy);
    this.#disclose();
    this.#idleTimer = setInterval(() => this.#checkIdle(), Math.max(50, idleTimeoutMs / 4));
    this.#verdictTimer = setInterval(() => void this.#updateVerdict(), VERDICT_MS);
    this.#stillTimer = setInterval(() => {
      if (this.#silentMs >= STILL_MS) parts.stream.repeatLast();
    }, STILL_MS);
  }

  get settings(): SwapSettings {
    return this.#parts.swap.settings;
  }

  /** Place of the last frame's plan on the ladder; 0 is full quality. */
  get level(): number {
    return this.#stats.level;
  }

  /** Name of the last frame's plan. */
  get plan(): string {
    return this.#stats.last?.plan ?? 'full';
  }

  /** What limits the session. */
  get verdict(): Verdict {
    const hidden = this.#contentGuard?.hidden ?? null;
    return hidden === null ? this.#steadyVerdict.verdict : hiddenVerdict(hidden);
  }

  /** Statistics of the last seconds, as the API shows them. */
  get stats(): SessionStats {
    const { soundDelayMs } = this.#lipSync;
    const stats = { ...this.#stats.read(this.id), maxFps: this.#maxFps, verdict: this.verdict, soundDelayMs };
    return this.#recorder === null ? stats : { ...stats, recording: this.#recorder.state };
  }

  /** The frame shown now; null before the first frame. The caller must not change it. */
  get picture(): Frame | null {
    return this.#parts.stream.picture;
  }

  /** The current recorder, or the last one. */
  get recorder(): Recorder | null {
    return this.#recorder;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** When the last frame arrived, or the connection or the session began, on the clock of `performance.now()`. */
  get lastFrameAtMs(): number {
    return this.#lastFrameAtMs;
  }

  /** Whether the publisher sends nothing any more: it was cut, or never connected. */
  get isCut(): boolean {
    return this.#silentMs >= (this.#connected ? CUT_MS : NEVER_CONNECTED_MS);
  }

  /** Whether the settings ask for another face in the pictures. */
  get modified(): boolean {
    return wantsSwap(this.settings);
  }

  /** The choice by which others see modified pictures without the mark; null while they are marked. */
  get unmarked(): UnmarkedChoice | null {
    return this.#unmarked;
  }

  /** Additional headers of the HTTP reply to the publisher's offer. */
  get headers(): Record<string, string> {
    return disclosureHeader(this.modified);
  }

  /** Name of the session's stream. */
  get stream(): string {
    return this.#parts.stream.name;
  }

  /** Number of the stream's viewers. */
  get viewers(): number {
    return this.#parts.stream.viewers.size;
  }

  /** What connects the session to its publisher. */
  get peer(): P {
    return this.#peer;
  }

  /**
   * Changes settings, whichever transport the change came by.
   * @param elsewhere whether the change did not come from the publisher, whose page is then told.
   * @throws FaceOffError `unknown_face`, `unknown_model` (404), `model_missing` (409), and changes nothing.
   */
  set(settings: SettingsPatch, elsewhere = false): void {
    const { offAir: wasOffAir } = this.settings;
    this.#parts.swap.set(settings);
    if (this.settings.offAir && !wasOffAir) this.#goOffAir();
    this.#lipSync.offsetMs = this.settings.soundOffsetMs;
    this.#noteMark(elsewhere ? 'api' : 'publisher');
    if (this.settings.guarded) this.#showCard(this.#privacyGate.cardIfExposed());
    this.#disclose();
    if (elsewhere) this.#parts.onSettings?.(this.settings);
  }

  /**
   * The face that the pictures show was removed: a card covers them at once, frames that are on their way with it are not
   * shown, and the next ones follow the settings, which the publisher is told.
   */
  coverFace(): void {
    this.#coveredAtMs = performance.now();
    this.#showCard(this.#privacyGate.cover());
    this.#disclose();
    this.#parts.onSettings?.(this.settings);
  }

  /** Whether the content check hides the pictures. */
  get isHidden(): boolean {
    return this.#contentGuard?.hidden !== null && this.#contentGuard !== null;
  }

  /** A copy of the camera's next picture. @throws FaceOffError `no_picture` (409) when none comes within a second. */
  async nextCameraFrame(): Promise<Frame> {
    const arrived = new Promise<Frame>((resolve) => this.#cameraWaiters.push(resolve));
    const late = delay(CAMERA_MS, null, { ref: false });
    const frame = await Promise.race([arrived, late]);
    if (frame !== null) return frame;
    throw new FaceOffError('no_picture', 'The camera sends no picture just now. Try again in a moment.', {
      details: { retryAfterMs: 1000 },
    });
  }

  /** Shows viewers the last picture of the session that this one continues, until it has one of its own. */
  beginWith(still: Frame): void {
    this.#parts.stream.show(still, true);
  }

  /** Gives every frame and all sound from now on to this recorder as well. */
  record(recorder: Recorder): void {
    this.#recorder = recorder;
    // The recorder has to know before its first frame that there is sound.
    if (this.#lastSound !== null) recorder.addSound(this.#lastSound, 0);
  }

  /** Idempotent; the peer, the lane's state and the timers are gone when it returns. */
  close(why: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connectionTimeout.close();
    clearInterval(this.#idleTimer);
    clearInterval(this.#verdictTimer);
    clearInterval(this.#stillTimer);
    this.#intake.clear();
    this.#lipSync.close();
    this.#peer.close();
    this.#parts.swap.close();
    void this.#recorder?.stop();
    if (this.#connected) this.#parts.events.tell('stream.down', { ...this.#names, cause: why });
    this.#parts.onClose(this, why);
  }

  /** How events name the session. */
  get #names(): { stream: string; session: string } {
    return { stream: this.stream, session: this.id };
  }

  /** Milliseconds since the last frame, or since the connection or the session began. */
  get #silentMs(): number {
    return performance.now() - this.#lastFrameAtMs;
  }

  /** Highest rate of the lane's plan, per second; null without a limit. */
  get #maxFps(): number | null {
    const { fps } = this.#intake;
    return fps === Number.POSITIVE_INFINITY ? null : fps;
  }

  /** Runs once a second; reads the network's figures every other time, because they cost a millisecond or two. */
  async #updateVerdict(): Promise<void> {
    if (this.#verdictUpdates++ % 2 === 0) this.#traffic = await this.#peer.traffic().catch(() => null);
    const { width, height, fpsIn, fpsOut, plan, level, frameMs, waitMs } = this.#stats.read(this.id);
    if (this.#closed || width === 0) return;
    const { lane = null, slowEngine = null, unfollowed = 0 } = this.#stats.last ?? {};
    const figures: SessionFigures = {
      fpsIn,
      fpsOut,
      plan,
      level,
      frameMs,
      waitMs,
      lane,
      slowEngine,
      unfollowed,
      ...(this.#isTooLarge(width, height) && { tooLarge: { width, height } }),
      wantsSwap: this.modified,
      maxFps: this.#maxFps,
      missedShare: this.#stats.missedShare,
      traffic: this.#traffic,
      machine: this.#parts.machine(),
    };
    this.#steadyVerdict.observe(verdictOf(figures, this.#steadyVerdict.verdict.cause));
  }

  #receive(frame: Frame): void {
    if (this.#closed) return;
    this.#lastFrameAtMs = frame.receivedAtMs;
    this.#stats.arrived(frame.width, frame.height);
    this.#warnIfTooLarge(frame);
    for (const resolve of this.#cameraWaiters.splice(0)) resolve({ ...frame, data: frame.data.slice() });
    this.#intake.put(frame);
  }

  #isTooLarge(width: number, height: number): boolean {
    return width * height > this.#parts.largestPixels;
  }

  /** Logs one line per session. */
  #warnIfTooLarge({ width, height }: Frame): void {
    if (this.#isSizeLogged || !this.#isTooLarge(width, height)) return;
    this.#isSizeLogged = true;
    this.#parts.log.warn(
      { width, height },
      'frames too large to swap go out as they came; raise limits.frameWidth and frameHeight',
    );
  }

  /** @param isLate whether the frame was dropped because time was short, rather than by the plan's rate. */
  #countDropped(isLate: boolean): void {
    if (isLate) this.#stats.miss();
    this.#stats.count('dropped');
    this.#parts.metrics.dropped(isLate);
  }

  async #swap(frame: Frame, dropped: number): Promise<SwappedFrame | null> {
    const { swap, metrics, log } = this.#parts;
    try {
      const fresh = await swap.swap(frame, dropped);
      if (frame.decodeMs !== undefined) fresh.stagesMs.decode = frame.decodeMs;
      if (fresh.result === 'swapped') fresh.frame.isSwapped = true;
      if (this.#closed) return fresh;
      const swapped = this.#contentGuard?.pass(fresh, this.modified, this.settings.guarded) ?? fresh;
      const isHeld = this.#opening.holds(swapped, this.modified);
      const isCovered = frame.receivedAtMs < this.#coveredAtMs;
      const done: SwappedFrame = isHeld || isCovered ? { ...swapped, result: 'dropped', hold: true } : swapped;
      this.#showSwapped(done);
      this.#notePlan(done);
      if (done.result === 'dropped') {
        this.#countDropped(!isHeld && !isCovered);
        return done;
      }
      const frameMs = performance.now() - frame.receivedAtMs;
      if (!done.hold) this.#lipSync.addFrameTime(frameMs);
      this.#stats.done(done, frameMs);
      metrics.frame(done, frameMs);
      return done;
    } catch (error) {
      if (this.#closed) return null;
      this.#stats.count('failed');
      metrics.count('failed');
      // The frame was lost with its lane; the next frame finds a new lane. One line in the log is enough.
      const code = error instanceof FaceOffError ? error.code : 'internal';
      if (!this.#isLossLogged) log.warn({ code }, 'frame lost');
      this.#isLossLogged = true;
      return null;
    }
  }

  /** What is logged and counted is that it happened; the picture and its score are not. */
  #guardContent(): ContentGuard | null {
    const { contentCheck, contentThreshold, metrics, log } = this.#parts;
    if (contentCheck === null) return null;
    return new ContentGuard(contentCheck, contentThreshold, {
      onBlocked: (isBlocked) => {
        log.warn(isBlocked ? 'the content check hides the picture' : 'the content check hides the picture no more');
        if (!isBlocked) return;
        metrics.contentBlocked();
        // Frames that wait for their sound are of the same kind.
        this.#lipSync.dropFrames();
      },
      onFailure: (error) => {
        const what = 'the content check fails: guarded streams are hidden, others go on unchecked';
        log.warn({ error: messageOf(error) }, what);
      },
    });
  }

  /** Shows what the privacy gate lets through. */
  #showSwapped(done: SwappedFrame): void {
    const frame = this.#privacyGate.pass(done, this.settings.guarded);
    if (this.settings.offAir) this.#showOffAir(done.frame, frame);
    else if (frame === null) this.#parts.stream.repeatLast();
    else if (frame === done.frame) this.#show(frame, this.modified || done.result === 'swapped');
    else this.#showCard(frame);
  }

  /** Peers copy a frame before `sendFrame` returns, so that the mark may be drawn after it into the same memory. */
  #show(frame: Frame, isModified: boolean): void {
    const { badge, isPreview } = this.#parts;
    const isMarked = isModified && this.settings.badge;
    if (isMarked && !isPreview) badge.draw(frame);
    this.#peer.sendFrame(frame);
    if (isMarked && isPreview) badge.draw(frame);
    this.#lipSync.addFrame(frame);
    this.#recorder?.addFrame(frame);
  }

  /** Shows a card at once. Frames that wait for their sound are dropped: they may show an unswapped face too. */
  #showCard(card: Frame | null): void {
    if (card === null) return;
    this.#lipSync.dropFrames();
    if (this.settings.offAir) {
      this.#showOffAir(card, card);
      return;
    }
    this.#peer.sendFrame(card);
    this.#parts.stream.show(card);
  }

  /** Frames that wait for their sound are dropped, and viewers get the card at once. */
  #goOffAir(): void {
    this.#lipSync.dropFrames();
    const { width, height } = this.#stats.read(this.id);
    if (width > 0) this.#showOffAir({ width, height, receivedAtMs: performance.now() }, null);
  }

  /** Gives others the card. @param own what the publisher's own page sees; null for what it sees now. */
  #showOffAir(size: Pick<Frame, 'width' | 'height' | 'receivedAtMs'>, own: Frame | null): void {
    const card = this.#parts.offAirCard.frame(size);
    const seen = this.#parts.isPreview ? own : card;
    if (seen !== null) this.#peer.sendFrame(seen);
    if (own !== null) releaseBuffer(own);
    this.#parts.stream.show(card, true);
    this.#recorder?.addFrame(card);
  }

  #disclose(): void {
    this.#peer.sendMessage(disclosureMessage(this.modified));
    this.#parts.stream.disclose(this.modified);
  }

  #noteMark(by: UnmarkedChoice['by']): void {
    if (this.settings.badge) this.#unmarked = null;
    else this.#unmarked ??= this.#parts.onUnmarked(by);
  }

  /** Logs one line per change of quality, and tells of it. */
  #notePlan({ plan, level }: SwappedFrame): void {
    if (plan === this.#plan) return;
    const { events, log } = this.#parts;
    const change = { from: this.#plan, to: plan };
    log.info(change, 'quality changed');
    if (level < this.#planLevel) events.tell('quality.restored', { ...this.#names, ...change });
    if (level > this.#planLevel)
      events.tell('quality.fallen', { ...this.#names, ...change, cause: this.verdict.cause });
    this.#plan = plan;
    this.#planLevel = level;
  }

  #onPeerState(state: PeerState): void {
    if (this.#closed) return;
    this.#connectionTimeout.onState(state);
    if (state !== 'connected') return;
    if (!this.#connected) {
      this.#parts.log.info('session connected');
      this.#parts.events.tell('stream.up', this.#names);
    }
    this.#connected = true;
    this.#lastFrameAtMs = performance.now();
  }

  #checkIdle(): void {
    const { idleTimeoutMs } = this.#parts.webrtc;
    if (this.#silentMs > idleTimeoutMs) this.close('no picture for too long');
  }
}
