/** The picture that is sent while a camera is off. */

const EVERY_MS = 250;

/** A dark video track of four frames a second, which keeps the stream alive while the camera is off or missing. */
export class PlaceholderTrack {
  readonly track: MediaStreamTrack;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor() {
    const canvas = document.createElement('canvas');
    canvas.width = 320;
    canvas.height = 240;
    const context = canvas.getContext('2d')!;
    context.fillStyle = '#181f1d';
    const paint = (): void => context.fillRect(0, 0, canvas.width, canvas.height);
    this.track = canvas.captureStream(1000 / EVERY_MS).getVideoTracks()[0]!;
    paint();
    this.#timer = setInterval(paint, EVERY_MS);
  }

  /** Idempotent. */
  close(): void {
    clearInterval(this.#timer);
    this.track.stop();
  }
}
