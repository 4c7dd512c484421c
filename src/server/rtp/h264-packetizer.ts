import { nalUnitsOf } from './h264-depacketizer.ts';

const STAP_A = 24;
const FU_A = 28;
/** Most bytes of a payload: with RTP, SRTP, UDP and IPv6 headers it fits into 1280 bytes, which every IPv6 path takes. */
const MOST_BYTES = 1180;

/**
 * Cuts a picture into RTP payloads (RFC 6184, packetization mode 1): consecutive small NAL units share a STAP-A, large
 * ones are cut into FU-A, others travel alone. The last payload is the one that gets the marker.
 * @param data a picture in Annex B form.
 */
export function packetizeH264(data: Uint8Array, mostBytes = MOST_BYTES): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const endSmall = (): void => {
    if (small.length > 0) payloads.push(small.length === 1 ? small[0]! : aggregate(small));
    small = [];
  };
  for (const unit of nalUnitsOf(data)) {
    const together = small.reduce((sum, one) => sum + 2 + one.length, 1) + 2 + unit.length;
    if (together > mostBytes) endSmall();
    if (unit.length <= mostBytes) small.push(unit);
    else payloads.push(...fragments(unit, mostBytes));
  }
  endSmall();
  return payloads;
}

function aggregate(units: readonly Uint8Array[]): Buffer {
  // The importance of the whole is that of its most important unit.
  const importance = Math.max(...units.map(([first = 0]) => first & 0x60));
  return Buffer.concat([
    Uint8Array.of(importance | STAP_A),
    ...units.flatMap((unit) => [Uint8Array.of(unit.length >> 8, unit.length & 255), unit]),
  ]);
}

function fragments(unit: Uint8Array, mostBytes: number): Buffer[] {
  const [first = 0] = unit;
  const body = unit.subarray(1);
  const count = Math.ceil(body.length / (mostBytes - 2));
  // Fragments of one size, rather than a small one at the end.
  const size = Math.ceil(body.length / count);
  return Array.from({ length: count }, (_, i) => {
    const flags = (i === 0 ? 0x80 : 0) | (i === count - 1 ? 0x40 : 0);
    const head = Uint8Array.of((first & 0xe0) | FU_A, flags | (first & 31));
    return Buffer.concat([head, body.subarray(i * size, (i + 1) * size)]);
  });
}
