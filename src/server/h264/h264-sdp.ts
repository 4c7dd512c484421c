/**
 * Two texts for an offer: the view of it that the transport gets, and the answer that the other side gets. The transport
 * sees one media section whatever the offer has, so that it hands over every packet of the bundle; the peer tells them
 * apart by payload type (RFC 8843, 9.2). Pure functions on text.
 */

import { type Bitrates, iceUfrag } from '../webrtc/sdp.ts';
import type { MediaPlan, SectionAnswer, SectionPlan } from './media-plan.ts';

/** Name of the sender in RTCP, and of the media stream that sound and video belong to. */
export const CNAME = 'faceoff';

/** What an answer says of the own side. */
export interface OwnSide {
  /** The transport's own answer: credentials, fingerprint and candidates are read from it. */
  transport: string;
  ssrcs: { video: number; sound: number };
  bitrates: Bitrates;
}

/** The section that the transport uses, and its mid in the transport's view. */
export function transportSection(plan: MediaPlan): { section: SectionPlan; mid: string } {
  const section = plan.sections.find(({ answer, media }) => answer !== null && media !== 'application');
  if (section === undefined) throw new Error('a plan without media has no transport');
  return { section, mid: section.mid ?? '0' };
}

/** The offer as the transport gets it: one video section that goes both ways, and the data channel. */
export function transportOffer(offer: string, plan: MediaPlan): string {
  const [head = '', ...texts] = offer.split(/^(?=m=)/m);
  const { section, mid } = transportSection(plan);
  const own = texts[plan.sections.indexOf(section)]!;
  const channel = plan.sections.findIndex(({ media, answer }) => media === 'application' && answer !== null);
  const channelMid = channel < 0 ? null : plan.sections[channel]!.mid;
  // Credentials stand in the section or above it; candidates in any section of the bundle.
  const ice = ['ice-ufrag', 'ice-pwd', 'fingerprint', 'setup', 'ice-options'].flatMap((name) => {
    const pattern = new RegExp(`^a=${name}:.*$`, 'm');
    const line = pattern.exec(own)?.[0] ?? pattern.exec(head)?.[0];
    return line === undefined ? [] : [line.trimEnd()];
  });
  const candidates = [...new Set([...offer.matchAll(/^a=candidate:.*$/gm)].map(([line]) => line.trimEnd()))];
  const video = [
    'm=video 9 UDP/TLS/RTP/SAVPF 96',
    'c=IN IP4 0.0.0.0',
    `a=mid:${mid}`,
    'a=sendrecv',
    'a=rtcp-mux',
    'a=rtpmap:96 H264/90000',
    ...ice,
    ...candidates,
  ];
  const data =
    channelMid === null
      ? []
      : [
          `m=application 9 ${plan.sections[channel]!.protocol} ${plan.sections[channel]!.formats.join(' ')}`,
          'c=IN IP4 0.0.0.0',
          `a=mid:${channelMid}`,
          ...(texts[channel]!.match(/^a=(?:sctp-port|sctpmap|max-message-size):.*$/gm) ?? []).map((line) =>
            line.trimEnd(),
          ),
          ...ice,
        ];
  const origin = /^o=.*$/m.exec(head)?.[0].trimEnd() ?? 'o=- 0 0 IN IP4 127.0.0.1';
  const group = `a=group:BUNDLE ${[mid, ...(channelMid === null ? [] : [channelMid])].join(' ')}`;
  return [...['v=0', origin, 's=-', 't=0 0', group], ...video, ...data, ''].join('\r\n');
}

