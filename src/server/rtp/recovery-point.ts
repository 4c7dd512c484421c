/** Type of the SEI message (H.264, annex D.1.8). */
const RECOVERY_POINT = 6;
/** A claim of more pictures than this is none that a live stream could wait for: ten seconds at 60 a second. */
const MOST_FRAMES = 600;

/**
 * How many pictures after its own an SEI unit's recovery point lies (H.264, D.2.8): from there on pictures are exact
 * although decoding began with this one.
 * @param nal the NAL unit, its header included.
 * @returns null without a recovery point.
 */
export function recoveryFramesOf(nal: Uint8Array): number | null {
  const data = withoutEmulation(nal);
  for (let at = 1; at + 2 <= data.length; ) {
    let type = 0;
    let size = 0;
    for (; data[at] === 255; at++) type += 255;
    type += data[at++] ?? 0;
    for (; data[at] === 255; at++) size += 255;
    size += data[at++] ?? 0;
    if (at + size > data.length) return null;
    if (type === RECOVERY_POINT) return countOf(data.subarray(at, at + size));
    at += size;
  }
  return null;
}

/** The unsigned Exp-Golomb number at the beginning (H.264, 9.1); null for one that is too large. */
function countOf(data: Uint8Array): number | null {
  const bit = (at: number): number => ((data[at >> 3] ?? 0) >> (7 - (at & 7))) & 1;
  let zeros = 0;
  while (zeros < 16 && bit(zeros) === 0) zeros++;
  let value = 0;
  for (let at = zeros; at <= 2 * zeros; at++) value = 2 * value + bit(at);
  return zeros === 16 || value - 1 > MOST_FRAMES ? null : value - 1;
}

/** The bytes without those that only keep start codes from occurring (H.264, 7.4.1). */
function withoutEmulation(nal: Uint8Array): Uint8Array {
  return nal.filter((byte, i) => !(byte === 3 && i >= 2 && nal[i - 1] === 0 && nal[i - 2] === 0));
}
