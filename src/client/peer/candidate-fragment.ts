/** ICE candidates as a WHEP client tells them to the server (RFC 9725, 4.3.1; RFC 8840). No DOM, so it is tested as it is. */

export interface Candidate {
  candidate: string;
  sdpMid: string | null;
  usernameFragment: string | null;
}

/** @param candidates of one ICE session and one section, to which all others are bundled. @returns the body of a PATCH. */
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
