import { expect, test } from 'vitest';
import { reachableFirst } from '../../../../src/server/webrtc/candidate-order.ts';

const line = (address: string, protocol = 'UDP'): string =>
  `a=candidate:1 1 ${protocol} 2116026111 ${address} 9 typ host\r\n`;
const HEAD = 'v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\n';
const TAIL = 'a=end-of-candidates\r\na=mid:0\r\n';

test('candidates at the wanted addresses come first, and UDP before TCP', () => {
  const lines = [line('fd00::2'), line('192.0.2.2', 'tcp'), line('192.0.2.2'), line('203.0.113.7'), line('10.0.0.1')];
  const order = (addresses: string[]): string[] =>
    [...reachableFirst(HEAD + lines.join('') + TAIL, addresses).matchAll(/^a=candidate:\S+ 1 (\S+) \d+ (\S+)/gm)].map(
      ([, protocol, address]) => `${protocol} ${address}`,
    );
  expect(order(['203.0.113.7', '::ffff:192.0.2.2'])).toEqual([
    'UDP 203.0.113.7',
    'UDP 192.0.2.2',
    'UDP fd00::2',
    'UDP 10.0.0.1',
    'tcp 192.0.2.2',
  ]);
  expect(order([''])[0]).toBe('UDP fd00::2');
});

test('nothing else of an answer changes', () => {
  const answer = HEAD + line('fd00::2') + line('192.0.2.2') + TAIL + HEAD + line('fd00::2') + TAIL;
  expect(reachableFirst(answer, ['192.0.2.2'])).toBe(
    HEAD + line('192.0.2.2') + line('fd00::2') + TAIL + HEAD + line('fd00::2') + TAIL,
  );
  expect(reachableFirst(HEAD + TAIL, ['192.0.2.2'])).toBe(HEAD + TAIL);
});
