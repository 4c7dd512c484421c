/** The error class, and the form in which errors cross threads and processes. */

import { ERRORS, type ErrorCode } from './error-catalogue.ts';

/** What an error may carry beside code and message. */
export interface FaceOffErrorOptions {
  /** The error that led to this one, for the log. */
  cause?: unknown;
  /** Facts a program can use, for instance the boxes of the faces found. Never pictures or embeddings. */
  details?: unknown;
}

/**
 * An error that a caller may decide on. The code is for programs and stands in ERRORS; the message is a sentence for
 * people that says what to do.
 */
export class FaceOffError extends Error {
  override readonly name = 'FaceOffError';
  readonly code: ErrorCode;
  /** HTTP status of the answer, as ERRORS has it. */
  readonly status: number;
  readonly details: unknown;

  constructor(code: ErrorCode, message: string, { cause, details }: FaceOffErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = ERRORS[code].status;
    this.details = details;
  }
}

/** An error as it crosses threads and processes: structured cloning would turn a FaceOffError into a plain Error. */
export interface WireError {
  code: ErrorCode;
  message: string;
  details?: unknown;
  stack?: string;
}

/** The form in which an error crosses; anything but a FaceOffError gets the code `internal` and keeps its stack. */
export function toWire(error: unknown): WireError {
  if (error instanceof FaceOffError) return { code: error.code, message: error.message, details: error.details };
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return stack === undefined ? { code: 'internal', message } : { code: 'internal', message, stack };
}

/** The error that crossed. */
export function fromWire(wire: WireError): FaceOffError {
  const error = new FaceOffError(wire.code, wire.message, { details: wire.details });
  if (wire.stack !== undefined) error.stack = wire.stack;
  return error;
}

/** The sentence of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
