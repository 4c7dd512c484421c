/** A WHEP client for programs: watches a stream of a running server without a page. Must stay on the main thread. */

import wrtc from '@roamhq/wrtc';
import type { Sound } from '../../../media/sound.ts';
import { FaceOffError } from '../../../shared/errors.ts';
import { joinUrl } from '../../../shared/join-url.ts';
import type { Frame } from '../../../shared/types.ts';
import { upright } from '../upright.ts';
import { gatheredOffer } from './gathered-offer.ts';
import { type Endpoint, endSession, isSessionOpen, postOffer } from './signalling-client.ts';

/** Which stream to watch, and where its frames and sound go. */
export interface FollowOptions {
  /** Address of the server: `http://127.0.0.1:8080`. */
  server: string;
  stream: string;
  /** The server's token; null for an open server. */
  token: string | null;
  onFrame(frame: Frame): void;
  onSound(sound: Sound): void;
  /** Stops watching. */
  signal: AbortSignal;
}

/** After this time without a frame the client asks the server whether the session still exists. */
const QUIET_MS = 3000;

/**
 * Watches a stream until `signal` aborts, and then resolves.
 * @throws FaceOffError `no_server`, `no_publisher`, `follow_refused`, `wrong_token`, `follow_lost`.
 */
export async function watchStream({ server, stream, token, onFrame, onSound, signal }: FollowOptions): Promise<void> {
  const endpoint: Endpoint = {
    address: joinUrl(server, `/whep/${encodeURIComponent(stream)}`).href,
    token,
    tokenVariable: 'FACEOFF_SERVER_TOKEN',
  };
  const connection = new wrtc.RTCPeerConnection({});
  const pictures = new wrtc.nonstandard.RTCVideoSink(
    connection.addTransceiver('video', { direction: 'recvonly' }).receiver.track,
  );
  const sounds = new wrtc.nonstandard.RTCAudioSink(
    connection.addTransceiver('audio', { direction: 'recvonly' }).receiver.track,
  );
  let lastAtMs = performance.now();
  pictures.onframe = ({ frame: { width, height, rotation, data } }) => {
    lastAtMs = performance.now();
    onFrame(upright({ width, height, data, receivedAtMs: lastAtMs }, rotation));
  };
  sounds.ondata = onSound;
  let session: URL | null = null;
  try {
    const { answer, address } = await postOffer(endpoint, await gatheredOffer(connection));
    session = address;
    await connection.setRemoteDescription({ type: 'answer', sdp: answer });
    while (!signal.aborted) {
      await pause(500, signal);
      const isQuiet = performance.now() - lastAtMs > QUIET_MS;
      const isGone = isQuiet && session !== null && !(await isSessionOpen(endpoint, session));
      if (connection.connectionState === 'failed' || isGone)
        throw new FaceOffError('follow_lost', `The connection to ${server} is lost.`);
    }
  } finally {
    pictures.onframe = null;
    sounds.ondata = null;
    pictures.stop();
    sounds.stop();
    connection.close();
    if (session !== null) await endSession(endpoint, session);
  }
}

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
