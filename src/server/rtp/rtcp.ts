/**
 * The RTCP that FaceOff writes and reads: reports (RFC 3550, 6.4), generic NACK and PLI (RFC 4585, 6), FIR (RFC 5104,
 * 4.3.1) and REMB (draft-alvestrand-rmcat-remb). Pure functions on bytes.
 */

/** What a receiver says about one stream (RFC 3550, 6.4.1). */
export interface ReportBlock {
  ssrc: number;
  /** Share of the packets lost since the report before, 0..1. */
  fractionLost: number;
  /** Packets lost since the beginning, −2²³..2²³−1. */
  lost: number;
  /** Extended highest sequence number, modulo 2³². */
  highest: number;
  /** Interarrival jitter, in ticks of the codec's clock. */
  jitter: number;
  /** Middle 32 bits of the NTP time of the last sender report; 0 without one. */
  lastReport: number;
  /** Time since that report came, in 1/65536 s. */
  sinceReport: number;
}

/** One message of a compound packet. */
export type RtcpMessage =
  | { type: 'sender-report'; ssrc: number; ntpMiddle: number; blocks: ReportBlock[] }
  | { type: 'receiver-report'; ssrc: number; blocks: ReportBlock[] }
  /** Packets to send again. */
  | { type: 'nack'; media: number; sequences: number[] }
  /** A picture that depends on no other is wanted: PLI or FIR. */
  | { type: 'keyframe-request'; media: number }
  | { type: 'bitrate-limit'; bitsPerSecond: number };

const SENDER_REPORT = 200;
const RECEIVER_REPORT = 201;
const SOURCE_DESCRIPTION = 202;
const TRANSPORT_FEEDBACK = 205;
const PAYLOAD_FEEDBACK = 206;
const BLOCK_BYTES = 24;
const NTP_EPOCH_S = 2_208_988_800;
/** Most sequence numbers read from one datagram; no path loses more at once and repairs them. */
const MOST_NACKED = 512;

/** Reads a compound packet. Unknown messages are left out; what follows a malformed one is ignored. */
export function parseRtcp(data: Uint8Array): RtcpMessage[] {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const found: RtcpMessage[] = [];
  for (let at = 0; at + 8 <= data.length; ) {
    const length = 4 + 4 * view.getUint16(at + 2);
    if (data[at]! >> 6 !== 2 || at + length > data.length) break;
    const message = parseOne(new DataView(data.buffer, data.byteOffset + at, length));
    if (message !== null) found.push(message);
    at += length;
  }
  return found;
}

function parseOne(view: DataView): RtcpMessage | null {
  const count = view.getUint8(0) & 31;
  const type = view.getUint8(1);
  const size = view.byteLength;
  if (type === RECEIVER_REPORT && size >= 8)
    return { type: 'receiver-report', ssrc: view.getUint32(4), blocks: blocksOf(view, 8, count) };
  if (type === SENDER_REPORT && size >= 28)
    return {
      type: 'sender-report',
      ssrc: view.getUint32(4),
      ntpMiddle: ((view.getUint32(8) & 0xffff) * 65536 + (view.getUint32(12) >>> 16)) >>> 0,
      blocks: blocksOf(view, 28, count),
    };
  if (size < 12) return null;
  const media = view.getUint32(8);
  if (type === TRANSPORT_FEEDBACK && count === 1) return { type: 'nack', media, sequences: nacked(view) };
  if (type !== PAYLOAD_FEEDBACK) return null;
  if (count === 1) return { type: 'keyframe-request', media };
  if (count === 4 && size >= 20) return { type: 'keyframe-request', media: view.getUint32(12) };
  if (count === 15 && size >= 20 && view.getUint32(12) === 0x52454d42) {
    const bits = view.getUint32(16) & 0xffffff;
    return { type: 'bitrate-limit', bitsPerSecond: (bits & 0x3ffff) * 2 ** (bits >>> 18) };
  }
  return null;
}

function blocksOf(view: DataView, from: number, count: number): ReportBlock[] {
  const blocks: ReportBlock[] = [];
  for (let i = 0, at = from; i < count && at + BLOCK_BYTES <= view.byteLength; i++, at += BLOCK_BYTES) {
    blocks.push({
      ssrc: view.getUint32(at),
      fractionLost: view.getUint8(at + 4) / 256,
      lost: (view.getUint32(at + 4) << 8) >> 8,
      highest: view.getUint32(at + 8),
      jitter: view.getUint32(at + 12),
      lastReport: view.getUint32(at + 16),
      sinceReport: view.getUint32(at + 20),
    });
  }
  return blocks;
}

