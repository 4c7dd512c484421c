import { writeSenderReport } from './rtcp.ts';
import { writeRtp } from './rtp-packet.ts';

/** Packets kept to be sent again: half a second of video at 8 Mbit/s is 430. */
const KEPT = 512;

/** An outgoing RTP stream: numbers its packets, keeps the last ones to send them again, and counts for its reports. */
export class RtpSender {
  readonly ssrc: number;
  readonly payloadType: number;
  readonly #send: (data: Buffer) => void;
  readonly #kept = new Map<number, Buffer>();
  #sequence: number;
  #packets = 0;
  #bytes = 0;

  /**
   * @param ssrc 1..2³²−1.
   * @param sequence the first sequence number, 0..65535; unpredictable, as RFC 3550 (5.1) wants.
   * @param send puts a packet on the network.
   */
  constructor(stream: { ssrc: number; payloadType: number; sequence: number }, send: (data: Buffer) => void) {
    this.ssrc = stream.ssrc;
    this.payloadType = stream.payloadType;
    this.#sequence = stream.sequence;
    this.#send = send;
  }

  /** Sends the payloads of one picture or piece of sound; the last one gets the marker if `marks`. */
  send(payloads: readonly Uint8Array[], timestamp: number, marks: boolean): void {
    for (const [index, payload] of payloads.entries()) {
      const sequence = this.#sequence;
      const packet = writeRtp({
        payloadType: this.payloadType,
        marker: marks && index === payloads.length - 1,
        sequence,
        timestamp: timestamp >>> 0,
        ssrc: this.ssrc,
        payload,
      });
      this.#sequence = (sequence + 1) & 0xffff;
      this.#kept.delete((sequence - KEPT) & 0xffff);
      this.#kept.set(sequence, packet);
      this.#packets++;
      this.#bytes += payload.length;
      this.#send(packet);
    }
  }

  /** Sends packets again that are still kept. */
  resend(sequences: readonly number[]): void {
    for (const sequence of sequences) {
      const packet = this.#kept.get(sequence);
      if (packet !== undefined) this.#send(packet);
    }
  }

  /** @param timestamp what the stream's clock shows at `unixMs`, milliseconds since 1970. */
  report(unixMs: number, timestamp: number, cname: string): Buffer {
    const counts = { packets: this.#packets >>> 0, bytes: this.#bytes >>> 0 };
    return writeSenderReport({ ssrc: this.ssrc, unixMs, timestamp: timestamp >>> 0, ...counts }, cname);
  }
}
