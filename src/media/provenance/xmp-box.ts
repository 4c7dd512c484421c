/** The XMP packet of an MP4 or QuickTime file: a box `uuid` at the top level (XMP, part 3, ISO base media format). */

import { type FileHandle, open } from 'node:fs/promises';
import { xmpWithSource } from './xmp.ts';

/** Which `uuid` boxes hold XMP. */
const XMP_UUID = Buffer.from('be7acfcb97a942e89c71999491e3afac', 'hex');
/** Bytes of a box's size and type, and of the longer size that may follow. */
const HEAD = 8;
const LONG_HEAD = 16;

/** Endings of the files that can have the box. */
export const HAS_XMP_BOX = /\.(mp4|m4v|mov)$/i;

/**
 * Adds to a finished MP4 or QuickTime file the XMP packet which says that a face was swapped in it. The box becomes the
 * last one, but for an index of fragments, which readers look for at the end of the file.
 * @throws Error of the file system, or where the file does not end with a whole box; the file is then as it was.
 */
export async function addXmpBox(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    const { size } = await handle.stat();
    const at = await placeOfBox(handle, size);
    const rest = await read(handle, at, size - at);
    try {
      await write(handle, Buffer.concat([xmpBox(), rest]), at);
    } catch (error) {
      // In this order the file has its index again before anything of the box is cut off.
      await write(handle, rest, at);
      await handle.truncate(size);
      throw error;
    }
  } finally {
    await handle.close();
  }
}

function xmpBox(): Buffer {
  const packet = Buffer.from(xmpWithSource());
  const head = Buffer.alloc(HEAD);
  head.writeUInt32BE(HEAD + XMP_UUID.length + packet.length);
  head.write('uuid', 4, 'latin1');
  return Buffer.concat([head, XMP_UUID, packet]);
}

/** Where the box goes: the place of the index of fragments (`mfra`), else the end. */
async function placeOfBox(handle: FileHandle, size: number): Promise<number> {
  let at = 0;
  let last = { at, type: '' };
  while (at < size) {
    const head = await read(handle, at, Math.min(LONG_HEAD, size - at));
    const bytes = lengthOf(head);
    if (bytes < HEAD || at + bytes > size) throw new Error('the file does not end with a whole box');
    last = { at, type: head.toString('latin1', 4, HEAD) };
    at += bytes;
  }
  return last.type === 'mfra' ? last.at : size;
}

/** Bytes of the box with this head; 0 where it says none. */
function lengthOf(head: Buffer): number {
  if (head.length < HEAD) return 0;
  const bytes = head.readUInt32BE(0);
  if (bytes !== 1) return bytes;
  return head.length < LONG_HEAD ? 0 : Number(head.readBigUInt64BE(HEAD));
}

async function read(handle: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, at);
  return buffer.subarray(0, bytesRead);
}

async function write(handle: FileHandle, data: Buffer, at: number): Promise<void> {
  let done = 0;
  // A disk that becomes full takes a part first, and throws at the next.
  while (done < data.length) {
    const { bytesWritten } = await handle.write(data, done, data.length - done, at + done);
    done += bytesWritten;
  }
}
