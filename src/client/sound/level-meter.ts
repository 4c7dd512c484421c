/** Loudness of a track as a meter shows it. */

const EVERY_MS = 80;
/** Quietest sound that the meter shows, in decibels of full scale. */
const QUIETEST_DB = -60;
const SAMPLES = 2048;

/** Share of the meter, 0..1, for samples of -1..1: from -60 dB (RMS) to full scale. */
export function meterShare(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const db = 10 * Math.log10(sum / Math.max(1, samples.length));
  return Math.min(1, Math.max(0, 1 - db / QUIETEST_DB));
}

/** Shows the level of one track at a time. */
export class LevelMeter {
  readonly #meter: HTMLMeterElement;
  #context: AudioContext | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(meter: HTMLMeterElement) {
    this.#meter = meter;
  }

  /** @param track null shows none. */
  show(track: MediaStreamTrack | null): void {
    clearInterval(this.#timer);
    void this.#context?.close();
    this.#context = null;
    this.#meter.value = 0;
    if (track === null) return;
    const context = new AudioContext();
    this.#context = context;
    const analyser = new AnalyserNode(context, { fftSize: SAMPLES });
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(SAMPLES);
    this.#timer = setInterval(() => {
      if (document.hidden) return;
      analyser.getFloatTimeDomainData(samples);
      this.#meter.value = meterShare(samples);
    }, EVERY_MS);
  }
}
