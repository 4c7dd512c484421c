/** OSC over UDP: desks, show control and sensors change the settings of a stream. */

import { createSocket, type Socket } from 'node:dgram';
import type { Config } from '../../config.ts';
import type { Logger } from '../../lib/log.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import type { SettingsPatch } from '../../shared/settings.ts';
import { changeOf, type OscChoices } from './osc-changes.ts';
import { parseOsc } from './osc-packet.ts';

/** A stream that is live, as OSC changes it. */
export interface OscTarget {
  choices: OscChoices;
  /** Checks and makes a change. @throws FaceOffError and changes nothing. */
  change(patch: SettingsPatch): void;
}

/** Lines of the log about messages that change nothing: at most one in so long, for a fader sends a hundred a second. */
const QUIET_MS = 5000;

/** Listens while it is open. Main thread. */
export class OscInput {
  readonly #socket: Socket;
  readonly #target: () => OscTarget | null;
  readonly #log: Logger;
  #loggedAtMs = Number.NEGATIVE_INFINITY;

  private constructor(socket: Socket, target: () => OscTarget | null, log: Logger) {
    this.#socket = socket;
    this.#target = target;
    this.#log = log;
    socket.on('message', (data) => this.#take(data));
    socket.on('error', (error) => log.warn({ error: error.message }, 'OSC input'));
  }

  /**
   * Listens on `control.oscHost` and `control.oscPort`.
   * @param target the stream `control.oscStream`; null while nothing publishes it.
   * @returns null where no port is set. @throws FaceOffError `bad_config` (500) where it cannot be had.
   */
  static async open(
    { oscHost, oscPort }: Config['control'],
    target: () => OscTarget | null,
    log: Logger,
  ): Promise<OscInput | null> {
    if (oscPort === null) return null;
    const socket = createSocket(oscHost.includes(':') ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (cause) => {
        const what = `control.oscPort: ${oscPort} of ${oscHost} cannot be used: ${cause.message}. Choose another.`;
        reject(new FaceOffError('bad_config', what, { cause }));
      });
      socket.bind(oscPort, oscHost, resolve);
    });
    return new OscInput(socket, target, log);
  }

  /** The port that it listens on. */
  get port(): number {
    return this.#socket.address().port;
  }

  /** Idempotent. */
  close(): void {
    this.#socket.removeAllListeners('message');
    try {
      this.#socket.close();
    } catch {
      // It is closed already.
    }
  }

  #take(data: Uint8Array): void {
    const target = this.#target();
    if (target === null) return;
    const messages = parseOsc(data);
    if (messages === null) {
      this.#note('a datagram that is no OSC');
      return;
    }
    for (const message of messages) {
      try {
        const patch = changeOf(message, target.choices);
        if (patch === null) this.#note('an OSC message that means nothing here');
        else target.change(patch);
      } catch (error) {
        this.#note(error instanceof FaceOffError ? error.code : messageOf(error));
      }
    }
  }

  /** What came is not logged: it may hold names. */
  #note(why: string): void {
    if (performance.now() - this.#loggedAtMs < QUIET_MS) return;
    this.#loggedAtMs = performance.now();
    this.#log.info({ why }, 'OSC changed nothing');
  }
}
