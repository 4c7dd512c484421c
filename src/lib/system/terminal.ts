import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';

/**
 * The terminal that a program was started from. A terminal that closes sends SIGHUP to its programs, and a person or
 * systemd sends the same signal to have a program read its settings again; this tells one from the other.
 */
export class StartTerminal {
  /** Standard streams that are a terminal. */
  readonly #streams = [0, 1, 2].filter((stream) => isatty(stream));
  readonly #hadControlling = hasControlling();

  /**
   * Whether it is gone. False for a program whose standard streams were never a terminal: under systemd, in a container,
   * under nohup. Windows sends SIGHUP only when a console closes.
   */
  get isGone(): boolean {
    if (process.platform === 'win32') return true;
    if (this.#streams.length === 0) return false;
    return this.#streams.some((stream) => !isatty(stream)) || (this.#hadControlling && !hasControlling());
  }
}

/** Whether the process's session has a terminal now. */
function hasControlling(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
