import { expect, test } from 'vitest';
import { isNativeOffer, largestLayer, withOneLayer } from '../../../../src/server/webrtc/simulcast.ts';

const section = (rids: string[], list: string): string =>
  ['m=video 9 UDP/TLS/RTP/SAVPF 96', 'a=mid:0', ...rids.map((rid) => `a=rid:${rid}`), `a=simulcast:${list}`, ''].join(
    '\r\n',
  );

test.each([
  ['quarter, half, full', ['q send', 'h send', 'f send'], 'send q;h;f', false, 'f'],
  ['full first', ['f send', 'h send', 'q send'], 'send f;h;q', false, 'f'],
  ['two of the three', ['q send', 'h send'], 'send q;h', false, 'h'],
  ['high, mid, low', ['h send', 'm send', 'l send'], 'send h;m;l', false, 'h'],
  ['names in capitals', ['LO send', 'HI send'], 'send LO;HI', false, 'HI'],
  ['names that say nothing, of a browser', ['r0 send', 'r1 send', 'r2 send'], 'send r0;r1;r2', false, 'r2'],
  ['names that say nothing, of a program', ['0 send', '1 send', '2 send'], 'send 0;1;2', true, '0'],
  ['sizes', ['a send max-width=640;max-height=360', 'b send max-width=1280;max-height=720'], 'send b;a', false, 'b'],
  ['bit rates', ['a send pt=96;max-br=300', 'b send pt=96;max-br=90'], 'send a;b', false, 'a'],
  ['alternatives and a pause', ['a send', 'b send', 'c send'], 'send a,b;~c', false, 'c'],
  ['both directions', ['q send', 'f send', 'r recv'], 'recv r send q;f', false, 'f'],
])('the largest layer is taken of %s', (_name, rids, list, isNative, expected) => {
  expect(largestLayer(section(rids, list), isNative)).toBe(expected);
});

test('a section without simulcast, or that only receives it, has no layer', () => {
  expect(largestLayer('m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=sendonly\r\n', false)).toBeNull();
  expect(largestLayer(section(['a recv'], 'recv a'), false)).toBeNull();
});

const NAMES = 'a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n';

test('the answer names the layer in its video section, and in no other', () => {
  const answer = `v=0\r\nm=audio 9 x 111\r\na=mid:1\r\nm=video 9 x 96\r\n${NAMES}a=mid:0\r\nm=video 0 x 96\r\n${NAMES}a=mid:2\r\n`;
  const offer = `v=0\r\nm=audio 9 x 111\r\n${section(['q send', 'f send'], 'send q;f').repeat(2)}`;
  expect(withOneLayer(answer, offer, false)).toBe(
    answer.replace('a=mid:0\r\n', 'a=mid:0\r\na=rid:f recv\r\na=simulcast:recv f\r\n'),
  );
});

test('an answer whose packets name no layer says nothing of one', () => {
  const answer = 'v=0\r\nm=video 9 x 96\r\na=mid:0\r\n';
  expect(withOneLayer(answer, `v=0\r\n${section(['q send', 'f send'], 'send q;f')}`, false)).toBe(answer);
});

test('offers of browsers and of programs are told apart', () => {
  const origins = [
    '- 42 2 IN IP4 127.0.0.1',
    'mozilla...THIS_IS_SDPARTA-99.0 42 0 IN IP4 0.0.0.0',
    'rtc 42 0 IN IP4 127.0.0.1',
  ];
  expect(origins.map((origin) => isNativeOffer(`v=0\r\no=${origin}\r\n`))).toEqual([false, false, true]);
});
