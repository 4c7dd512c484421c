/**
 * A WHEP client for programs: watches a stream of a running server without a page. With `peer.ts` the home of
 * @roamhq/wrtc, which must stay on the main thread.
 */

import wrtc, { type RTCPeerConnection } from '@roamhq/wrtc';
import { isErrorCode } from '../../shared/error-catalogue.ts';
import { FaceOffError } from '../../shared/errors.ts';
import { joinUrl } from '../../shared/join-url.ts';
import type { Frame } from '../../shared/types.ts';
import { upright } from './upright.ts';

/** Which stream to watch, and where its frames go. */
export interface FollowOptions {
  /** Address of the server: `http://127.0.0.1:8080`. */
  server: string;
  stream: string;
  /** The server's token; null for an open server. */
  token: string | null;
  onFrame(frame: Frame): void;
  /** Stops watching. */
  signal: AbortSignal;
}

const ANSWER_WITHIN_MS = 15_000;
const GATHERING_MS = 2000;
/** After this time without a frame the client asks the server whether the session still exists. */
const QUIET_MS = 3000;

/**
 * Watches a stream until `signal` aborts, and then resolves.
 * @throws FaceOffError `no_server`, `no_publisher`, `follow_refused`, `wrong_token`, `follow_lost`.
 */
export async function watchStream({ server, stream, token, onFrame, signal }: FollowOptions): Promise<void> {
  const connection = new wrtc.RTCPeerConnection({});
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  const { receiver } = connection.addTransceiver('video', { direction: 'recvonly' });
  const sink = new wrtc.nonstandard.RTCVideoSink(receiver.track);
  let lastAtMs = performance.now();
  sink.onframe = ({ frame: { width, height, rotation, data } }) => {
    lastAtMs = performance.now();
    onFrame(upright({ width, height, data, receivedAtMs: lastAtMs }, rotation));
  };
  let session: URL | null = null;
  try {
    const answer = await post(server, stream, headers, await offerOf(connection));
    session = new URL(answer.headers.get('location') ?? '', answer.url);
    await connection.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
    while (!signal.aborted) {
      await pause(500, signal);
      const { connectionState } = connection;
      const isQuiet = performance.now() - lastAtMs > QUIET_MS;
      if (connectionState === 'failed' || (isQuiet && !(await isOpen(session, headers)))) throw lost(server);
    }
  } finally {
    sink.onframe = null;
    sink.stop();
    connection.close();
    if (session !== null) await fetch(session, { ...request('DELETE'), headers }).catch(() => undefined);
  }
}

async function offerOf(connection: RTCPeerConnection): Promise<string> {
  await connection.setLocalDescription(await connection.createOffer());
  const begunMs = performance.now();
  while (connection.iceGatheringState !== 'complete' && performance.now() - begunMs < GATHERING_MS)
    await new Promise((resolve) => setTimeout(resolve, 20));
  return connection.localDescription?.sdp ?? '';
}

async function post(server: string, stream: string, headers: object, body: string): Promise<Response> {
  const answer = await fetch(joinUrl(server, `/whep/${encodeURIComponent(stream)}`), {
    ...request('POST'),
    body,
    headers: { ...headers, 'content-type': 'application/sdp' },
  }).catch((cause: unknown) => {
    const { code = '', message = '' } = ((cause as Error).cause ?? cause) as { code?: string; message?: string };
    throw new FaceOffError('no_server', `The server ${server} cannot be reached: ${whyNot(code, message)}`, { cause });
  });
  if (answer.status === 201) return answer;
  const { code, message } = (await answer.json().catch(() => ({}))) as { code?: string; message?: string };
  if (answer.status === 401)
    throw new FaceOffError('wrong_token', 'The server wants its token: set FACEOFF_SERVER_TOKEN to it.');
  const known = code !== undefined && isErrorCode(code) ? code : 'follow_refused';
  throw new FaceOffError(known, message ?? `The server answered ${answer.status}.`);
}

function whyNot(code: string, message: string): string {
  if (code === 'ECONNREFUSED') return 'nothing answers there. Start it with npm start.';
  if (/CERT|VERIFY|SIGNED/.test(code))
    return 'its certificate is not known here. Set NODE_EXTRA_CA_CERTS to it: https-certificate.pem in the data folder of the server (storage.dir), where that made it.';
  return `${message || code}.`;
}

/** Whether the session still exists, found by a PATCH without candidates. */
const isOpen = (session: URL, headers: object): Promise<boolean> =>
  fetch(session, {
    ...request('PATCH'),
    body: 'a=mid:0\r\n',
    headers: { ...headers, 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': '*' },
  }).then(
    ({ ok }) => ok,
    () => false,
  );

const request = (method: string): RequestInit => ({ method, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });

const lost = (server: string): FaceOffError => new FaceOffError('follow_lost', `The connection to ${server} is lost.`);

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}
