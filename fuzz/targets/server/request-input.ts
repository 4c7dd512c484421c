/** Requests as inputs: a head in JSON, a line end, and the body. */

import type { OutgoingHttpHeaders } from 'node:http';
import type { HttpAsk } from './fuzz-server.ts';

/** A request without its body. */
export interface AskHead {
  method: string;
  path: string;
  headers: OutgoingHttpHeaders;
  /** Whether the server with a token is meant, and whether the request has it. */
  isLocked: boolean;
  hasToken: boolean;
}

/** An input from a request. */
export const inputOf = (head: AskHead, body: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]);

/** The request of an input, in the form that Node's client sends: characters that it refuses are escaped or left out. */
export function askOf(input: Buffer): { head: AskHead; ask: HttpAsk } {
  const end = input.indexOf(10);
  const head = JSON.parse(input.subarray(0, end).toString()) as AskHead;
  const body = input.subarray(end + 1);
  const headers = Object.entries(head.headers).map(([name, value]) => [
    name,
    String(value).replace(/[^\t\x20-\x7e]/g, ''),
  ]);
  const hasBody = body.length > 0 && !['GET', 'HEAD'].includes(head.method);
  return {
    head,
    ask: {
      method: head.method,
      path: escaped(head.path),
      headers: Object.fromEntries(headers) as OutgoingHttpHeaders,
      body: hasBody ? body : null,
    },
  };
}

/** An address whose characters Node sends: all others as percent escapes of their UTF-8. */
const escaped = (at: string): string =>
  [...(at.startsWith('/') || at === '*' ? at : `/${at}`)]
    .map((one) =>
      /[\x21-\x7e]/.test(one)
        ? one
        : [...Buffer.from(one)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
    )
    .join('');
