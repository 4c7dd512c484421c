/** The microphone of a call. */

/** Opens at most one microphone. A call goes on without one. */
export class Microphone {
  readonly #onGone: () => void;
  #stream: MediaStream | null = null;
  #muted = false;
  /** Counts openings and closings, so that an opening that was called off can tell. */
  #generation = 0;

  /** @param onGone called when the open microphone was unplugged. */
  constructor(onGone: () => void) {
    this.#onGone = onGone;
  }

  /** The open microphone's track; null without one. */
  get track(): MediaStreamTrack | null {
    return this.#stream?.getAudioTracks()[0] ?? null;
  }

  /** True without a microphone, too. */
  get muted(): boolean {
    return this.#muted || this.track === null;
  }

  set muted(muted: boolean) {
    this.#muted = muted;
    if (this.track !== null) this.track.enabled = !muted;
  }

  /** Opens the default microphone. @throws DOMException as getUserMedia does; the person then counts as muted. */
  async open(): Promise<void> {
    this.close();
    const generation = this.#generation;
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    const stream = await navigator.mediaDevices.getUserMedia({ audio, video: false });
    if (generation === this.#generation) this.#stream = stream;
    else for (const track of stream.getTracks()) track.stop();
    stream.getAudioTracks()[0]?.addEventListener('ended', () => {
      if (this.#stream === stream) this.#onGone();
    });
    this.muted = this.#muted;
  }

  /** Idempotent. */
  close(): void {
    this.#generation++;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
  }
}

/** Why the microphone did not open, for people. Takes what getUserMedia rejected with. */
export function microphoneProblem({ name }: { name: string }): string {
  if (name === 'NotFoundError') return 'No microphone found: the others see you but do not hear you.';
  if (name === 'NotAllowedError' || name === 'SecurityError')
    return 'The microphone is not allowed: the others see you but do not hear you. Allow it beside the address, then switch it on here.';
  return 'The microphone did not start: the others see you but do not hear you. Close programs that use it, then switch it on here.';
}
