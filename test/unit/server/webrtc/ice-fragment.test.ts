import { describe, expect, test } from 'vitest';
import { iceFragmentOf, readFragment, withIce } from '../../../../src/server/webrtc/ice-fragment.ts';

const PWD = 'abcdefghijklmnopqrstuv';
const OFFER = [
  'v=0',
  'o=- 1 1 IN IP4 0.0.0.0',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0 1',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=ice-ufrag:abcd',
  `a=ice-pwd:${PWD}`,
  'a=ice-options:trickle',
  'a=mid:0',
  'a=candidate:1 1 udp 1 127.0.0.1 1 typ host',
  'a=end-of-candidates',
  'a=rtpmap:111 opus/48000/2',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=ice-ufrag:abcd',
  `a=ice-pwd:${PWD}`,
  'a=mid:1',
  '',
].join('\r\n');

test('a fragment gives credentials and candidates, each with its section', () => {
  const text = `a=ice-ufrag:abcd\na=ice-pwd:${PWD}\na=candidate:first\nm=video 9 x 0\r\na=mid:v\r\na=candidate:second\r\n`;
  expect(readFragment(text)).toEqual({
    ufrag: 'abcd',
    pwd: PWD,
    candidates: [
      { candidate: 'candidate:first', sdpMid: null, sdpMLineIndex: 0 },
      { candidate: 'candidate:second', sdpMid: 'v', sdpMLineIndex: null },
    ],
  });
});

describe('refused', () => {
  test.each([
    ['nothing', ''],
    ['text', 'hello'],
    ['a short user name', 'a=ice-ufrag:abc'],
    ['a strange user name', 'a=ice-ufrag:ab$1'],
    ['a short password', 'a=ice-ufrag:abcd\na=ice-pwd:short'],
  ])('%s', (_what, text) => {
    expect(() => readFragment(text)).toThrow(expect.objectContaining({ code: 'bad_fragment', status: 400 }));
  });
});

test('an offer for another ICE session differs in nothing else', () => {
  const again = withIce(OFFER, { ufrag: 'wxyz', pwd: PWD.toUpperCase() });
  expect(again.match(/wxyz\r\n/g)).toHaveLength(2);
  expect(again).not.toMatch(/candidate|abcd\r/);
  expect(again.replaceAll('wxyz', 'abcd').replaceAll(PWD.toUpperCase(), PWD)).toBe(
    OFFER.replace(/a=(candidate|end-of).*\r\n/g, ''),
  );
});

test('the fragment of an SDP is the ICE part of its first section', () => {
  expect(iceFragmentOf(OFFER).split('\r\n')).toEqual([
    'a=group:BUNDLE 0 1',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111',
    'a=ice-ufrag:abcd',
    `a=ice-pwd:${PWD}`,
    'a=ice-options:trickle',
    'a=mid:0',
    'a=candidate:1 1 udp 1 127.0.0.1 1 typ host',
    'a=end-of-candidates',
    '',
  ]);
});
