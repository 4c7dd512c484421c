/**
 * What of an offer an H.264 peer uses. It takes rebuilt offers: each line is understood and each list short. Pure functions
 * on text.
 */

import type { Direction } from '../webrtc/sdp.ts';
import { largestLayer } from '../webrtc/simulcast.ts';
import type { H264Profile } from './codec/encoders.ts';

/** A payload type and its parameters. */
export interface PayloadFormat {
  payloadType: number;
  /** Value of its fmtp line; empty without one. */
  fmtp: string;
}

/** One media section of an offer, and what is answered to it. */
export interface SectionPlan {
  media: 'audio' | 'video' | 'application';
  /** Null where the offer names none. */
  mid: string | null;
  protocol: string;
  /** Payload types or format of the m= line. */
  formats: string[];
  /** Null for a section that is refused. */
  answer: SectionAnswer | null;
}

/** What is answered to a section in use. */
export interface SectionAnswer {
  /** As the answer says it: `recvonly` for a section whose media come in here. */
  direction: Exclude<Direction, 'inactive'>;
  /** Null for a data channel. */
  format: PayloadFormat | null;
  /** Feedback types that the offer has and FaceOff uses. */
  feedback: string[];
  /** The one layer that is taken of several (RFC 8853); null where the offer has one. */
  layer: string | null;
  /** Values of the extmap lines that belong to the layer; they are skipped when its packets are read. */
  extensions: string[];
}

/** All sections, and the formats in use. */
export interface MediaPlan {
  sections: SectionPlan[];
  receive: { video: PayloadFormat | null; sound: PayloadFormat | null };
  send: { video: PayloadFormat | null; sound: PayloadFormat | null };
}

/** Feedback that FaceOff sends or heeds. */
const FEEDBACK = ['nack', 'nack pli', 'ccm fir', 'goog-remb'];

interface OfferedSection extends SectionPlan {
  direction: Direction;
  lines: string[];
  isUsable: boolean;
}

/**
 * Chooses sections and formats: the first video section that brings H.264, the first that takes it, and sound in the same
 * way. Sections outside the bundle of the first section in use are refused.
 * @param receives whether video and sound of the other side are wanted here.
 * @param sendsSound whether sound goes out.
 * @param isNative whether the offer is of a program, not of a browser; see `largestLayer`.
 */
export function planMedia(offer: string, receives: boolean, sendsSound: boolean, isNative = false): MediaPlan {
  const sections = readSections(offer);
  const bundle = /^a=group:BUNDLE (.*)$/m.exec(offer)?.[1]?.trim().split(' ') ?? [];
  const find = (media: string, wanted: Direction): OfferedSection | undefined =>
    sections.find(
      (one) =>
        one.isUsable &&
        one.media === media &&
        (one.direction === 'sendrecv' || one.direction === wanted) &&
        formatOf(one) !== null,
    );
  const videoIn = receives ? find('video', 'sendonly') : undefined;
  const videoOut = find('video', 'recvonly');
  const soundIn = receives ? find('audio', 'sendonly') : undefined;
  const soundOut = sendsSound ? find('audio', 'recvonly') : undefined;
  const first = videoIn ?? videoOut;
  const isTogether = (one: OfferedSection | undefined): one is OfferedSection =>
    one !== undefined && (one === first || (one.mid !== null && bundle.includes(one.mid) && isIn(first, bundle)));
  const channel = sections.find(({ media, isUsable }) => media === 'application' && isUsable);
  for (const section of sections) {
    if (!isTogether(section)) continue;
    const comesIn = section === videoIn || section === soundIn;
    const goesOut = section === videoOut || section === soundOut;
    if (!comesIn && !goesOut && section !== channel) continue;
    const layer = comesIn ? layerOf(section.lines, isNative) : null;
    section.answer = {
      direction: comesIn === goesOut ? 'sendrecv' : comesIn ? 'recvonly' : 'sendonly',
      format: section === channel ? null : formatOf(section),
      feedback: feedbackOf(section),
      layer,
      extensions: layer === null ? [] : layerExtensions(section.lines),
    };
  }
  const used = (one: OfferedSection | undefined): PayloadFormat | null => one?.answer?.format ?? null;
  return {
    sections: sections.map(({ media, mid, protocol, formats, answer }) => ({ media, mid, protocol, formats, answer })),
    receive: { video: used(videoIn), sound: used(soundIn) },
    send: { video: used(videoOut), sound: used(soundOut) },
  };
}

