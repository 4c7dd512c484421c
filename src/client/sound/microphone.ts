/** The microphone of the studio and of a call. */

import { t } from '../language/translate.ts';
import { isChanged, type Voice, VoiceChanger } from './voice-changer.ts';

/** Opens at most one microphone. A stream goes on without one. */
export class Microphone {
  readonly #onGone: () => void;
  #stream: MediaStream | null = null;
  #changer: VoiceChanger | null = null;
  #voice: Voice = { pitch: 0, timbre: 0 };
  #muted = false;
  /** Counts openings and closings, so that an opening that was called off can tell. */
  #generation = 0;

  /** @param onGone called when the open microphone was unplugged. */
  constructor(onGone: () => void) {
    this.#onGone = onGone;
  }

  /** What is heard: the open microphone's track, changed where a voice is chosen; null without one. */
  get track(): MediaStreamTrack | null {
    return this.#changer?.track ?? this.own;
  }

  /** The open microphone's own track; null without one. */
  get own(): MediaStreamTrack | null {
    return this.#stream?.getAudioTracks()[0] ?? null;
  }

  /** How much later the sound is for the change of the voice, in milliseconds. */
  get latencyMs(): number {
    return this.#changer?.latencyMs ?? 0;
  }

  /** True without a microphone, too. */
  get muted(): boolean {
    return this.#muted || this.own === null;
  }

  set muted(muted: boolean) {
    this.#muted = muted;
    if (this.own !== null) this.own.enabled = !muted;
  }

  /**
   * Opens a microphone. @param deviceId empty for the default one.
   * @throws DOMException as getUserMedia does; the person then counts as muted.
   */
  async open(deviceId = ''): Promise<void> {
    this.close();
    const generation = this.#generation;
    const audio: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    if (deviceId !== '') audio.deviceId = { exact: deviceId };
    const stream = await navigator.mediaDevices.getUserMedia({ audio, video: false });
    if (generation === this.#generation) this.#stream = stream;
    else for (const track of stream.getTracks()) track.stop();
    stream.getAudioTracks()[0]?.addEventListener('ended', () => {
      if (this.#stream === stream) this.#onGone();
    });
    this.muted = this.#muted;
    await this.change(this.#voice);
  }

  /**
   * Changes the voice. @returns whether `track` is another one from now on.
   * @throws where the browser has no audio worklets; the voice then stays the person's own.
   */
  async change(voice: Voice): Promise<boolean> {
    this.#voice = voice;
    const { own } = this;
    if (own === null) return false;
    if (this.#changer !== null && isChanged(voice)) {
      this.#changer.set(voice);
      return false;
    }
    const before = this.#changer;
    this.#changer = null;
    before?.close();
    if (!isChanged(voice)) return before !== null;
    const generation = this.#generation;
    const changer = await VoiceChanger.open(own, voice);
    if (generation !== this.#generation) {
      changer.close();
      return false;
    }
    this.#changer = changer;
    // The person may have moved the slider on meanwhile.
    changer.set(this.#voice);
    return true;
  }

  /** Idempotent. */
  close(): void {
    this.#generation++;
    this.#changer?.close();
    this.#changer = null;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
  }
}

/** Why the microphone did not open, for people. Takes what getUserMedia rejected with. */
export function microphoneProblem({ name }: { name: string }): string {
  if (name === 'NotFoundError') return t('No microphone found: the others see you but do not hear you.');
  if (name === 'NotAllowedError' || name === 'SecurityError')
    return t(
      'The microphone is not allowed: the others see you but do not hear you. Allow it beside the address, then switch it on here.',
    );
  return t(
    'The microphone did not start: the others see you but do not hear you. Close programs that use it, then switch it on here.',
  );
}
