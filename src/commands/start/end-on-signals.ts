import { constants } from 'node:os';

/** A Ctrl-C may arrive twice: from the terminal, which signals every process of its group, and passed on by npm. */
const SAME_SIGNAL_MS = 200;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Ends the program on SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal was closed): at once while it starts, as there is
 * nothing to end in order, and the first process of a container would ignore the signal otherwise; in order from then
 * on, and at once on a second signal. The handlers stay the same all the time: one that is exchanged loses the signal
 * that comes meanwhile.
 * @returns what says how the program ends in order.
 */
export function endOnSignals(): (stop: () => Promise<unknown>) => void {
  // A terminal that was closed takes no more lines.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  let endInOrder: (() => Promise<unknown>) | null = null;
  let sinceMs: number | null = null;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (endInOrder === null) process.exit(0);
      if (sinceMs === null) {
        sinceMs = performance.now();
        // WebRTC's threads outlive their peers, so the process is ended once everything is closed.
        void endInOrder().finally(() => process.exit(0));
      } else if (performance.now() - sinceMs > SAME_SIGNAL_MS) {
        process.exit(128 + constants.signals[signal]);
      }
    });
  }
  return (stop) => {
    endInOrder = stop;
  };
}
