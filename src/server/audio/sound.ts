/** Sound on its way through the server, in pieces of ten milliseconds. */

/** Ten milliseconds as the WebRTC library gives and takes them; whoever passes a piece on must not touch it again. */
export interface Sound {
  /** 16-bit samples, `numberOfFrames` × `channelCount`, channels interleaved. */
  samples: Int16Array<ArrayBuffer>;
  sampleRate: number;
  channelCount: number;
  numberOfFrames: number;
  bitsPerSample: 16;
}

export const PIECE_MS = 10;

/** Root of the mean square, 0 (silence) to 1 (full scale). */
export function loudness({ samples }: Sound): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / Math.max(1, samples.length)) / 32768;
}

/** Whether two pieces can follow each other. */
export const areAlike = (a: Sound, b: Sound): boolean =>
  a.sampleRate === b.sampleRate && a.channelCount === b.channelCount && a.numberOfFrames === b.numberOfFrames;

/** One piece that begins as `from` and ends as `to`, so that there is no click. Both must be alike. */
export function blend(from: Sound, to: Sound): Sound {
  const { channelCount, numberOfFrames } = to;
  const samples = to.samples.map((sample, i) => {
    const share = (Math.floor(i / channelCount) + 1) / numberOfFrames;
    return sample * share + from.samples[i]! * (1 - share);
  });
  return { ...to, samples };
}
