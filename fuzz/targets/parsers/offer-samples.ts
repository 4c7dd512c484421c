/** Real offers, and fragments made of them. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../../src/lib/package-root.ts';
import { iceFragmentOf } from '../../../src/server/webrtc/ice-fragment.ts';

const folder = path.join(root, 'test/fixtures/offers');

/** Offers of browsers and programs, as they sent them. */
export const realOffers: readonly string[] = readdirSync(folder)
  .filter((name) => name.endsWith('.sdp'))
  .map((name) => readFileSync(path.join(folder, name), 'utf8'));

/** Candidates of each kind. */
export const CANDIDATES: readonly string[] = [
  'candidate:1 1 udp 2122252543 192.0.2.2 60591 typ host',
  'candidate:6 1 tcp 2105524479 192.0.2.2 9 typ host tcptype active generation 0 network-id 1 network-cost 10',
  'candidate:1 1 udp 1 d8b1a6f2-3b1c-4a57-9f3e-1a2b3c4d5e6f.local 9 typ host generation 0 ufrag abcd',
  'candidate:1 1 udp 1 2001:db8::2 9 typ relay raddr 0.0.0.0 rport 0',
  'candidate:2 1 udp 1677729535 198.51.100.7 40000 typ srflx raddr 192.0.2.2 rport 60591',
];

/** Fragments as browsers send them in a PATCH. */
export const realFragments: readonly string[] = [
  ...realOffers.map((offer) => iceFragmentOf(offer)),
  `a=ice-ufrag:wxyz\r\na=ice-pwd:${'x'.repeat(22)}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n${CANDIDATES.map((one) => `a=${one}\r\n`).join('')}a=end-of-candidates\r\n`,
  'a=mid:0\r\n',
];

/** Words of SDP for texts that are no whole offers. */
export const SDP_TERMS: readonly string[] = [
  'a=candidate:1 1 udp 1 127.0.0.1 9 typ host',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:',
  'a=mid:1',
  'a=end-of-candidates',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'candidate:',
  'udp',
  'ssltcp',
  'typ',
  'raddr',
  'rport',
  'tcptype',
  'generation',
  '0.0.0.0',
  '::',
];
