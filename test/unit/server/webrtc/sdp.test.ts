import { describe, expect, test } from 'vitest';
import { iceUfrag, readVideo, withBitrates, withCandidates } from '../../../../src/server/webrtc/sdp.ts';

const head = ['v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', 't=0 0'];
const sdp = (...lines: string[]): string => [...head, ...lines, ''].join('\r\n');
const audio = ['m=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=rtpmap:111 opus/48000/2', 'a=fmtp:111 minptime=10', 'a=sendrecv'];
const vp8 = ['m=video 9 UDP/TLS/RTP/SAVPF 96 97', 'a=rtpmap:96 VP8/90000', 'a=rtpmap:97 rtx/90000', 'a=fmtp:97 apt=96'];
const rates = { startKbps: 4000, minKbps: 1000, maxKbps: 8000 };
const hints = 'x-google-start-bitrate=4000;x-google-min-bitrate=1000;x-google-max-bitrate=8000';

describe('reading an offer', () => {
  test.each([
    ['one section both ways', sdp(...vp8, 'a=sendrecv'), ['sendrecv'], ['VP8', 'RTX']],
    ['no direction, which means both ways', sdp(...vp8), ['sendrecv'], ['VP8', 'RTX']],
    [
      'one that sends and one that receives',
      sdp(...vp8, 'a=sendonly', ...vp8, 'a=recvonly'),
      ['sendonly', 'recvonly'],
      ['VP8', 'RTX'],
    ],
    ['the direction of its video, not of its sound', sdp(...audio, ...vp8, 'a=recvonly'), ['recvonly'], ['VP8', 'RTX']],
    ['sound alone', sdp(...audio), [], []],
    ['nothing', '', [], []],
    ['lines ended by a line feed alone', sdp(...vp8, 'a=sendonly').replaceAll('\r', ''), ['sendonly'], ['VP8', 'RTX']],
  ])('%s', (_what, text, directions, codecs) => {
    expect(readVideo(text)).toEqual({ directions, codecs });
  });

  test('the ICE user name', () => {
    expect(iceUfrag(sdp(...vp8, 'a=ice-ufrag:Ab+/', 'a=ice-pwd:secret'))).toBe('Ab+/');
    expect(iceUfrag('a=mid:0\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host ufrag other\r\n')).toBeNull();
  });
});

describe('bit rate hints', () => {
  test('a codec without parameters gets a line of them, after its name', () => {
    expect(withBitrates(sdp(...vp8), rates)).toContain(`a=rtpmap:96 VP8/90000\r\na=fmtp:96 ${hints}\r\na=rtpmap:97`);
  });

  test('a codec with parameters keeps them', () => {
    const vp9 = ['m=video 9 UDP/TLS/RTP/SAVPF 98', 'a=rtpmap:98 VP9/90000', 'a=fmtp:98 profile-id=0'];
    expect(withBitrates(sdp(...vp9), rates)).toContain(`a=fmtp:98 profile-id=0;${hints}\r\n`);
  });

  test('repair, sound and everything else stay as they were', () => {
    const before = sdp(...audio, ...vp8);
    const after = withBitrates(before, rates);
    expect(after).toContain('a=fmtp:97 apt=96\r\n');
    expect(after).toContain('a=fmtp:111 minptime=10\r\n');
    expect(after.replace(`a=fmtp:96 ${hints}\r\n`, '')).toBe(before);
  });

  test('a payload whose number begins like another is left alone', () => {
    const text = sdp('m=video 9 X 9 96', 'a=rtpmap:9 VP8/90000', 'a=rtpmap:96 rtx/90000', 'a=fmtp:96 apt=9');
    const after = withBitrates(text, rates);
    expect(after).toContain(`a=fmtp:9 ${hints}\r\n`);
    expect(after).toContain('a=fmtp:96 apt=9\r\n');
  });

  test('every video section gets them, and lines keep their ends', () => {
    const after = withBitrates(sdp(...vp8, ...vp8).replaceAll('\r', ''), rates);
    expect(after.split(hints)).toHaveLength(3);
    expect(after).not.toContain('\r');
  });
});

test('candidates go to the end of their sections', () => {
  const candidate = (n: number) => `candidate:${n} 1 udp 1 127.0.0.1 ${n} typ host`;
  const told = [0, 1, 1].map((sdpMLineIndex, n) => ({ candidate: candidate(n), sdpMLineIndex }));
  expect(withCandidates(sdp(...audio, ...vp8, ...vp8), told)).toBe(
    sdp(
      ...audio,
      `a=${candidate(0)}`,
      'a=end-of-candidates',
      ...vp8,
      `a=${candidate(1)}`,
      `a=${candidate(2)}`,
      'a=end-of-candidates',
      ...vp8,
    ),
  );
});
