/** RTP packets (RFC 3550, 5.1), read and written. Pure functions on bytes. */

/** One RTP packet without its header extensions, which FaceOff does not negotiate. */
export interface RtpPacket {
  /** 0..127. */
  payloadType: number;
  /** In video: the last packet of its picture. */
  marker: boolean;
  /** 0..65535; wraps. */
  sequence: number;
  /** Ticks of the codec's clock, 0..2³²−1; wraps. */
  timestamp: number;
  /** Identifies the sender's stream, 0..2³²−1. */
  ssrc: number;
  payload: Uint8Array;
}

const HEADER_BYTES = 12;

/** Whether a datagram of a multiplexed session is RTCP rather than RTP (RFC 5761, 4). */
export const isRtcp = (data: Uint8Array): boolean => data.length >= 2 && data[1]! >= 192 && data[1]! <= 223;

/** Reads a packet; its payload is a view of `data`. @returns null for bytes that are no RTP packet. */
export function parseRtp(data: Uint8Array): RtpPacket | null {
  if (data.length < HEADER_BYTES || data[0]! >> 6 !== 2) return null;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  let begin = HEADER_BYTES + 4 * (data[0]! & 15);
  if ((data[0]! & 0x10) !== 0) {
    if (begin + 4 > data.length) return null;
    begin += 4 + 4 * view.getUint16(begin + 2);
  }
  // The last byte of a padded packet counts the padding, itself included.
  const padding = (data[0]! & 0x20) === 0 ? 0 : data[data.length - 1]!;
  const isMalformed = (data[0]! & 0x20) !== 0 && padding === 0;
  const end = data.length - padding;
  if (isMalformed || begin > end) return null;
  return {
    payloadType: data[1]! & 127,
    marker: data[1]! > 127,
    sequence: view.getUint16(2),
    timestamp: view.getUint32(4),
    ssrc: view.getUint32(8),
    payload: data.subarray(begin, end),
  };
}

/** The bytes of a packet. */
export function writeRtp({ payloadType, marker, sequence, timestamp, ssrc, payload }: RtpPacket): Buffer {
  const data = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  data[0] = 0x80;
  data[1] = payloadType | (marker ? 0x80 : 0);
  data.writeUInt16BE(sequence, 2);
  data.writeUInt32BE(timestamp, 4);
  data.writeUInt32BE(ssrc, 8);
  data.set(payload, HEADER_BYTES);
  return data;
}
