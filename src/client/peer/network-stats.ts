/** The browser's measurements of the network path to the server. Free of the DOM, for tests. */

/** The fields used here of the entries of an RTCStatsReport; which of them are there depends on the browser. */
export interface StatsEntry {
  type: string;
  kind?: string;
  nominated?: boolean;
  currentRoundTripTime?: number;
  roundTripTime?: number;
  jitterBufferDelay?: number;
  jitterBufferEmittedCount?: number;
}

/** Milliseconds; null where the browser does not measure. */
export interface Network {
  roundTripMs: number | null;
  /** How long received pictures stay in the jitter buffer. */
  bufferMs: number | null;
}

/** Reads successive reports of one connection after another. */
export class NetworkStats {
  #delay = 0;
  #emitted = 0;

  /** Browsers sum buffer times over the stream's life; each reading is the mean since the last one. */
  read(entries: Iterable<StatsEntry>): Network {
    let pair: number | null = null;
    let remote: number | null = null;
    let bufferMs: number | null = null;
    for (const entry of entries) {
      if (entry.type === 'candidate-pair' && entry.nominated) pair = entry.currentRoundTripTime ?? pair;
      if (entry.type === 'remote-inbound-rtp') remote = entry.roundTripTime ?? remote;
      if (entry.type === 'inbound-rtp' && entry.kind === 'video') bufferMs = this.#buffer(entry);
    }
    const roundTrip = pair ?? remote;
    return { roundTripMs: roundTrip === null ? null : 1000 * roundTrip, bufferMs };
  }

  #buffer({ jitterBufferDelay = 0, jitterBufferEmittedCount = 0 }: StatsEntry): number | null {
    // Fewer than before: another connection, whose sums begin at zero.
    const isNew = jitterBufferEmittedCount < this.#emitted;
    const delay = jitterBufferDelay - (isNew ? 0 : this.#delay);
    const emitted = jitterBufferEmittedCount - (isNew ? 0 : this.#emitted);
    this.#delay = jitterBufferDelay;
    this.#emitted = jitterBufferEmittedCount;
    return emitted > 0 ? (1000 * delay) / emitted : null;
  }
}
