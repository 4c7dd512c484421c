/**
 * Small pictures inside a picture's metadata, which show the face as it was: the thumbnail of EXIF (IFD1 of TIFF 6.0, EXIF
 * 2.32, 4.5.6), JPEGs in the notes of cameras' makers, and those in XMP (`xmp:Thumbnails`, and what depth cameras add).
 */

/** What a block of EXIF begins with in a JPEG, before its TIFF. */
const EXIF_HEAD = Buffer.from('Exif\0\0', 'latin1');
/** Bytes of an entry of an image file directory. */
const ENTRY = 12;
const JPEG_START = Buffer.from('ffd8ff', 'hex');
const JPEG_END = Buffer.from('ffd9', 'hex');
const PNG = Buffer.from('89504e470d0a1a0a', 'hex');
const PNG_EXIF = 'eXIf';
/** Text of XMP that begins as a JPEG or a PNG does in base64. */
const CODED = /([>"'])\s*(?:\/9j\/|iVBORw0KGgo)(?:[A-Za-z0-9+/=\s]|&#x?[0-9A-Fa-f]{1,4};)*/g;

/** The packet without pictures in it. */
export const xmpWithoutPreviews = (xmp: string): string => xmp.replace(CODED, '$1');

/**
 * The file with its EXIF's previews gone, and nothing else changed.
 * @param exif the block of EXIF that a decoder found in it. @returns null where it has previews at no known place.
 */
export function withoutPreviews(file: Uint8Array, exif: Uint8Array | undefined): Uint8Array | null {
  if (exif === undefined) return file;
  const block = Buffer.from(exif.buffer, exif.byteOffset, exif.byteLength);
  const tiff = block.subarray(0, EXIF_HEAD.length).equals(EXIF_HEAD) ? block.subarray(EXIF_HEAD.length) : block;
  const clean = Buffer.from(tiff);
  cutSecondDirectory(clean);
  wipeJpegs(clean);
  if (clean.equals(tiff)) return file;
  const out = Buffer.from(file);
  const start = out.indexOf(tiff);
  if (start < 0) return null;
  clean.copy(out, start);
  if (out.subarray(0, PNG.length).equals(PNG)) return sealChunk(out, start, clean.length) ? out : null;
  return out;
}

/** Takes the directory of the thumbnail out of the chain. */
function cutSecondDirectory(tiff: Buffer): void {
  if (tiff.length < 8) return;
  const isLittle = tiff.toString('latin1', 0, 2) === 'II';
  const first = isLittle ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4);
  if (first + 2 > tiff.length) return;
  const next = first + 2 + ENTRY * (isLittle ? tiff.readUInt16LE(first) : tiff.readUInt16BE(first));
  if (next + 4 <= tiff.length) tiff.writeUInt32LE(0, next);
}

/** Fills JPEGs with zeros. */
function wipeJpegs(bytes: Buffer): void {
  for (let start = bytes.indexOf(JPEG_START); start >= 0; start = bytes.indexOf(JPEG_START, start + 1)) {
    const following = bytes.indexOf(JPEG_START, start + 1);
    const end = bytes.subarray(0, following < 0 ? bytes.length : following).lastIndexOf(JPEG_END);
    bytes.fill(0, start, end > start ? end + JPEG_END.length : bytes.length);
  }
}

/** Writes the checksum of a PNG's chunk of EXIF anew; false where it is none, or is cut off. */
function sealChunk(png: Buffer, start: number, length: number): boolean {
  if (start < 8 || start + length + 4 > png.length) return false;
  if (png.toString('latin1', start - 4, start) !== PNG_EXIF || png.readUInt32BE(start - 8) !== length) return false;
  png.writeUInt32BE(crc32(png.subarray(start - 4, start + length)), start + length);
  return true;
}

/** CRC-32 of ISO 3309, as PNG has it; Node has one from 20.15 on. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return (crc ^ 0xffffffff) >>> 0;
}
