import type { RTCPeerConnection } from '@roamhq/wrtc';

const GATHERING_MS = 2000;

/** Makes an offer with the candidates that are found within two seconds: these clients do not trickle. */
export async function gatheredOffer(connection: RTCPeerConnection): Promise<string> {
  await connection.setLocalDescription(await connection.createOffer());
  const begunMs = performance.now();
  while (connection.iceGatheringState !== 'complete' && performance.now() - begunMs < GATHERING_MS)
    await new Promise((resolve) => setTimeout(resolve, 20));
  return connection.localDescription?.sdp ?? '';
}
