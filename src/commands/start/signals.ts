import { constants } from 'node:os';
import { StartTerminal } from '../../lib/system/terminal.ts';

/** A Ctrl-C may arrive twice: from the terminal, which signals every process of its group, and passed on by npm. */
const SAME_SIGNAL_MS = 200;
/** How long after SIGHUP its terminal is looked for. */
const HANG_UP_MS = 100;

/** What signals do once the program runs. */
export interface OnSignal {
  /** Ends the program in order. */
  end: (() => Promise<unknown>) | null;
  /** Reads the configuration again. */
  reload: (() => Promise<void>) | null;
}

/**
 * Ends the program on SIGINT (Ctrl-C), SIGTERM and a SIGHUP with which its terminal was closed: at once while it starts,
 * as there is nothing to end in order, and the first process of a container would ignore the signal otherwise; in order
 * from then on, and at once on a second signal. Any other SIGHUP reads the configuration again. The handlers stay the
 * same all the time: one that is exchanged loses the signal that comes meanwhile.
 * @returns where what signals do is set; null does nothing.
 */
export function heedSignals(): OnSignal {
  // A terminal that was closed takes no more lines.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const onSignal: OnSignal = { end: null, reload: null };
  let sinceMs: number | null = null;
  const end = (signal: NodeJS.Signals): void => {
    if (onSignal.end === null) process.exit(0);
    if (sinceMs === null) {
      sinceMs = performance.now();
      // WebRTC's threads outlive their peers, so the process is ended once everything is closed.
      void onSignal.end().finally(() => process.exit(0));
    } else if (performance.now() - sinceMs > SAME_SIGNAL_MS) {
      process.exit(128 + constants.signals[signal]);
    }
  };
  process.on('SIGINT', end).on('SIGTERM', end);
  const terminal = new StartTerminal();
  process.on('SIGHUP', () => {
    // The signal comes a moment before the terminal is gone where a shell is killed.
    setTimeout(() => {
      if (terminal.isGone) end('SIGHUP');
      else if (sinceMs === null) void onSignal.reload?.();
    }, HANG_UP_MS);
  });
  return onSignal;
}
