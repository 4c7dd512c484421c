/** Offers that are wrong in one way or several, the same ones for the same seed. */

import type { Random } from './random.ts';

const NUMBERS = [
  '0',
  '1',
  '9',
  '63',
  '96',
  '97',
  '111',
  '127',
  '128',
  '255',
  '256',
  '65535',
  '65536',
  '4294967296',
  '-1',
  '007',
];
const SDP_WORDS = [
  'audio',
  'video',
  'application',
  'text',
  'image',
  'message',
  'foo',
  'UDP/TLS/RTP/SAVPF',
  'RTP/AVP',
  'UDP/DTLS/SCTP',
  'DTLS/SCTP',
  'webrtc-datachannel',
  'VP8/90000',
  'H264/90000',
  'rtx/90000',
  'red/90000',
  'opus/48000/8',
  'CN/8000',
  'actpass',
  'holdconn',
  'sendrecv',
  'inactive',
  'apt=96',
  'apt=127',
  'FID',
  'SIM',
  'send',
  'recv',
  '~q',
  'q;h;f',
  '*',
  'nack',
  'BUNDLE',
  '',
  '\0',
  '\u00e9',
  '\u2028',
  '%s%n',
  'A'.repeat(300),
  '99999999999999999999',
];
const LINES = [
  'm=foo 9 UDP/DTLS/SCTP webrtc-datachannel',
  'm=text 9 RTP/AVP 98',
  'm=image 0 udptl t38',
  'm=video 9 UDP/TLS/RTP/SAVPF 96 96',
  'm=audio 9 UDP/TLS/RTP/SAVPF 0',
  'm=audio 70000 UDP/TLS/RTP/SAVPF 0',
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'm=application 9 UDP/DTLS/SCTP 96',
  'm=application 9 RTP/SAVPF 101',
  'm=application 9 DTLS/SCTP 99999',
  'a=rtpmap:96 rtx/90000',
  'a=rtpmap:127 CN/1',
  'a=fmtp:96 apt=96',
  'a=fmtp:97 apt=97',
  'a=fmtp:97 apt=96;rtx-time=99999999999',
  'a=extmap:0 urn:ietf:params:rtp-hdrext:sdes:mid',
  'a=extmap:1 urn:ietf:params:rtp-hdrext:encrypt urn:x',
  'a=extmap:300 urn:3gpp:video-orientation',
  'a=ssrc:0 cname:x',
  'a=ssrc:4294967296 msid:',
  'a=ssrc-group:FID 1 1',
  'a=ssrc-group:SIM',
  'a=rid:q send pt=999',
  'a=simulcast:send q;h;f recv',
  'a=group:BUNDLE 0 0 0',
  'a=group:BUNDLE none',
  'a=mid:0',
  'a=mid:',
  'a=inactive',
  'a=bundle-only',
  'a=ice-lite',
  'a=setup:holdconn',
  'a=fingerprint:sha-256 AB',
  'a=sctp-port:70000',
  'a=max-message-size:99999999999999999999',
  'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
  'a=candidate:1 1 tcp 1 127.0.0.1 9 typ host tcptype x',
  'a=candidate:1 300 udp 99999999999 256.0.0.1 99999 typ none',
];

/** An offer with one to four things wrong. @param offers real ones, of which one is taken and another lends sections. */
export function mutatedOffer(offers: readonly string[], random: Random): string {
  const below = (n: number): number => random.below(n);
  const one = <T>(list: readonly T[]): T => random.one(list);
  const sectionsIn = (lines: readonly string[]): string[][] =>
    lines
      .join('\n')
      .split(/\n(?=m=)/)
      .map((s) => s.split('\n'));
  let lines = one(offers).split('\r\n').slice(0, -1);
  for (let left = 1 + below(4); left > 0; left--) {
    const at = below(lines.length);
    const [head, ...sections] = sectionsIn(lines) as [string[], ...string[][]];
    const changes: (() => void)[] = [
      () => lines.splice(at, 1),
      () => lines.splice(at, 0, one(lines)),
      () => lines.splice(at, 0, one(LINES)),
      () => lines.push(one(LINES)),
      () => {
        const words = lines[at]!.split(/([ :/;=,])/);
        words[below(words.length)] = one([...NUMBERS, ...SDP_WORDS]);
        lines[at] = words.join('');
      },
      () => {
        lines[at] = lines[at]!.replace(/\d+/g, (digits) => (random.next() < 0.5 ? one(NUMBERS) : digits));
      },
      () => {
        lines[at] = lines[at]!.slice(0, below(lines[at]!.length + 1));
      },
      // A section twice, with its own mid or another.
      () => {
        const again = one(sections)?.map((line) => line.replace(/^a=mid:.*/, `a=mid:${one(NUMBERS)}`)) ?? [];
        lines = [head, ...sections, again].flat();
      },
      () => {
        const [, ...others] = sectionsIn(one(offers).split('\r\n').slice(0, -1));
        lines = [head, ...sections, one(others) ?? []].flat();
      },
      () => {
        lines = [head, ...sections.filter(() => random.next() < 0.7)].flat();
      },
    ];
    one(changes)();
    if (lines.length < 2) break;
  }
  return `${lines.join('\r\n')}\r\n`;
}
