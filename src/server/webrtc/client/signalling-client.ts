/** The requests of a WHEP or WHIP client (RFC 9725): an offer is posted, the session is asked for and ended. */

import { isErrorCode } from '../../../shared/error-catalogue.ts';
import { FaceOffError } from '../../../shared/errors.ts';

/** A server that takes offers. */
export interface Endpoint {
  /** The whole address that offers are posted to. */
  address: string;
  /** Sent as a bearer token; null for an open server. */
  token: string | null;
  /** The environment variable that people set to the token. */
  tokenVariable: string;
}

/** A session that the server has opened. */
export interface OpenedSession {
  /** SDP. */
  answer: string;
  /** The session's own address; null where the server names none. */
  address: URL | null;
}

const ANSWER_WITHIN_MS = 15_000;

/** Posts an offer. @throws FaceOffError `no_server`, `wrong_token`, `follow_refused`, or the code that the server answers. */
export async function postOffer(endpoint: Endpoint, offer: string): Promise<OpenedSession> {
  const answer = await fetch(endpoint.address, {
    ...request(endpoint, 'POST'),
    body: offer,
    headers: { ...authorization(endpoint), 'content-type': 'application/sdp' },
  }).catch((cause: unknown) => {
    const { code = '', message = '' } = ((cause as Error).cause ?? cause) as { code?: string; message?: string };
    const { origin } = new URL(endpoint.address);
    throw new FaceOffError('no_server', `The server ${origin} cannot be reached: ${whyNot(code, message)}`, { cause });
  });
  if (answer.status !== 201) throw await refusal(endpoint, answer);
  const location = answer.headers.get('location');
  return { answer: await answer.text(), address: location === null ? null : new URL(location, answer.url) };
}

async function refusal({ token, tokenVariable }: Endpoint, answer: Response): Promise<FaceOffError> {
  const { code, message } = (await answer.json().catch(() => ({}))) as { code?: string; message?: string };
  if (answer.status === 401 || answer.status === 403)
    return new FaceOffError(
      'wrong_token',
      token === null
        ? `The server wants its token: set ${tokenVariable} to it.`
        : `The server does not take the token in ${tokenVariable}.`,
    );
  const known = code !== undefined && isErrorCode(code) ? code : 'follow_refused';
  return new FaceOffError(known, message ?? `The server answered ${answer.status}.`);
}

function whyNot(code: string, message: string): string {
  if (code === 'ECONNREFUSED') return 'nothing answers there. Start it with npm start.';
  if (/CERT|VERIFY|SIGNED/.test(code))
    return 'its certificate is not known here. Set NODE_EXTRA_CA_CERTS to it: https-certificate.pem in the data folder of the server (storage.dir), where that made it.';
  return `${message || code}.`;
}

/** Whether a session still exists, found by a PATCH without candidates, which a server of FaceOff answers. */
export const isSessionOpen = (endpoint: Endpoint, session: URL): Promise<boolean> =>
  fetch(session, {
    ...request(endpoint, 'PATCH'),
    body: 'a=mid:0\r\n',
    headers: { ...authorization(endpoint), 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': '*' },
  }).then(
    ({ ok }) => ok,
    () => false,
  );

/** Ends a session; one that is gone already is no error. */
export async function endSession(endpoint: Endpoint, session: URL): Promise<void> {
  await fetch(session, request(endpoint, 'DELETE')).catch(() => undefined);
}

const authorization = ({ token }: Endpoint): Record<string, string> =>
  token === null ? {} : { authorization: `Bearer ${token}` };

const request = (endpoint: Endpoint, method: string): RequestInit => ({
  method,
  headers: authorization(endpoint),
  signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
});
