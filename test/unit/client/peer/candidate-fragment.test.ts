import { expect, test } from 'vitest';
import { candidateFragment } from '../../../../src/client/peer/candidate-fragment.ts';
import { readFragment } from '../../../../src/server/webrtc/ice-fragment.ts';

const host = 'candidate:1 1 udp 2122260223 192.168.1.2 50000 typ host';
const relay = 'candidate:2 1 udp 41885439 10.77.0.1 50001 typ relay raddr 0.0.0.0 rport 0';

test('the server reads from a fragment what was put into it', () => {
  const given = [host, relay].map((candidate) => ({ candidate, sdpMid: 'v', usernameFragment: 'abcd' }));
  expect(readFragment(candidateFragment(given))).toEqual({
    ufrag: 'abcd',
    pwd: null,
    candidates: [host, relay].map((candidate) => ({ candidate, sdpMid: 'v', sdpMLineIndex: null })),
  });
});

test('unknown parts of a candidate are left out', () => {
  expect(readFragment(candidateFragment([{ candidate: host, sdpMid: null, usernameFragment: null }]))).toMatchObject({
    ufrag: null,
    candidates: [{ candidate: host, sdpMid: '0' }],
  });
});
