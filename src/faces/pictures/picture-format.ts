/** Which files may be given to the decoders of pictures at all, told by their first bytes. */

const latin1 = (data: Uint8Array, from: number, to: number): string =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1', from, to);

/** First bytes of JPEG, PNG, GIF, WebP, of the ISO container (AVIF, HEIF), and of TIFF and BigTIFF in both orders. */
const SIGNATURES =
  /^(?:\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8|RIFF[^]{4}WEBP|[^]{4}ftyp|II\x2a\0|MM\0\x2a|II\x2b\0|MM\0\x2b)/;

/**
 * Whether a file begins as one of the formats that are decoded. The decoder's library reads further ones, some of them as a
 * whole before it tells which one it is: an SVG of 5 kB whose parts repeat each other takes it for ever, without a time limit.
 */
export const isPicture = (data: Uint8Array): boolean => SIGNATURES.test(latin1(data, 0, 12));
