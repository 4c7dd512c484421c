/** The server's API of a cluster, as far as pages use it. */

import type { SettingsRequest } from '../../shared/duties/disclosure-duty.ts';
import type { ErrorBody } from '../../shared/messages.ts';
import { serverUrl } from '../lib/server-url.ts';

/** A token, and the room that it opens. */
export interface Ticket {
  room: string;
  token: string;
}

/** What a publisher connects with. */
export interface PublisherPass {
  /** Address of LiveKit. */
  url: string;
  stream: string;
  publisher: string;
  camera: Ticket;
  sound: Ticket;
}

const ANSWER_WITHIN_MS = 10_000;

/** The server refused a request. */
export class RefusedRequest extends Error {
  readonly status: number;
  readonly body: ErrorBody;

  constructor(status: number, body: ErrorBody) {
    super(body.message);
    this.status = status;
    this.body = body;
  }
}

/** Posts to `/api/cluster/streams/…`. @throws RefusedRequest; TypeError or DOMException where the server does not answer. */
async function post<T>(path: string, body: object = {}): Promise<T> {
  const answer = await fetch(serverUrl(`/api/cluster/streams/${path}`), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  if (answer.ok) return (await answer.json()) as T;
  const said = (await answer.json().catch(() => null)) as ErrorBody | null;
  throw new RefusedRequest(
    answer.status,
    said ?? { code: 'internal', message: `The server answered ${answer.status}.` },
  );
}

/** Tokens of a new publisher of the stream. @param settings what its jobs begin with. */
export const askToPublish = (stream: string, settings: SettingsRequest): Promise<PublisherPass> =>
  post(`${stream}/publishers`, settings);

/** The token of a new viewer of the stream. */
export const askToWatch = (stream: string): Promise<Ticket & { url: string }> => post(`${stream}/viewers`);

/** Asks for another worker. @returns the place among those that wait; null where a worker has the job. */
export const askForWorker = async (stream: string, publisher: string): Promise<number | null> =>
  (await post<{ place: number | null }>(`${stream}/publishers/${publisher}/dispatch`)).place;
