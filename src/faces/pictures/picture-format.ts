/** Which files may be given to the decoders of pictures at all, told by their first bytes. */

/** First bytes of JPEG, PNG, GIF, and of TIFF and BigTIFF in both orders. */
const BEGINNINGS = [
  [0xff, 0xd8, 0xff],
  [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
  [0x47, 0x49, 0x46, 0x38],
  [0x49, 0x49, 0x2a, 0],
  [0x4d, 0x4d, 0, 0x2a],
  [0x49, 0x49, 0x2b, 0],
  [0x4d, 0x4d, 0, 0x2b],
];

/**
 * Whether a file begins as one of the formats that are decoded. The decoder's library reads further ones, some of them as a
 * whole before it tells which one it is: an SVG of 5 kB whose parts repeat each other takes it for ever, without a time limit.
 */
export function isPicture(data: Uint8Array): boolean {
  if (BEGINNINGS.some((bytes) => bytes.every((byte, at) => data[at] === byte))) return true;
  const text = String.fromCharCode(...data.subarray(0, 12));
  // WebP, and the ISO container of AVIF and HEIF.
  return /^RIFF[\s\S]{4}WEBP/.test(text) || /^[\s\S]{4}ftyp/.test(text);
}
