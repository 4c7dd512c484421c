/** SDP fragments (RFC 8840): the bodies of PATCH requests and of their replies. Pure functions on text. */

import { FaceOffError } from '../../shared/errors.ts';
import { MOST_CANDIDATES } from './rebuild-offer.ts';

/** An ICE candidate (W3C RTCIceCandidateInit); `candidate` is the attribute without `a=`. */
export interface IceCandidate {
  candidate: string;
  sdpMid: string | null;
  sdpMLineIndex: number | null;
}

/** User name and password of one side of an ICE session; new ones begin a new session. */
export interface IceCredentials {
  ufrag: string;
  pwd: string;
}

/** A parsed SDP fragment. */
export interface Fragment {
  /** Identifies the ICE session of the candidates; null if the fragment names none. */
  ufrag: string | null;
  pwd: string | null;
  candidates: IceCandidate[];
}

const attribute = (name: string, text: string): string | null =>
  text.match(new RegExp(`^a=${name}:(\\S+)`, 'm'))?.[1] ?? null;

/** Parses a fragment of an unknown client. @throws FaceOffError `bad_fragment` (400). */
export function readFragment(text: string): Fragment {
  if (!/^a=/m.test(text)) throw badFragment('it has no attributes');
  const fragment = {
    ufrag: attribute('ice-ufrag', text),
    pwd: attribute('ice-pwd', text),
    candidates: candidatesOf(text),
  };
  if (fragment.candidates.length > MOST_CANDIDATES) throw badFragment(`it has more than ${MOST_CANDIDATES} candidates`);
  // Lengths and characters of RFC 8839, 5.4; other values would only fail later, in the library.
  if (fragment.ufrag !== null && !/^[\w+/]{4,256}$/.test(fragment.ufrag))
    throw badFragment('its ice-ufrag is malformed');
  if (fragment.pwd !== null && !/^[\w+/]{22,256}$/.test(fragment.pwd)) throw badFragment('its ice-pwd is malformed');
  return fragment;
}

/** The same offer for another ICE session: replaces the credentials and removes the candidates. */
export function withIce(offer: string, { ufrag, pwd }: IceCredentials): string {
  return offer
    .replace(/^a=(candidate:|end-of-candidates).*\r?\n/gm, '')
    .replace(/^a=ice-ufrag:.*$/gm, `a=ice-ufrag:${ufrag}`)
    .replace(/^a=ice-pwd:.*$/gm, `a=ice-pwd:${pwd}`);
}

/** The ICE part of an SDP as a fragment. The first section is enough, because all others are bundled with it. */
export function iceFragmentOf(sdp: string): string {
  const [head = '', first = ''] = sdp.split(/^(?=m=)/m);
  const wanted = /^(m=|a=(mid|ice-options|ice-ufrag|ice-pwd|candidate):)/;
  const group = head.match(/^a=group:BUNDLE .*$/m)?.[0].trimEnd();
  const lines = first.split(/\r?\n/).filter((line) => wanted.test(line));
  return [...(group === undefined ? [] : [group]), ...lines, 'a=end-of-candidates', ''].join('\r\n');
}

/** Candidates, each with its media section. */
function candidatesOf(text: string): IceCandidate[] {
  let sdpMid: string | null = null;
  const found: IceCandidate[] = [];
  for (const line of text.split(/\r?\n/)) {
    sdpMid = line.match(/^a=mid:(.+)$/)?.[1] ?? sdpMid;
    if (line.startsWith('a=candidate:'))
      found.push({ candidate: line.slice(2), sdpMid, sdpMLineIndex: sdpMid === null ? 0 : null });
  }
  return found;
}

const badFragment = (why: string): FaceOffError =>
  new FaceOffError('bad_fragment', `The SDP fragment cannot be used: ${why}.`);
