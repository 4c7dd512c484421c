/** Stands in for a camera that is off or not there: dark pictures, a few a second, that keep the stream alive. */

const EVERY_MS = 250;

export class PlaceholderTrack {
  readonly track: MediaStreamTrack;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor() {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [320, 240];
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
