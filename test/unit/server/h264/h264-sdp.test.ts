/** What of an offer an H.264 peer uses, and the two texts that it writes. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { mutatedOffer } from '../../../../fuzz/mutate/mutate-offer.ts';
import { Random } from '../../../../fuzz/mutate/random.ts';
import { root } from '../../../../src/lib/package-root.ts';
import { h264Answer, transportOffer, transportSection } from '../../../../src/server/h264/h264-sdp.ts';
import { isFragmentable, planMedia, profileOf } from '../../../../src/server/h264/media-plan.ts';
import { transportServers } from '../../../../src/server/h264/transport-servers.ts';
import { rebuildOffer } from '../../../../src/server/webrtc/rebuild-offer.ts';
import { FaceOffError } from '../../../../src/shared/errors.ts';

const folder = path.join(root, 'test/fixtures/offers');
const read = (name: string): string => readFileSync(path.join(folder, `${name}.sdp`), 'utf8');
/** Offers of real programs, with H.264 in place of their codecs. */
const inH264 = (sdp: string): string =>
  sdp
    .replace(/a=rtpmap:(\d+) (VP8|VP9|AV1)\//g, 'a=rtpmap:$1 H264/')
    .replace(/^a=rtpmap:\d+ (red|ulpfec).*\r?\n/gm, '');
const OBS = rebuildOffer(inH264(read('obs')));
const TRANSPORT = [
  'v=0',
  'a=fingerprint:sha-256 AA:BB',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=setup:active',
  'a=ice-ufrag:Atgw',
  'a=ice-pwd:0lN6AJytwPC4Hc7b11RRq0',
  'a=candidate:1 1 UDP 2114977791 192.0.2.2 47540 typ host',
  'a=end-of-candidates',
  '',
].join('\r\n');
const own = {
  transport: TRANSPORT,
  ssrcs: { video: 11, sound: 12 },
  bitrates: { startKbps: 4000, minKbps: 1000, maxKbps: 8000 },
};
const sectionsOf = (sdp: string): string[] => sdp.split(/^(?=m=)/m).slice(1);

describe('the plan for an offer', () => {
  test('of OBS takes video and sound in, and nothing out', () => {
    const plan = planMedia(OBS, true, false);
    expect(plan.receive).toEqual({
      video: { payloadType: 96, fmtp: '' },
      sound: { payloadType: 111, fmtp: expect.stringContaining('stereo=1') },
    });
    expect(plan.send).toEqual({ video: null, sound: null });
    expect(plan.sections.map(({ answer }) => answer?.direction)).toEqual(['recvonly', 'recvonly']);
    expect(plan.sections[1]!.answer!.feedback).toEqual(['nack', 'nack pli', 'goog-remb']);
  });

  test('of a viewer sends both, and refuses what the bundle does not hold', () => {
    const viewer = OBS.replaceAll('a=sendonly', 'a=recvonly');
    expect(planMedia(viewer, false, true).send).toMatchObject({
      video: { payloadType: 96 },
      sound: { payloadType: 111 },
    });
    const apart = planMedia(viewer.replace('a=group:BUNDLE 0 1', 'a=group:BUNDLE 1'), false, true);
    expect(apart.sections.map(({ answer }) => answer?.direction)).toEqual([undefined, 'sendonly']);
    expect(apart.send.sound).toBeNull();
  });

  test('prefers H.264 that may be fragmented, in the order of the offer', () => {
    const offer = OBS.replace('SAVPF 96', 'SAVPF 100 98 97 96').replace(
      'a=rtpmap:96 H264/90000',
      [
        'a=rtpmap:96 H264/90000',
        'a=fmtp:96 packetization-mode=1;profile-level-id=640c1f',
        'a=rtpmap:97 H264/90000',
        'a=fmtp:97 profile-level-id=42e01f;packetization-mode=1',
        'a=rtpmap:98 H264/90000',
        'a=fmtp:98 profile-level-id=42e01f;packetization-mode=0',
        'a=rtpmap:100 VP8/90000',
      ].join('\r\n'),
    );
    expect(planMedia(offer, true, false).receive.video).toMatchObject({ payloadType: 97 });
    expect(['640c1f', '4d001f', '42e01f', 'zz'].map((id) => profileOf(`a=1;profile-level-id=${id}`))).toEqual([
      'high',
      'main',
      'baseline',
      'baseline',
    ]);
    expect(
      ['packetization-mode=1', 'a=b; Packetization-Mode=1 ;c', 'packetization-mode=10', 'packetization-mode=0', ''].map(
        isFragmentable,
      ),
    ).toEqual([true, true, false, false, false]);
  });

  test('uses a section with port 0 where it is only bundled, and no refused one', () => {
    const refused = OBS.replace('m=video 9', 'm=video 0');
    expect(planMedia(refused, true, false).receive.video).toBeNull();
    const bundled = refused.replace('a=mid:1', 'a=mid:1\r\na=bundle-only');
    expect(planMedia(bundled, true, false).receive.video).not.toBeNull();
  });
});

describe('the answer', () => {
  test('names the codec, the feedback and the transport, and candidates once', () => {
    const answer = h264Answer(planMedia(OBS, true, false), own);
    expect(answer).toContain('a=group:BUNDLE 0 1\r\n');
    expect(answer.match(/^a=candidate:/gm)).toHaveLength(1);
    const [sound, video] = sectionsOf(answer);
    expect(sound).toMatch(/^m=audio 9 UDP\/TLS\/RTP\/SAVPF 111\r\n/);
    for (const line of [
      'a=recvonly',
      'a=rtcp-fb:96 nack pli',
      'a=ice-ufrag:Atgw',
      'a=setup:active',
      'a=rtpmap:96 H264/90000',
    ])
      expect(video).toContain(`${line}\r\n`);
    expect(video).toContain('x-google-start-bitrate=4000');
    expect(video).not.toContain('a=ssrc:');
  });

  test.each([
    ['sendonly', 'profile-level-id=42e01f;level-asymmetry-allowed=1', 'profile-level-id=42e033;'],
    ['sendrecv', 'level-asymmetry-allowed=1;profile-level-id=640C34', 'profile-level-id=640C34;'],
    ['sendonly', 'Profile-Level-Id=42e01f;LEVEL-ASYMMETRY-ALLOWED=1', 'Profile-Level-Id=42e033;'],
    ['sendonly', 'profile-level-id=42e01f', 'profile-level-id=42e01f;'],
    ['recvonly', 'profile-level-id=42e01f;level-asymmetry-allowed=1', 'profile-level-id=42e01f;'],
  ])('to an offer that is %s with %s has %s', (direction, fmtp, expected) => {
    const offer = OBS.replaceAll('a=sendonly', `a=${direction}`).replace(
      /(a=rtpmap:96 .*\r\n)/,
      `$1a=fmtp:96 ${fmtp}\r\n`,
    );
    const receives = direction !== 'recvonly';
    expect(h264Answer(planMedia(offer, receives, !receives), own)).toContain(expected);
  });

  test('takes one layer of several and says which', () => {
    const named = 'a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n';
    const layers = `${named}a=rid:hi send\r\na=rid:lo send\r\na=simulcast:send hi;~lo\r\na=sendonly`;
    const offer = OBS.replace(/a=sendonly(?![\s\S]*a=sendonly)/, layers);
    const answer = h264Answer(planMedia(rebuildOffer(offer), true, false), own);
    expect(answer).toContain(`${named}a=rid:hi recv\r\na=simulcast:recv hi\r\n`);
    expect(answer).not.toContain('lo');
    const nameless = h264Answer(planMedia(rebuildOffer(offer.replace(named, '')), true, false), own);
    expect(nameless).not.toContain('simulcast');
  });

  test('to an offer both ways names what goes out', () => {
    const plan = planMedia(OBS.replace(/a=sendonly(?![\s\S]*a=sendonly)/, 'a=sendrecv'), true, false);
    const [, video] = sectionsOf(h264Answer(plan, own));
    expect(video).toContain('a=sendrecv\r\n');
    expect(video).toContain('a=ssrc:11 cname:faceoff\r\n');
    expect(plan.send.video).toMatchObject({ payloadType: 96 });
  });

  test('refuses every section that is not in use', () => {
    const chromium = rebuildOffer(inH264(read('chromium')));
    const plan = planMedia(chromium, true, false);
    const sections = sectionsOf(h264Answer(plan, own));
    expect(sections).toHaveLength(sectionsOf(chromium).length);
    for (const [i, { answer }] of plan.sections.entries())
      expect(sections[i]!.split('\r\n')[0]).toMatch(answer === null ? /^m=\w+ 0 / : /^m=\w+ 9 /);
  });
});

describe('the transport', () => {
  test('sees one media section, with the credentials and candidates of the bundle', () => {
    const offer = OBS.replace('a=mid:0', 'a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host');
    const plan = planMedia(rebuildOffer(offer), true, false);
    const view = transportOffer(rebuildOffer(offer), plan);
    expect(transportSection(plan).mid).toBe('0');
    expect(sectionsOf(view)).toHaveLength(1);
    for (const line of ['a=group:BUNDLE 0', 'a=ice-ufrag:jBqf', 'a=setup:actpass', 'a=sendrecv', 'a=mid:0'])
      expect(view).toContain(`${line}\r\n`);
    expect(view).toContain('a=fingerprint:sha-256 57:A2');
    expect(view).toContain('192.0.2.1 9 typ host');
  });

  test('has the data channel of the offer', () => {
    const channel =
      'm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\na=sctp-port:5000\r\n';
    const offer = rebuildOffer(`${OBS.replace('BUNDLE 0 1', 'BUNDLE 0 1 2')}${channel}`);
    const plan = planMedia(offer, true, false);
    const view = transportOffer(offer, plan);
    expect(sectionsOf(view)[1]).toMatch(
      /^m=application 9 UDP\/DTLS\/SCTP webrtc-datachannel\r\n[\s\S]*a=sctp-port:5000/,
    );
    const answer = h264Answer(plan, { ...own, transport: `${TRANSPORT}a=sctp-port:5000\r\n` });
    expect(sectionsOf(answer)[2]).toContain('a=sctp-port:5000');
  });

  test('gets servers in its own form', () => {
    const urls = [
      'stun:stun.example:3479',
      'turn:turn.example?transport=tcp',
      'turns:[2001:db8::1]:443',
      'turn:a.example:1',
      'nonsense',
    ];
    expect(transportServers([{ urls, username: 'u', credential: 'c' }])).toEqual([
      'stun:stun.example:3479',
      { hostname: 'turn.example', port: 3478, relayType: 'TurnTcp', username: 'u', password: 'c' },
      { hostname: '2001:db8::1', port: 443, relayType: 'TurnTls', username: 'u', password: 'c' },
      { hostname: 'a.example', port: 1, relayType: 'TurnUdp', username: 'u', password: 'c' },
    ]);
  });
});

test('any offer is planned and answered, or refused before', () => {
  const offers = readdirSync(folder).map((name) => inH264(readFileSync(path.join(folder, name), 'utf8')));
  const random = new Random(17);
  let answered = 0;
  for (let i = 0; i < 3000; i++) {
    let offer: string;
    try {
      offer = rebuildOffer(mutatedOffer(offers, random));
    } catch (error) {
      expect(error).toBeInstanceOf(FaceOffError);
      continue;
    }
    const receives = random.chance(0.5);
    const plan = planMedia(offer, receives, !receives);
    if ((receives ? plan.receive : plan.send).video === null) continue;
    answered++;
    const view = transportOffer(offer, plan);
    expect(sectionsOf(view).length).toBeLessThanOrEqual(2);
    const answer = h264Answer(plan, own);
    // An answer has a section for each of the offer, and is itself a description that can be read.
    expect(sectionsOf(answer)).toHaveLength(sectionsOf(offer).length);
    for (const line of answer.split('\r\n').slice(0, -1)) expect(line).toMatch(/^[vosctmab]=./);
  }
  expect(answered).toBeGreaterThan(300);
});
