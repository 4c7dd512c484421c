/**
 * One error class for everything a caller may decide on, and its form for crossing a thread.
 * A code is for programs, the message is a sentence for people that says what to do.
 */

export interface FaceOffErrorOptions {
  /** HTTP status that fits, 500 unless told. */
  status?: number;
  cause?: unknown;
  /** Facts a program can use, for instance the boxes of the faces found. Never pictures or embeddings. */
  details?: unknown;
}

export class FaceOffError extends Error {
  override readonly name = 'FaceOffError';
  readonly code: string;
  readonly status: number;
  readonly details: unknown;

  constructor(code: string, message: string, options: FaceOffErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? 500;
    this.details = options.details;
  }
}

/** An error as it crosses a thread: a class of our own arrives there as a plain Error without its code. */
export interface WireError {
  code: string;
  message: string;
  status: number;
  details?: unknown;
  stack?: string;
}

export function toWire(error: unknown): WireError {
  if (error instanceof FaceOffError) {
    return { code: error.code, message: error.message, status: error.status, details: error.details };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return stack === undefined
    ? { code: 'internal', message, status: 500 }
    : { code: 'internal', message, status: 500, stack };
}

export function fromWire(wire: WireError): FaceOffError {
  const error = new FaceOffError(wire.code, wire.message, { status: wire.status, details: wire.details });
  if (wire.stack !== undefined) error.stack = wire.stack;
  return error;
}

/** The sentence of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
