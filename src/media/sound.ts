/** PCM sound on its way through the server, in pieces of ten milliseconds. */

/** One piece of ten milliseconds, as the WebRTC library delivers and accepts it. Immutable once it was passed on. */
export interface Sound {
  /** 16-bit samples, `numberOfFrames` × `channelCount`, channels interleaved. */
  samples: Int16Array<ArrayBuffer>;
  /** Sampling frequency, in Hz. */
  sampleRate: number;
  channelCount: number;
  /** Samples per channel. */
  numberOfFrames: number;
  bitsPerSample: 16;
}

/** Duration of one `Sound`, in milliseconds. */
export const SOUND_PIECE_MS = 10;
/**
 * How much later than a picture that is sent with it a viewer hears sound, in milliseconds: by its packet, and a jitter buffer in the
 * browser that is longer than the picture's.
 */
export const SOUND_OUT_MS = 40;

/** Root mean square of the samples, 0 (silence) to 1 (full scale). */
export function loudness({ samples }: Sound): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / Math.max(1, samples.length)) / 32768;
}

/** A piece of the same format without sound. */
export const silenceLike = (sound: Sound): Sound => ({ ...sound, samples: new Int16Array(sound.samples.length) });

/** Whether two pieces have the same format, so that one can follow the other. */
export const areAlike = (a: Sound, b: Sound): boolean =>
  a.sampleRate === b.sampleRate && a.channelCount === b.channelCount && a.numberOfFrames === b.numberOfFrames;

/** A linear cross-fade of one piece's length from `from` to `to`, which avoids a click. Both need the same format. */
export function blend(from: Sound, to: Sound): Sound {
  const { channelCount, numberOfFrames } = to;
  const samples = to.samples.map((sample, i) => {
    const share = (Math.floor(i / channelCount) + 1) / numberOfFrames;
    return sample * share + from.samples[i]! * (1 - share);
  });
  return { ...to, samples };
}
