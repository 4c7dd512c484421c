import type { Sound } from '../../../media/sound.ts';
import type { Frame } from '../../../shared/types.ts';
import type { PeerState } from '../peer.ts';

/** A peer that publishes to another server: it makes the offer, and sends pictures and sound. */
export interface OfferingPeer {
  /** The offer, with its candidates. */
  offer(): Promise<string>;
  /** Takes the server's answer. @throws Error where it cannot be used. */
  accept(answer: string): Promise<void>;
  readonly state: PeerState;
  /** Sends a frame; its data is copied. */
  sendFrame(frame: Frame): void;
  /** Sends ten milliseconds of sound. */
  sendSound(sound: Sound): void;
  /** Idempotent. */
  close(): void;
}
