import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { mutatedOffer } from '../../../../fuzz/mutate/mutate-offer.ts';
import { Random } from '../../../../fuzz/mutate/random.ts';
import { root } from '../../../../src/lib/package-root.ts';
import {
  isCandidate,
  MOST_CANDIDATES,
  MOST_SECTIONS,
  OFFER_BYTES,
  rebuildOffer,
} from '../../../../src/server/webrtc/rebuild-offer.ts';
import type { ServerMessage } from '../../../../src/shared/messages.ts';
import { Publisher } from '../../../support/publisher.ts';
import { type Program, startProgram } from '../../../support/server.ts';

const folder = path.join(root, 'test/fixtures/offers');
const real = readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name), 'utf8')] as const);
const offerOf = (name: string): string => real.find(([file]) => file === `${name}.sdp`)![1];
const obs = offerOf('obs');
const firefox = offerOf('firefox');
const count = (text: string, pattern: RegExp): number => [...text.matchAll(pattern)].length;

describe('a real offer', () => {
  test.each(real)('of %s keeps the lines that a call needs', (_name, offer) => {
    const rebuilt = rebuildOffer(offer);
    const kept =
      /^a=(?:mid|rtpmap|fmtp|ice-ufrag|ice-pwd|fingerprint|setup|msid|rid|simulcast|ssrc|ssrc-group|sctp-port|candidate|extmap|group:BUNDLE)[: ].*$/gm;
    for (const [line] of offer.matchAll(kept)) expect(rebuilt).toContain(`${line.trimEnd()}\r\n`);
    const media = (text: string): string[] =>
      [...text.matchAll(/^m=(\w+) \d+ (.*\w)/gm)].map(([, kind, rest]) => `${kind} ${rest}`);
    expect(media(rebuilt)).toEqual(media(offer));
    const directions = /^a=(sendrecv|sendonly|recvonly|inactive)/gm;
    const sections = (text: string): string => text.slice(text.indexOf('m='));
    expect(count(sections(rebuilt), directions)).toBe(count(sections(offer), directions));
  });

  test.each(real)('of %s is the same when it is rebuilt twice', (_name, offer) => {
    expect(rebuildOffer(rebuildOffer(offer))).toBe(rebuildOffer(offer));
  });

  test('may end its lines with a line feed alone', () => {
    expect(rebuildOffer(firefox.replaceAll('\r', ''))).toBe(rebuildOffer(firefox));
  });
});

