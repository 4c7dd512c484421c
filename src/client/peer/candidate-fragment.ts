/** ICE candidates as a WHEP client sends them to the server (RFC 9725, 4.3.1; RFC 8840). Free of the DOM, for tests. */

/** The fields used here of an RTCIceCandidate. */
export interface Candidate {
  candidate: string;
  sdpMid: string | null;
  usernameFragment: string | null;
}

/**
 * The body of a PATCH with candidates.
 * @param candidates of one ICE session and of the media section that all others are bundled to.
 */
export function candidateFragment(candidates: readonly Candidate[]): string {
  const { sdpMid, usernameFragment } = candidates[0] ?? { sdpMid: null, usernameFragment: null };
  return [
    ...(usernameFragment === null ? [] : [`a=ice-ufrag:${usernameFragment}`]),
    'm=video 9 UDP/TLS/RTP/SAVPF 0',
    `a=mid:${sdpMid ?? '0'}`,
    ...candidates.map(({ candidate }) => `a=${candidate}`),
    '',
  ].join('\r\n');
}
