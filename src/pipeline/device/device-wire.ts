/**
 * Messages between a lane and the device process, over a local socket: a head in JSON and tensors after it. A face's crop
 * is a few hundred kilobytes, so tensors are written from where they are and read into where they stay.
 *
 *   head's bytes (u32, little-endian) · tensors' count of floats (u32) · head · floats
 *
 * How the floats are divided stands in the head, `lengths`.
 */

import type { Socket } from 'node:net';
import { FaceOffError } from '../../shared/errors.ts';

export interface Message<Head> {
  head: Head;
  tensors: Float32Array[];
}

/** Larger messages are a defect, not a picture: 256 MiB of floats. */
const MOST_FLOATS = 2 ** 26;
const MOST_HEAD = 2 ** 24;
const PREFIX = 8;

/** @param tensors must not change before the socket has drained; a lane waits for its answer, so they do not. */
export function send(socket: Socket, head: object, tensors: readonly Float32Array[] = []): void {
  const lengths = tensors.map((tensor) => tensor.length);
  const text = Buffer.from(JSON.stringify({ ...head, lengths }));
  const prefix = Buffer.alloc(PREFIX);
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

/** Puts a socket's chunks together to messages. */
export class WireReader<Head> {
  readonly #onMessage: (message: Message<Head>) => void;
  readonly #prefix = Buffer.alloc(PREFIX);
  #head = Buffer.alloc(0);
  #body: Float32Array = new Float32Array();
  /** The part in hand, prefix, head or body, and how much of it is there. */
  #part: Uint8Array = this.#prefix;
  #filled = 0;

  constructor(onMessage: (message: Message<Head>) => void) {
    this.#onMessage = onMessage;
  }

  /** @throws FaceOffError `bad_message` for what is none of ours; the connection is of no use then. */
  feed(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(chunk.length - at, this.#part.length - this.#filled);
      this.#part.set(chunk.subarray(at, at + taken), this.#filled);
      at += taken;
      this.#filled += taken;
      while (this.#filled === this.#part.length && this.#next()) this.#filled = 0;
    }
  }

  /** Goes on to the next part; false once a message was told and a new one is awaited. */
  #next(): boolean {
    if (this.#part === this.#prefix) {
      const [head, floats] = [this.#prefix.readUInt32LE(0), this.#prefix.readUInt32LE(4)];
      if (head === 0 || head > MOST_HEAD || floats > MOST_FLOATS)
        throw new FaceOffError('bad_message', 'Something else than FaceOff talks to the device process.');
      this.#head = Buffer.alloc(head);
      this.#body = new Float32Array(floats);
      this.#part = this.#head;
      return true;
    }
    if (this.#part === this.#head && this.#body.length > 0) {
      this.#part = new Uint8Array(this.#body.buffer);
      return true;
    }
    this.#tell();
    this.#part = this.#prefix;
    this.#filled = 0;
    return false;
  }

  #tell(): void {
    const { lengths, ...head } = JSON.parse(this.#head.toString()) as Head & { lengths: number[] };
    let end = 0;
    const tensors = lengths.map((length) => {
      end += length;
      return this.#body.subarray(end - length, end);
    });
    this.#onMessage({ head: head as Head, tensors });
  }
}
