/**
 * Messages between the page's world, the content script and the service worker. A page can do no more than exchange an
 * offer for an answer and end the session. Its requests go by a DOM event to the content script, which alone talks to
 * the service worker; addresses and tokens never come into a page.
 */

/** The person's choices, kept in the browser's extension storage. */
export interface Choices {
  /** Address of the server: its origin, and the path where a proxy serves it under one. */
  server: string;
  token: string;
  /** Id of the face to begin with; empty is the server's own choice. */
  face: string;
  /** `camera`: the page's camera is swapped. `stream`: the page gets what a stream of the server shows. */
  mode: 'camera' | 'stream';
  stream: string;
  /** Whether pages that do not ask for a certain camera get this one. */
  always: boolean;
  /** Match patterns of the pages that are allowed. */
  sites: string[];
}

/** Choices before the person made any: the server as `npm start` runs it. */
export const DEFAULTS: Choices = {
  server: 'http://127.0.0.1:8080',
  token: '',
  face: '',
  mode: 'camera',
  stream: 'studio',
  always: false,
  sites: [],
};

/** From the page's world to the content script. A session is a number there. */
export type PageRequest =
  /** Asks for the choices that the page must know. */
  | { do: 'choose' }
  | { do: 'open'; sdp: string }
  /** Asks whether the server still has the session. */
  | { do: 'check'; session: number }
  | { do: 'end'; session: number };

/** From the content script to the page's world. */
export type PageReply =
  | { ok: true; mode: Choices['mode']; always: boolean }
  | { ok: true; sdp: string; link: string | null; session: number }
  | { ok: true }
  | { ok: false; message: string; retryAfterMs: number | null };

/** From the content script to the service worker. A session is its address there. */
export type WorkerRequest =
  | { do: 'choose' }
  | { do: 'open'; sdp: string }
  | { do: 'check'; session: string }
  | { do: 'end'; session: string };

/** From the service worker to the content script. */
export type WorkerAnswer =
  | Exclude<PageReply, { session: number }>
  | { ok: true; sdp: string; link: string | null; session: string };

/** The event of a request on the document. `detail` is JSON, which both worlds may read: `{ id, ask }`. */
export const ASKED = 'faceoff-ask';
/** The event of a reply on the document; `detail` is JSON: `{ id, answer }`. */
export const ANSWERED = 'faceoff-answer';

/** A reply that says no. @param message for people. @param retryAfterMs null leaves the wait to the back-off. */
export const refusalReply = (message: string, retryAfterMs: number | null = null): PageReply & { ok: false } => ({
  ok: false,
  message,
  retryAfterMs,
});

/** The match pattern of a page's site with all its ports; null where extensions are not allowed. */
export function patternOf(url: string | undefined): string | null {
  if (url === undefined || !URL.canParse(url)) return null;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || protocol === 'http:' ? `${protocol}//${hostname}/*` : null;
}