describe('rebuilding an offer leaves out', () => {
  test.each([
    ['an attribute nobody knows', 'a=x-secret:1'],
    ['a key for encryption that is no longer used', 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA'],
    ['a candidate of an unknown kind', 'a=candidate:1 1 sctp 1 192.0.2.2 9 typ host'],
    ['a header extension without a number there is', 'a=extmap:300 urn:x'],
    ['feedback nobody knows', 'a=rtcp-fb:96 x-message app send:dsh'],
    ['a parameter of a payload that is not offered', 'a=fmtp:99 apt=96'],
    ['a group of sources that are not there', 'a=ssrc-group:FID 1 2'],
    ['an attribute of data channels', 'a=sctp-port:5000'],
    ['a title', 'i=mine'],
  ])('%s', (_what, line) => {
    expect(rebuildOffer(`${obs}${line}\r\n`)).toBe(rebuildOffer(obs));
  });

  test('the address to send to, which candidates carry', () => {
    const rebuilt = rebuildOffer(firefox);
    expect(rebuilt).toContain('m=audio 9 ');
    expect(rebuilt).not.toContain('192.0.2.7');
  });

  test('a second line of the same number', () => {
    const line = 'a=extmap:1 urn:one\r\n';
    expect(rebuildOffer(`${obs}${line}${line}a=extmap:1/recvonly urn:two\r\n`)).toBe(rebuildOffer(`${obs}${line}`));
  });
});

test('the direction of the session is that of a section without one', () => {
  const silent = obs.replaceAll('a=sendonly\r\n', '').replace('t=0 0\r\n', 't=0 0\r\na=recvonly\r\n');
  expect(
    rebuildOffer(silent)
      .split('m=')
      .filter((section) => section.includes('a=recvonly')),
  ).toHaveLength(3);
});

test('a section that is grouped and does not exist is left out, as FFmpeg 8.0 groups sound that it does not have', () => {
  expect(rebuildOffer(obs.replace('BUNDLE 0 1', 'BUNDLE 0 1 2'))).toBe(rebuildOffer(obs));
  expect(rebuildOffer(obs.replace('BUNDLE 0 1', 'BUNDLE 7'))).not.toContain('a=group');
});

describe('an offer is refused with the reason:', () => {
  const section = 'm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n';
  const many = (n: number, line: (i: number) => string): string =>
    Array.from({ length: n }, (_, i) => `${line(i)}\r\n`).join('');
  const cases: [what: string, offer: string, why: RegExp][] = [
    ['nothing', '', /begins with v=0/],
    ['an offer of JSON', '{"type":"offer"}', /begins with v=0/],
    ['an offer without an origin', 'v=0\r\ns=-\r\n', /o= line/],
    ['one without media', obs.slice(0, obs.indexOf('m=')), /no media section/],
    ['an unknown media type', `${obs}m=foo 9 UDP/DTLS/SCTP webrtc-datachannel\r\n`, /not audio, video or application/],
    ['an unknown media type that is turned off', `${obs}m=text 0 RTP/AVP 98\r\n`, /not audio, video or application/],
    ['a data channel over RTP', `${obs}m=application 9 UDP/TLS/RTP/SAVPF 100\r\n`, /Offer UDP\/DTLS\/SCTP/],
    ['a data channel of another kind', `${obs}m=application 9 UDP/DTLS/SCTP t38\r\n`, /Offer UDP\/DTLS\/SCTP/],
    ['a picture over SCTP', `${obs}m=video 9 UDP/DTLS/SCTP webrtc-datachannel\r\n`, /Offer UDP\/TLS\/RTP\/SAVPF/],
    [
      'two data channel sections',
      firefox + firefox.slice(firefox.indexOf('m=application')),
      /more than one application/,
    ],
    ['a port above all', obs.replace('m=audio 9', 'm=audio 65536'), /port/],
    ['a number of ports', obs.replace('m=audio 9', 'm=audio 9/2'), /port/],
    ['a payload type above all', obs.replace('SAVPF 96', 'SAVPF 128'), /payload types from 0 to 127/],
    ['a payload type twice', obs.replace('SAVPF 96', 'SAVPF 96 96'), /each once/],
    ['two names of a payload type', `${obs}a=rtpmap:96 VP8/90000\r\n`, /payload type twice/],
    ['a codec of no clock', obs.replace('AV1/90000', 'AV1/0'), /a=rtpmap that is malformed/],
    ['the same mid twice', obs.replace('a=mid:1', 'a=mid:0'), /same a=mid/],
    ['a section without a mid', `${obs}${section}`, /no a=mid/],
    ['a mid too long', obs.replace('a=mid:1', `a=mid:${'1'.repeat(17)}`), /a=mid that is malformed/],
    ['a BUNDLE that names a section twice', obs.replace('BUNDLE 0 1', 'BUNDLE 0 0'), /BUNDLE/],
    ['two directions', `${obs}a=recvonly\r\n`, /more than one direction/],
    ['two user names', obs.replace('a=ice-ufrag:jBqf', 'a=ice-ufrag:jBqf\r\na=ice-ufrag:abcd'), /a=ice-ufrag/],
    ['a fingerprint too short', obs.replace(':6C\r\n', '\r\n'), /a=fingerprint/],
    ['a stream that is not there', offerOf('firefox-simulcast').replace('send hi;lo', 'send hi;no'), /a=simulcast/],
    ['a line of no kind', `${obs}hello\r\n`, /not a letter, an equals sign/],
    [
      'sections without end',
      obs.slice(0, obs.indexOf('m=')) + many(MOST_SECTIONS + 1, () => section.trimEnd()),
      /media sections/,
    ],
    [
      'candidates without end',
      obs + many(MOST_CANDIDATES + 1, (i) => `a=candidate:${i} 1 udp 1 192.0.2.2 9 typ host`),
      /65th a=candidate/,
    ],
    ['sources without end', obs + many(65, (i) => `a=ssrc:${i + 1} cname:x`), /65th a=ssrc/],
    [
      'codecs without end',
      obs.replace('SAVPF 96', `SAVPF ${Array.from({ length: 65 }, (_, i) => i + 60).join(' ')}`),
      /64 payload types/,
    ],
  ];
  test.each(cases)('%s', (_what, offer, why) => {
    expect(() => rebuildOffer(offer)).toThrow(
      expect.objectContaining({ code: 'bad_sdp', status: 400, message: expect.stringMatching(why) }),
    );
  });

  test('more bytes than the limit, but not as many as the limit', () => {
    const padded = (bytes: number): string => `${obs}a=x:${'\u00e9'.repeat((bytes - obs.length - 6) / 2)}\r\n`;
    const odd = obs.length % 2;
    expect(rebuildOffer(padded(OFFER_BYTES - odd))).toBe(rebuildOffer(obs));
    expect(() => rebuildOffer(padded(OFFER_BYTES + 2 - odd))).toThrow(
      expect.objectContaining({ code: 'offer_too_large', status: 413 }),
    );
  });
});

test('a mutated offer is refused with a reason, or rebuilt to an offer that rebuilding keeps', () => {
  const random = new Random(11);
  const offers = real.map(([, offer]) => offer);
  let rebuilt = 0;
  for (let n = 0; n < 3000; n++) {
    const offer = mutatedOffer(offers, random);
    let once: string;
    try {
      once = rebuildOffer(offer);
    } catch (error) {
      if (!/^(bad_sdp|offer_too_large)$/.test((error as { code: string }).code)) throw error;
      continue;
    }
    if (rebuildOffer(once) !== once) expect(rebuildOffer(once)).toBe(once);
    rebuilt++;
  }
  expect(rebuilt).toBeGreaterThan(300);
  expect(rebuilt).toBeLessThan(2700);
});

test.each([
  ['candidate:1 1 udp 2122252543 192.0.2.2 60591 typ host', true],
  ['candidate:6 1 TCP 2105524479 192.0.2.2 9 typ host tcptype active', true],
  ['candidate:1 1 udp 1 d8b1a6f2-3b1c-4a57-9f3e-1a2b3c4d5e6f.local 9 typ host generation 0 ufrag abcd', true],
  ['candidate:1 1 udp 1 fd00::2 9 typ relay raddr 0.0.0.0 rport 0', true],
  ['candidate:1 1 tcp 1 192.0.2.2 9 typ host tcptype later', false],
  ['candidate:1 3 udp 1 192.0.2.2 9 typ host', false],
  ['candidate:1 1 udp 4294967296 192.0.2.2 9 typ host', false],
  ['candidate:1 1 udp 1 192.0.2.2 65536 typ host', false],
  ['candidate:1 1 udp 1 192.0.2.2 9 typ srflx raddr 192.0.2.3 rport 65536', false],
  ['candidate:1 1 udp 1 192.0.2.2 9 typ host tcptype active', false],
  ['candidate:1 1 udp 1 192.0.2.2 9 typ srflx raddr 192.0.2.3 rport y', false],
  ['candidate:1 1 udp 1 192.0.2.2 9 typ host generation many', false],
  [`candidate:1 1 udp 1 192.0.2.2 9 typ host ${'x '.repeat(500)}y`, false],
  ['candidate:', false],
])('whether it is a candidate: %s', (text, is) => {
  expect(isCandidate(text)).toBe(is);
});

/** A process of its own, as what kills libwebrtc kills the process it is in. */
describe('a server survives', () => {
  const offers = real.map(([, offer]) => offer);
  let program: Program;
  let camera: Publisher;
  beforeAll(async () => {
    program = await startProgram(['--set', 'limits.sessions=100', '--set', 'limits.viewers=100']);
    camera = new Publisher();
    camera.send(160, 120);
    expect((await camera.whip(program.url, '?stream=seen')).status).toBe(201);
  });
  afterAll(async () => {
    camera.close();
    await program.stop();
  });
  const isAlive = (): boolean => program.child.exitCode === null && program.child.signalCode === null;

  /** Offers, and renegotiations of what was agreed, over one socket. @param answers counts what was said to them. */
  async function offerOver(count: number, seed: number, answers: Map<string, number>): Promise<void> {
    const random = new Random(seed);
    const socket = new WebSocket(`${program.url.replace('http', 'ws')}/ws`);
    let onMessage: (message: ServerMessage | null) => void = () => undefined;
    socket.on('message', (data) => onMessage(JSON.parse(String(data)) as ServerMessage));
    socket.on('close', () => onMessage(null));
    await new Promise((resolve) => socket.once('open', resolve));
    const said = (...types: ServerMessage['type'][]): Promise<ServerMessage | null> =>
      new Promise((resolve) => {
        onMessage = (message) => (message === null || types.includes(message.type)) && resolve(message);
      });
    let live = false;
    let last = '';
    for (let n = 0; n < count; n++) {
      // A renegotiation begins with what was agreed.
      const sdp = mutatedOffer(live ? [last] : offers, random);
      last = sdp;
      const answered = said('answer', 'error');
      socket.send(JSON.stringify({ type: 'offer', sdp }));
      const message = await answered;
      if (message === null) throw new Error(`the server ended at offer ${n} of seed ${seed}:\n${sdp}`);
      const what = message.type === 'error' ? message.error.code : message.type;
      answers.set(what, (answers.get(what) ?? 0) + 1);
      // The session stays for every third, whose next offer is a renegotiation.
      const renegotiates: boolean = !live && message.type === 'answer' && n % 3 === 0;
      if (!renegotiates && (live || message.type === 'answer')) {
        const closed = said('closed');
        socket.send(JSON.stringify({ type: 'close' }));
        await closed;
      }
      live = renegotiates;
    }
    socket.close();
  }

  test('three thousand mutated offers and renegotiations over ten sockets', { timeout: 180_000 }, async () => {
    const answers = new Map<string, number>();
    await Promise.all(Array.from({ length: 10 }, (_, n) => offerOver(300, 20_261_128 + n, answers)));
    expect(isAlive()).toBe(true);
    expect([...answers.keys()].sort()).toEqual(['answer', 'bad_sdp', 'no_codec', 'no_video', 'offer_too_large']);
    expect(answers.get('answer')).toBeGreaterThan(300);
    expect(answers.get('bad_sdp')).toBeGreaterThan(300);
  });

  test.each(['/whip', '/whep/seen'])('a hundred mutated offers posted to %s', { timeout: 60_000 }, async (endpoint) => {
    const random = new Random(7);
    const post = async (body: string): Promise<void> => {
      const init = { method: 'POST', headers: { 'content-type': 'application/sdp' }, body };
      const { status, headers } = await fetch(program.url + endpoint, init);
      expect([201, 400, 406, 413, 422]).toContain(status);
      if (status === 201) await fetch(program.url + headers.get('location')!, { method: 'DELETE' });
    };
    for (let n = 0; n < 10; n++)
      await Promise.all(Array.from({ length: 10 }, () => post(mutatedOffer(offers, random))));
    expect(isAlive()).toBe(true);
  });

  test('an ice restart and candidates that make no sense', async () => {
    const etag = { 'if-match': '*', 'content-type': 'application/trickle-ice-sdpfrag' };
    const patch = async (body: string): Promise<number> =>
      (await fetch(camera.location, { method: 'PATCH', headers: etag, body })).status;
    expect(await patch('a=mid:0\r\na=candidate:1 1 sctp 1 x 9 typ host\r\n')).toBe(400);
    const candidate = (n: number): string => `a=candidate:${n} 1 udp 1 127.0.0.1 ${9 + n} typ host\r\n`;
    expect(await patch(Array.from({ length: MOST_CANDIDATES + 1 }, (_, n) => candidate(n)).join(''))).toBe(400);
    expect(await patch(`a=ice-ufrag:wxyz\r\na=ice-pwd:${'x'.repeat(22)}\r\n${candidate(1)}`)).toBe(200);
    expect(await patch(`a=x:${'y'.repeat(OFFER_BYTES)}\r\n`)).toBe(413);
    expect(isAlive()).toBe(true);
  });
});
