/**
 * Publishes frames to another server by WHIP (RFC 9725), without a page: of the codecs that can be offered, the first
 * that the server takes. A connection that is lost is made again.
 */

import { setTimeout as pause } from 'node:timers/promises';
import type { Sound } from '../../../media/sound.ts';
import { FaceOffError, messageOf } from '../../../shared/errors.ts';
import type { Frame } from '../../../shared/types.ts';
import type { OfferingPeer } from './offering-peer.ts';
import { type Endpoint, endSession, postOffer } from './signalling-client.ts';

/** Where to publish, and with what. */
export interface WhipOptions {
  endpoint: Endpoint;
  /** Open a peer each, in the order in which their codecs are offered. At least one. */
  peers: readonly (() => OfferingPeer)[];
  /** Prints a line for people. */
  say(what: string): void;
  /** Called once when the output cannot go on. */
  onError(error: FaceOffError): void;
}

const CONNECT_WITHIN_MS = 15_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5000;
/** A connection that is interrupted for longer than this is made anew. */
const MOST_INTERRUPTED_MS = 5000;
const LOOK_EVERY_MS = 250;
/** Codes after which another codec may be taken: those of a server of FaceOff, and that of any other. */
const MAY_BE_CODEC = new Set(['no_codec', 'bad_sdp', 'follow_refused']);

/** An output of `faceoff camera`. It connects at its first frame. */
export class WhipOutput {
  readonly #options: WhipOptions;
  readonly #name: string;
  readonly #ending = new AbortController();
  #peer: OfferingPeer | null = null;
  #publishing: Promise<void> | null = null;
  #hasWorked = false;
  /** Number of frames sent. */
  frames = 0;
  /** Number of frames left out, as there was no connection. */
  dropped = 0;

  constructor(options: WhipOptions) {
    this.#options = options;
    this.#name = new URL(options.endpoint.address).host;
  }

  /** Sends a frame, or drops it. */
  show(frame: Frame): void {
    this.#publishing ??= this.#publish();
    if (this.#peer?.state !== 'connected') {
      this.dropped++;
      return;
    }
    this.#peer.sendFrame(frame);
    this.frames++;
  }

  /** Sends ten milliseconds of sound, or drops them. */
  hear(sound: Sound): void {
    if (this.#peer?.state === 'connected') this.#peer.sendSound(sound);
  }

  /** Idempotent. Resolves when the session is ended. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.#publishing;
  }

  async #publish(): Promise<void> {
    const { signal } = this.#ending;
    let waitMs = FIRST_WAIT_MS;
    let lastSaid = '';
    while (!signal.aborted) {
      const framesBefore = this.frames;
      const error = await this.#publishOnce();
      if (signal.aborted) return;
      if (!this.#hasWorked || error.code === 'wrong_token') {
        this.#options.onError(error);
        return;
      }
      if (this.frames > framesBefore) {
        waitMs = FIRST_WAIT_MS;
        lastSaid = '';
      }
      // Once for each thing that is wrong, not at every try.
      if (error.message !== lastSaid) this.#options.say(`${error.message} Trying again.`);
      lastSaid = error.message;
      await pause(waitMs, undefined, { signal }).catch(() => undefined);
      waitMs = Math.min(LONGEST_WAIT_MS, 2 * waitMs);
    }
  }

  /** Publishes until the connection is lost or the output ends. @returns why it is over. */
  async #publishOnce(): Promise<FaceOffError> {
    let session: URL | null = null;
    try {
      const { peer, address } = await this.#open();
      this.#peer = peer;
      session = address;
      await this.#watch(peer);
      return new FaceOffError('follow_lost', `The connection to ${this.#name} is lost.`);
    } catch (error) {
      return error instanceof FaceOffError ? error : new FaceOffError('follow_refused', messageOf(error));
    } finally {
      this.#peer?.close();
      this.#peer = null;
      if (session !== null) await endSession(this.#options.endpoint, session);
    }
  }

  async #open(): Promise<{ peer: OfferingPeer; address: URL | null }> {
    const { endpoint, peers } = this.#options;
    let refused: unknown = null;
    for (const openPeer of peers) {
      const peer = openPeer();
      try {
        const { answer, address } = await postOffer(endpoint, await peer.offer());
        await peer.accept(answer);
        return { peer, address };
      } catch (error) {
        peer.close();
        refused = error;
        if (!(error instanceof FaceOffError) || !MAY_BE_CODEC.has(error.code)) break;
      }
    }
    throw refused;
  }

  /** Resolves when the connection is lost, is not made in time, or the output ends. */
  async #watch(peer: OfferingPeer): Promise<void> {
    const { signal } = this.#ending;
    let connectedAtMs = performance.now();
    let isConnected = false;
    while (!signal.aborted) {
      await pause(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
      const { state } = peer;
      if (state === 'failed' || state === 'closed') return;
      if (state === 'connected') {
        if (!isConnected) this.#options.say(`publishing to ${this.#name}`);
        isConnected = true;
        this.#hasWorked = true;
        connectedAtMs = performance.now();
      }
      if (performance.now() - connectedAtMs > (isConnected ? MOST_INTERRUPTED_MS : CONNECT_WITHIN_MS)) return;
    }
  }
}
