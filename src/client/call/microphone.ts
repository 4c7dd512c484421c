/** The microphone, which a call goes on without where there is none. */

export class Microphone {
  #stream: MediaStream | null = null;
  #muted = false;
  #turn = 0;

  get track(): MediaStreamTrack | null {
    return this.#stream?.getAudioTracks()[0] ?? null;
  }

  get muted(): boolean {
    return this.#muted || this.track === null;
  }

  set muted(muted: boolean) {
    this.#muted = muted;
    if (this.track !== null) this.track.enabled = !muted;
  }

  /** @throws DOMException as getUserMedia does; it is then as if muted. */
  async open(): Promise<void> {
    this.close();
    const turn = this.#turn;
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    const stream = await navigator.mediaDevices.getUserMedia({ audio, video: false });
    if (turn === this.#turn) this.#stream = stream;
    else for (const track of stream.getTracks()) track.stop();
    this.muted = this.#muted;
  }

  /** Idempotent. */
  close(): void {
    this.#turn++;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
  }
}

/** What went wrong when the microphone was asked for, and that the call goes on. */
export function microphoneProblem({ name }: { name: string }): string {
  if (name === 'NotFoundError') return 'No microphone found: the others see you but do not hear you.';
  if (name === 'NotAllowedError' || name === 'SecurityError')
    return 'The microphone is not allowed: the others see you but do not hear you. Allow it beside the address, then join again.';
  return 'The microphone did not start: the others see you but do not hear you. Close programs that use it, then join again.';
}