const isIn = (section: OfferedSection | undefined, bundle: readonly string[]): boolean =>
  section?.mid != null && bundle.includes(section.mid);

function readSections(offer: string): OfferedSection[] {
  return offer
    .split(/^(?=m=)/m)
    .slice(1)
    .map((text) => {
      const lines = text.split(/\r?\n/);
      const [media, port, protocol, ...formats] = lines[0]!.slice(2).split(' ');
      const flag = (name: string): boolean => lines.includes(`a=${name}`);
      const direction = (['sendonly', 'recvonly', 'inactive'] as const).find(flag) ?? 'sendrecv';
      return {
        media: media as SectionPlan['media'],
        mid: valuesOf(lines, 'mid')[0] ?? null,
        protocol: protocol!,
        formats,
        answer: null,
        direction,
        lines,
        // Port 0 refuses a section, but not one that only exists inside a bundle (RFC 8843, 7.2).
        isUsable: port !== '0' || flag('bundle-only'),
      };
    });
}

const valuesOf = (lines: readonly string[], name: string): string[] =>
  lines.filter((line) => line.startsWith(`a=${name}:`)).map((line) => line.slice(name.length + 3));

/** The format to use of a section: Opus, or H.264 in packets of any size before H.264 in single units. */
function formatOf({ media, lines, formats }: OfferedSection): PayloadFormat | null {
  const wanted = media === 'audio' ? /^(\d+) opus\/48000\/2$/i : /^(\d+) h264\/90000$/i;
  const found = valuesOf(lines, 'rtpmap')
    .map((value) => Number(wanted.exec(value)?.[1] ?? Number.NaN))
    .filter((payloadType) => formats.includes(String(payloadType)))
    .map((payloadType) => ({ payloadType, fmtp: fmtpOf(lines, payloadType) }))
    // In the offer's order of preference, which the m= line gives.
    .sort((a, b) => formats.indexOf(String(a.payloadType)) - formats.indexOf(String(b.payloadType)));
  return found.find(({ fmtp }) => isFragmentable(fmtp)) ?? found[0] ?? null;
}

const fmtpOf = (lines: readonly string[], payloadType: number): string =>
  valuesOf(lines, 'fmtp')
    .find((value) => value.startsWith(`${payloadType} `))
    ?.slice(String(payloadType).length + 1) ?? '';

/** Whether H.264 of these parameters may be cut into fragments (RFC 6184, 8.1). Names have no case (RFC 6838, 4.3). */
export const isFragmentable = (fmtp: string): boolean => /(?:^|[; ])packetization-mode=1(?:[; ]|$)/i.test(fmtp);

/** The profile that the other side can decode; baseline where it names none (RFC 6184, 8.1). */
export function profileOf(fmtp: string): H264Profile {
  const first = /(?:^|[; ])profile-level-id=([\da-f]{2})/i.exec(fmtp)?.[1]?.toLowerCase();
  return first === '64' ? 'high' : first === '4d' ? 'main' : 'baseline';
}

function feedbackOf({ lines, formats, media }: OfferedSection): string[] {
  if (media !== 'video') return [];
  const offered = valuesOf(lines, 'rtcp-fb').map((value) => [value.split(' ', 1)[0]!, value.replace(/^\S+ /, '')]);
  return FEEDBACK.filter((type) =>
    offered.some(([at, name]) => name === type && (at === '*' || formats.includes(at!))),
  );
}

/** Extensions that carry names of streams (RFC 8852) and of sections. Browsers want both in an answer with a layer. */
const layerExtensions = (lines: readonly string[]): string[] =>
  valuesOf(lines, 'extmap').filter((value) =>
    /^\d+ urn:ietf:params:rtp-hdrext:sdes:(?:mid|rtp-stream-id)$/.test(value),
  );

/** The layer that is taken; null where layers cannot be told apart, as the extension that names them is not offered. */
function layerOf(lines: readonly string[], isNative: boolean): string | null {
  const isNamed = layerExtensions(lines).some((value) => value.endsWith('rtp-stream-id'));
  return isNamed ? largestLayer(lines.join('\n'), isNative) : null;
}
