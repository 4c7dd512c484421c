/**
 * Messages between a lane and the device process, over a local socket: a JSON head followed by tensors. A face's crop
 * is a few hundred kilobytes, so tensors are written from their own memory and read into their final memory.
 *
 *   bytes of the head (u32, little-endian) · floats of all tensors (u32) · head · floats
 *
 * `lengths` in the head divides the floats into tensors.
 */

import type { Socket } from 'node:net';
import { FaceOffError } from '../../shared/errors.ts';

/** A received message; the tensors are views of one buffer that belongs to the message. */
export interface Message<Head> {
  head: Head;
  tensors: Float32Array[];
}

/** A larger message is a defect, not a picture: 256 MiB of floats. */
const MAX_FLOATS = 2 ** 26;
const MAX_HEAD_BYTES = 2 ** 24;
const PREFIX_BYTES = 8;

/**
 * Writes a message to the socket.
 * @param tensors must not change before the socket has drained. They do not: a lane awaits its answer, and the device
 *   sends copies.
 */
export function send(socket: Socket, head: object, tensors: readonly Float32Array[] = []): void {
  const lengths = tensors.map((tensor) => tensor.length);
  const text = Buffer.from(JSON.stringify({ ...head, lengths }));
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32LE(text.length, 0);
  prefix.writeUInt32LE(
    lengths.reduce((a, b) => a + b, 0),
    4,
  );
  socket.cork();
  socket.write(prefix);
  socket.write(text);
  for (const { buffer, byteOffset, byteLength } of tensors)
    socket.write(new Uint8Array(buffer, byteOffset, byteLength));
  socket.uncork();
}

/** Assembles messages from the chunks of a socket. */
export class WireReader<Head> {
  readonly #onMessage: (message: Message<Head>) => void;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #head = Buffer.alloc(0);
  #body: Float32Array = new Float32Array();
  /** The part being read (prefix, head or body), and how many of its bytes have arrived. */
  #part: Uint8Array = this.#prefix;
  #filled = 0;

  constructor(onMessage: (message: Message<Head>) => void) {
    this.#onMessage = onMessage;
  }

  /** @throws FaceOffError `bad_device_message` for data of another protocol; the connection must be closed then. */
  feed(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(chunk.length - at, this.#part.length - this.#filled);
      this.#part.set(chunk.subarray(at, at + taken), this.#filled);
      at += taken;
      this.#filled += taken;
      while (this.#filled === this.#part.length && this.#nextPart()) this.#filled = 0;
    }
  }

  /** Moves on to the next part; false once a message was emitted and the next prefix is awaited. */
  #nextPart(): boolean {
    if (this.#part === this.#prefix) {
      const [head, floats] = [this.#prefix.readUInt32LE(0), this.#prefix.readUInt32LE(4)];
      if (head === 0 || head > MAX_HEAD_BYTES || floats > MAX_FLOATS) throw badMessage();
      this.#head = Buffer.alloc(head);
      this.#body = new Float32Array(floats);
      this.#part = this.#head;
      return true;
    }
    if (this.#part === this.#head && this.#body.length > 0) {
      this.#part = new Uint8Array(this.#body.buffer);
      return true;
    }
    this.#emit();
    this.#part = this.#prefix;
    this.#filled = 0;
    return false;
  }

  #emit(): void {
    const { lengths, ...head } = parseHead<Head>(this.#head, this.#body.length);
    let end = 0;
    const tensors = lengths.map((length) => {
      end += length;
      return this.#body.subarray(end - length, end);
    });
    this.#onMessage({ head: head as Head, tensors });
  }
}

/** @throws FaceOffError `bad_device_message` for a head that is no JSON, or whose lengths are not those of the floats. */
function parseHead<Head>(bytes: Buffer, floats: number): Head & { lengths: number[] } {
  let head: unknown;
  try {
    head = JSON.parse(bytes.toString());
  } catch {
    throw badMessage();
  }
  const lengths: unknown = typeof head === 'object' && head !== null ? (head as { lengths?: unknown }).lengths : null;
  if (!Array.isArray(lengths) || !lengths.every((length) => Number.isInteger(length) && length >= 0))
    throw badMessage();
  if (lengths.reduce((sum: number, length: number) => sum + length, 0) !== floats) throw badMessage();
  return head as Head & { lengths: number[] };
}

const badMessage = (): FaceOffError =>
  new FaceOffError('bad_device_message', 'Something else than FaceOff talks to the device process.');
