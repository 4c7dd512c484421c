/** Open Sound Control 1.0: messages and bundles from the bytes of a datagram (opensoundcontrol.org, specification 1.0). Pure. */

/** An argument; blobs, colours and MIDI messages are read over, as null. */
export type OscArgument = number | string | boolean | null;

/** One message. */
export interface OscMessage {
  /** Begins with a slash. */
  address: string;
  args: OscArgument[];
}

/** Bundles in bundles, and messages of a datagram, that are read. */
const MOST_DEPTH = 4;
const MOST_MESSAGES = 256;
const BUNDLE = '#bundle';

/**
 * The messages of a datagram, those of a bundle in its order; its time is not waited for. Numbers of 64 bits lose what a double
 * does not hold.
 * @returns null for a datagram that is no OSC, or holds more than 256 messages.
 */
export function parseOsc(data: Uint8Array): OscMessage[] | null {
  const messages: OscMessage[] = [];
  return readPacket(new Reader(data), messages, 0) && messages.length <= MOST_MESSAGES ? messages : null;
}

function readPacket(reader: Reader, messages: OscMessage[], depth: number): boolean {
  const address = reader.text();
  if (address === null || messages.length > MOST_MESSAGES) return false;
  if (address === BUNDLE) return readBundle(reader, messages, depth);
  if (!address.startsWith('/')) return false;
  // Old senders leave the types of a message without arguments out.
  const types = reader.isAtEnd ? ',' : reader.text();
  if (types === null || !types.startsWith(',')) return false;
  const args: OscArgument[] = [];
  for (const type of types.slice(1)) {
    if (type === '[' || type === ']') continue;
    const argument = reader.argument(type);
    if (argument === undefined) return false;
    args.push(argument);
  }
  messages.push({ address, args });
  return reader.isAtEnd;
}

function readBundle(reader: Reader, messages: OscMessage[], depth: number): boolean {
  if (depth === MOST_DEPTH || reader.skip(8) === null) return false;
  while (!reader.isAtEnd) {
    const size = reader.int32();
    const part = size === null || size < 0 || size % 4 !== 0 ? null : reader.part(size);
    if (part === null || !readPacket(part, messages, depth + 1)) return false;
  }
  return true;
}

/** Reads from the front; null, or undefined, where the bytes end too early. */
class Reader {
  readonly #data: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#data.length;
  }

  /** The place of so many bytes, which are read over. */
  skip(bytes: number): number | null {
    if (this.#at + bytes > this.#data.length) return null;
    this.#at += bytes;
    return this.#at - bytes;
  }

  part(bytes: number): Reader | null {
    const at = this.skip(bytes);
    return at === null ? null : new Reader(this.#data.subarray(at, at + bytes));
  }

  int32(): number | null {
    const at = this.skip(4);
    return at === null ? null : this.#view.getInt32(at);
  }

  /** A text, ended by zero and filled up to four bytes. */
  text(): string | null {
    const end = this.#data.indexOf(0, this.#at);
    if (end < 0) return null;
    const at = this.skip(4 * Math.ceil((end + 1 - this.#at) / 4));
    return at === null ? null : new TextDecoder().decode(this.#data.subarray(at, end));
  }

  /** An argument of a type; undefined where it is not known, or cut off. */
  argument(type: string): OscArgument | undefined {
    switch (type) {
      case 'T':
        return true;
      case 'F':
        return false;
      case 'N':
      case 'I':
        return null;
      case 'i':
        return this.int32() ?? undefined;
      case 's':
      case 'S':
        return this.text() ?? undefined;
      case 'b': {
        const size = this.int32();
        if (size === null || size < 0) return undefined;
        return this.skip(4 * Math.ceil(size / 4)) === null ? undefined : null;
      }
      case 'c':
      case 'r':
      case 'm':
        return this.skip(4) === null ? undefined : null;
      case 't':
        return this.skip(8) === null ? undefined : null;
      default:
        return this.#number(type);
    }
  }

  #number(type: string): number | undefined {
    const at = type === 'f' ? this.skip(4) : type === 'd' || type === 'h' ? this.skip(8) : null;
    if (at === null) return undefined;
    if (type === 'f') return this.#view.getFloat32(at);
    return type === 'd' ? this.#view.getFloat64(at) : Number(this.#view.getBigInt64(at));
  }
}
