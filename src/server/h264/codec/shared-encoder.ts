import type { Frame } from '../../../shared/types.ts';
import type { CodecLibrary } from './codec-library.ts';
import { type EncoderKind, encodersFor } from './encoders.ts';
import { type EncodedPicture, type EncoderOptions, PictureEncoder } from './picture-encoder.ts';

/** Least time between two keyframes on request, in milliseconds. */
const KEYFRAME_MS = 500;

/** An encoder in use by several connections. */
export interface EncoderUse {
  /** Encodes a frame, or gives the result that another use of the same frame brought. @returns null if it is left out. */
  encode(frame: Frame): Promise<EncodedPicture | null>;
  /** Asks for a keyframe; of several requests within half a second one counts, and it is not lost. */
  requestKeyframe(): void;
  /** Idempotent. The encoder closes with its last use. */
  close(): void;
}

interface Entry {
  encoder: PictureEncoder;
  uses: number;
  last: { frame: Frame; result: Promise<EncodedPicture | null> } | null;
  keyframeAtMs: number;
  keyframeTimer: NodeJS.Timeout | undefined;
}

/**
 * Encoders by stream and format: each frame of a stream is encoded once, however many connections send it. A frame is
 * known again by its identity. Runs on the main thread.
 */
export class SharedEncoders {
  readonly #entries = new Map<object, Map<string, Entry>>();
  readonly #kinds: readonly EncoderKind[];

  /** @param kinds encoders to try, best first. */
  constructor(kinds: readonly EncoderKind[] = encodersFor('x264')) {
    this.#kinds = kinds;
  }

  /** Number of open encoders. */
  get size(): number {
    return [...this.#entries.values()].reduce((sum, formats) => sum + formats.size, 0);
  }

  /** @param stream identifies the stream whose frames are encoded. */
  use(library: CodecLibrary, stream: object, options: EncoderOptions): EncoderUse {
    const format = JSON.stringify([options.profile, options.maxKbps, options.isSliced]);
    const formats = this.#entries.get(stream) ?? new Map<string, Entry>();
    const entry = formats.get(format) ?? {
      encoder: new PictureEncoder(library, options, this.#kinds),
      uses: 0,
      last: null,
      keyframeAtMs: Number.NEGATIVE_INFINITY,
      keyframeTimer: undefined,
    };
    this.#entries.set(stream, formats.set(format, entry));
    entry.uses++;
    let isClosed = false;
    return {
      encode: (frame) => {
        if (isClosed) return Promise.resolve(null);
        if (entry.last?.frame !== frame) entry.last = { frame, result: entry.encoder.encode(frame) };
        return entry.last.result;
      },
      requestKeyframe: () => {
        if (!isClosed) requestKeyframe(entry);
      },
      close: () => {
        if (isClosed) return;
        isClosed = true;
        if (--entry.uses > 0) return;
        clearTimeout(entry.keyframeTimer);
        entry.encoder.close();
        formats.delete(format);
        if (formats.size === 0) this.#entries.delete(stream);
      },
    };
  }
}

function requestKeyframe(entry: Entry): void {
  if (entry.keyframeTimer !== undefined) return;
  const ask = (): void => {
    entry.keyframeTimer = undefined;
    entry.keyframeAtMs = performance.now();
    entry.encoder.requestKeyframe();
  };
  const waitMs = entry.keyframeAtMs + KEYFRAME_MS - performance.now();
  if (waitMs <= 0) ask();
  else entry.keyframeTimer = setTimeout(ask, waitMs);
}