/** The answer to the offer of the plan. */
export function h264Answer(plan: MediaPlan, own: OwnSide): string {
  const { section: carrier } = transportSection(plan);
  const pick = (name: string): string => new RegExp(`^a=${name}:.*$`, 'm').exec(own.transport)?.[0].trimEnd() ?? '';
  const transport = ['ice-ufrag', 'ice-pwd', 'fingerprint', 'setup'].map(pick);
  const candidates = [...own.transport.matchAll(/^a=candidate:.*$/gm)].map(([line]) => line.trimEnd());
  const mids = plan.sections.flatMap(({ answer, mid }) => (answer === null || mid === null ? [] : [mid]));
  const sections = plan.sections.map((section) => {
    const { media, mid, protocol, formats, answer } = section;
    const name = mid === null ? [] : [`a=mid:${mid}`];
    if (answer === null)
      return [
        `m=${media} 0 ${protocol} ${formats[0]}`,
        'c=IN IP4 0.0.0.0',
        ...name,
        ...(media === 'application' ? [] : ['a=inactive']),
      ];
    const used = answer.format === null ? formats.join(' ') : String(answer.format.payloadType);
    return [
      `m=${media} 9 ${protocol} ${used}`,
      'c=IN IP4 0.0.0.0',
      ...(section === carrier ? candidates : []),
      ...(section === carrier && candidates.length > 0 ? ['a=end-of-candidates'] : []),
      ...transport,
      'a=ice-options:trickle',
      ...name,
      ...(answer.format === null ? channelLines(own.transport) : mediaLines(media, answer, own)),
    ];
  });
  const group = mids.length === 0 ? [] : [`a=group:BUNDLE ${mids.join(' ')}`];
  const head = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', ...group, 'a=msid-semantic: WMS *'];
  return [...head, ...sections.flat(), ''].join('\r\n');
}

const channelLines = (transport: string): string[] =>
  (transport.match(/^a=(?:sctp-port|sctpmap|max-message-size):.*$/gm) ?? []).map((line) => line.trimEnd());

function mediaLines(media: 'audio' | 'video' | 'application', answer: SectionAnswer, own: OwnSide): string[] {
  const { payloadType, fmtp } = answer.format!;
  const isVideo = media === 'video';
  const ssrc = isVideo ? own.ssrcs.video : own.ssrcs.sound;
  const track = `${CNAME} ${CNAME}-${media}`;
  const sends = answer.direction !== 'recvonly';
  const receives = answer.direction !== 'sendonly';
  return [
    `a=${answer.direction}`,
    'a=rtcp-mux',
    'a=rtcp-rsize',
    `a=rtpmap:${payloadType} ${isVideo ? 'H264/90000' : 'opus/48000/2'}`,
    ...answer.feedback.map((type) => `a=rtcp-fb:${payloadType} ${type}`),
    `a=fmtp:${payloadType} ${isVideo ? videoParameters(fmtp, receives, own.bitrates) : 'minptime=10;useinbandfec=1;stereo=1'}`,
    ...answer.extensions.map((value) => `a=extmap:${value}`),
    ...(answer.layer === null ? [] : [`a=rid:${answer.layer} recv`, `a=simulcast:recv ${answer.layer}`]),
    ...(sends ? [`a=msid:${track}`, `a=ssrc:${ssrc} cname:${CNAME}`, `a=ssrc:${ssrc} msid:${track}`] : []),
  ];
}

/** Level 5.1, whose largest picture is the largest that is decoded here. */
const DECODED_LEVEL = 51;

/**
 * The parameters that both sides need alike (RFC 6184, 8.2.2), and Chromium's hints for the bit rate. Where levels may
 * differ, that of an answer is what its side decodes: phones keep to it, and offers name 3.1, which ends at 1280x720.
 */
function videoParameters(fmtp: string, receives: boolean, { startKbps, minKbps, maxKbps }: Bitrates): string {
  const offered = fmtp.split(';').map((one) => one.trim());
  const isFree = receives && offered.some((one) => /^level-asymmetry-allowed=1$/i.test(one));
  const kept = offered
    .filter((one) => /^(?:profile-level-id|packetization-mode|level-asymmetry-allowed)=/i.test(one))
    .map((one) =>
      one.replace(/^(profile-level-id=[\da-f]{4})([\da-f]{2})$/i, (same, profile: string, level: string) =>
        isFree && Number.parseInt(level, 16) < DECODED_LEVEL ? profile + DECODED_LEVEL.toString(16) : same,
      ),
    );
  const hints = [`start-bitrate=${startKbps}`, `min-bitrate=${minKbps}`, `max-bitrate=${maxKbps}`];
  return [...kept, ...hints.map((hint) => `x-google-${hint}`)].join(';');
}

/** The ICE user name of the own side; empty before the transport has one. */
export const ownUfrag = (transport: string): string => iceUfrag(transport) ?? '';