function nacked(view: DataView): number[] {
  const sequences: number[] = [];
  for (let at = 12; at + 4 <= view.byteLength && sequences.length < MOST_NACKED; at += 4) {
    const first = view.getUint16(at);
    const mask = view.getUint16(at + 2);
    sequences.push(first);
    for (let bit = 0; bit < 16; bit++) if ((mask >> bit) & 1) sequences.push((first + bit + 1) & 0xffff);
  }
  return sequences;
}

/** A picture loss indication. @param sender, media SSRCs of the sides. */
export const writePli = (sender: number, media: number): Buffer => message(PAYLOAD_FEEDBACK, 1, [words(sender, media)]);

/** A generic NACK. @param sequences 0..65535, ascending (a wrap is allowed). */
export function writeNack(sender: number, media: number, sequences: readonly number[]): Buffer {
  const entries: [first: number, mask: number][] = [];
  for (const sequence of sequences) {
    const last = entries.at(-1);
    const bit = last === undefined ? 16 : ((sequence - last[0]) & 0xffff) - 1;
    if (last !== undefined && bit >= 0 && bit < 16) last[1] |= 1 << bit;
    else entries.push([sequence, 0]);
  }
  return message(TRANSPORT_FEEDBACK, 1, [
    words(sender, media),
    words(...entries.map(([first, mask]) => first * 65536 + mask)),
  ]);
}

/** A limit for the sender's bit rate (REMB). */
export function writeBitrateLimit(sender: number, bitsPerSecond: number, media: readonly number[]): Buffer {
  let exponent = 0;
  while (bitsPerSecond / 2 ** exponent >= 2 ** 18) exponent++;
  const value = media.length * 2 ** 24 + exponent * 2 ** 18 + Math.floor(bitsPerSecond / 2 ** exponent);
  return message(PAYLOAD_FEEDBACK, 15, [words(sender, 0, 0x52454d42, value, ...media)]);
}

/** A receiver report, with the canonical name that compound packets need. */
export const writeReceiverReport = (sender: number, cname: string, blocks: readonly ReportBlock[]): Buffer =>
  Buffer.concat([
    message(RECEIVER_REPORT, blocks.length, [words(sender), ...blocks.map(block)]),
    description(sender, cname),
  ]);

/** What a sender reports: at `unixMs` the stream's clock showed `timestamp`. */
export interface SenderReport {
  ssrc: number;
  /** Milliseconds since 1970. */
  unixMs: number;
  timestamp: number;
  packets: number;
  bytes: number;
}

/** A sender report, with the canonical name by which receivers find streams that belong in step. */
export function writeSenderReport({ ssrc, unixMs, timestamp, packets, bytes }: SenderReport, cname: string): Buffer {
  const seconds = Math.floor(unixMs / 1000);
  const fraction = Math.floor(((unixMs - 1000 * seconds) / 1000) * 2 ** 32);
  return Buffer.concat([
    message(SENDER_REPORT, 0, [words(ssrc, seconds + NTP_EPOCH_S, fraction, timestamp, packets, bytes)]),
    description(ssrc, cname),
  ]);
}

function block({ ssrc, fractionLost, lost, highest, jitter, lastReport, sinceReport }: ReportBlock): Buffer {
  const share = Math.min(255, Math.max(0, Math.floor(256 * fractionLost)));
  const total = Math.min(2 ** 23 - 1, Math.max(-(2 ** 23), lost));
  return words(ssrc, share * 2 ** 24 + (total & 0xffffff), highest, jitter, lastReport, sinceReport);
}

/** An SDES message with a CNAME. */
function description(ssrc: number, cname: string): Buffer {
  const name = Buffer.from(cname).subarray(0, 255);
  // At least one zero byte ends the list of items.
  const padding = Buffer.alloc(4 - ((2 + name.length) % 4));
  return message(SOURCE_DESCRIPTION, 1, [words(ssrc), Buffer.from([1, name.length]), name, padding]);
}

function message(type: number, count: number, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.from([0x80 | count, type, 0, 0]);
  head.writeUInt16BE(body.length / 4, 2);
  return Buffer.concat([head, body]);
}

function words(...values: readonly number[]): Buffer {
  const data = Buffer.allocUnsafe(4 * values.length);
  for (const [index, value] of values.entries()) data.writeUInt32BE(value >>> 0, 4 * index);
  return data;
}
