/** What the browser knows of the way to the server. No DOM, so it is tested as it is. */

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

export interface Network {
  roundTripMs: number | null;
  /** How long received pictures lie ready to even out the network. */
  bufferMs: number | null;
}

export class NetworkStats {
  #delay = 0;
  #emitted = 0;

  /** Buffer times are sums over the stream's life, so each reading tells of the time since the last one. */
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
    // Fewer than before: another connection, which begins at nothing.
    const again = jitterBufferEmittedCount < this.#emitted;
    const delay = jitterBufferDelay - (again ? 0 : this.#delay);
    const emitted = jitterBufferEmittedCount - (again ? 0 : this.#emitted);
    this.#delay = jitterBufferDelay;
    this.#emitted = jitterBufferEmittedCount;
    return emitted > 0 ? (1000 * delay) / emitted : null;
  }
}
