/** The peer connection of a page that sends its camera: tracks, answer and candidates of one attempt. */

import { PUBLISHER_CODECS, preferCodecs } from './prefer-codec.ts';
import type { PeerAttempt } from './reconnecting-peer.ts';
import { keepResolution } from './sender-limits.ts';

/** One connection that sends the camera and gets the swapped picture back. */
export interface StudioAttempt extends PeerAttempt {
  /** Sends the camera. */
  readonly sender: RTCRtpSender;
  /** Sends the microphone; null where the connection was made without one. */
  readonly soundSender: RTCRtpSender | null;
  /** The server answered the offer, or refused it. */
  isAnswered: boolean;
  /** ICE found a path for the pictures. */
  isConnected: boolean;
  /** The server's candidates that came before its answer. */
  early: RTCIceCandidateInit[];
}

/** A connection with its transceivers. @param sound the microphone, sent beside the camera where there is one. */
export function createStudioAttempt(
  camera: MediaStreamTrack,
  sound: MediaStreamTrack | null,
  iceServers: RTCIceServer[],
): StudioAttempt {
  const peer = new RTCPeerConnection({ iceServers });
  // Tracks of one stream are kept in sync.
  const streams = [new MediaStream([camera])];
  const transceiver = peer.addTransceiver(camera, { direction: 'sendrecv', streams });
  const soundSender = sound === null ? null : peer.addTransceiver(sound, { direction: 'sendonly', streams }).sender;
  preferCodecs(transceiver, PUBLISHER_CODECS);
  keepResolution(transceiver.sender);
  return { peer, sender: transceiver.sender, soundSender, isAnswered: false, isConnected: false, early: [] };
}

/** Applies the server's answer, then the candidates that came before it. Rejects where the answer does not fit. */
export async function acceptAnswer(attempt: StudioAttempt, sdp: string): Promise<void> {
  await attempt.peer.setRemoteDescription({ type: 'answer', sdp });
  for (const candidate of attempt.early.splice(0)) addCandidate(attempt, candidate);
}

/** Adds a candidate of the server, or keeps it for when the answer is there. */
export function addCandidate({ peer, early }: StudioAttempt, candidate: RTCIceCandidateInit): void {
  if (peer.remoteDescription === null) early.push(candidate);
  // A candidate that does not fit is no loss: others do, or the deadline passes.
  else peer.addIceCandidate(candidate).catch(() => undefined);
}
