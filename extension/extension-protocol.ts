/**
 * What a page's world asks of the extension: no more than to exchange an offer for an answer, and to end what came of it.
 * It goes from the page's own world by an event to the extension's script in that page, which alone talks to the service
 * worker; addresses and tokens never come into a page.
 */

/** The person's choices, kept by the browser. */
export interface Choices {
  /** Address of the server, as an origin. */
  server: string;
  token: string;
  /** Id of the face to begin with; empty is the server's own choice. */
  face: string;
  /** `camera`: the page's camera is swapped. `stream`: the page gets what a stream of the server shows. */
  mode: 'camera' | 'stream';
  stream: string;
  /** Pages that do not ask for a certain camera get this one. */
  always: boolean;
  /** Match patterns of the pages that are allowed. */
  sites: string[];
}

export const DEFAULTS: Choices = {
  server: 'http://127.0.0.1:8080',
  token: '',
  face: '',
  mode: 'camera',
  stream: 'studio',
  always: false,
  sites: [],
};

export type PageRequest =
  /** What the person chose that the page must know. */
  | { do: 'choose' }
  | { do: 'open'; sdp: string }
  /** Whether a session is still there. */
  | { do: 'check'; session: number }
  | { do: 'end'; session: number };

export type PageReply =
  | { ok: true; mode: Choices['mode']; always: boolean }
  | { ok: true; sdp: string; link: string | null; session: number }
  | { ok: true }
  | { ok: false; message: string; retryAfterMs: number | null };

/** The same between the extension's own parts: a session is its address there. */
export type WorkerRequest =
  | { do: 'choose' }
  | { do: 'open'; sdp: string }
  | { do: 'check'; session: string }
  | { do: 'end'; session: string };

export type WorkerAnswer =
  | Exclude<PageReply, { session: number }>
  | { ok: true; sdp: string; link: string | null; session: string };

/** Events on the document; `detail` is JSON, which both worlds may read: `{ id, ask }` and `{ id, answer }`. */
export const ASKED = 'faceoff-ask';
export const ANSWERED = 'faceoff-answer';

export const refusalReply = (message: string, retryAfterMs: number | null = null): PageReply & { ok: false } => ({
  ok: false,
  message,
  retryAfterMs,
});

/** The match pattern of a page's site, all ports; null where an extension may not be. */
export function patternOf(url: string | undefined): string | null {
  if (url === undefined || !URL.canParse(url)) return null;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || protocol === 'http:' ? `${protocol}//${hostname}/*` : null;
}
