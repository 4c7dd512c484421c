/**
 * Parses session descriptions of unknown clients and writes them anew before libwebrtc gets them. libwebrtc parses
 * in native code, where an unknown media type ends the process and long lists take quadratic time. Only understood
 * lines are written, and every list has a limit. Unknown attributes are left out, as RFC 8866 (5.13) demands; known
 * but malformed ones are refused. Pure functions on text, in time proportional to its length.
 */

import { FaceOffError } from '../../shared/errors.ts';

/** Longest offer, in bytes; browsers send 4 to 15 kB. */
export const OFFER_BYTES = 32 * 1024;
/** Most candidates of one section of an offer, or of a fragment. */
export const MOST_CANDIDATES = 64;
/** Most candidates accepted after an offer: libwebrtc compares each one with all earlier ones. */
export const MOST_TRICKLED = 256;
/** Most media sections; a browser that sends and receives needs two or three. */
export const MOST_SECTIONS = 16;
/** Most payload types of a section; a browser offers 20 to 45, one for each of its codecs and profiles. */
const MOST_PAYLOADS = 64;
const LINE_BYTES = 1024;

type Media = 'audio' | 'video' | 'application';
type Place = 'session' | Media;

interface Section {
  media: Media;
  rejected: boolean;
  protocol: string;
  /** Payload types, or a data channel section's format. */
  formats: string[];
  /** `b=` lines. */
  bandwidths: string[];
  /** Values by attribute name, in the order of the offer; a flag has the value ''. */
  attributes: Map<string, string[]>;
}

interface Rule {
  /** Where the attribute may stand. */
  at: readonly Place[];
  /** Most lines of the attribute in one place. */
  most: number;
  value: RegExp;
  /** A malformed attribute is left out rather than refused: the connection works without it. */
  optional?: true;
}

const RTP: readonly Media[] = ['audio', 'video'];
const ANY_MEDIA: readonly Media[] = [...RTP, 'application'];
const ANYWHERE: readonly Place[] = ['session', ...ANY_MEDIA];

/** The profiles that an offer may name (RFC 9429, 5.1.2). */
const RTP_PROTOCOL = /^(?:RTP\/S?AVPF?|(?:UDP|TCP)\/TLS\/RTP\/SAVPF?|TCP\/DTLS\/RTP\/SAVPF?)$/;
const PAYLOAD = '(?:\\d|[1-9]\\d|1[01]\\d|12[0-7])';
const BYTE = '(?:[1-9]|[1-9]\\d|1\\d\\d|2[0-4]\\d|25[0-5])';
const TOKEN = "[\\w!#$%&'*+.^`{|}~-]";
const SSRC = '[1-9]\\d{0,9}';
const HEX = '[\\dA-F]{2}';
const FINGERPRINT = [['sha-1', 20] as const, ['sha-224', 28], ['sha-256', 32], ['sha-384', 48], ['sha-512', 64]]
  .map(([hash, bytes]) => `${hash} (?:${HEX}:){${Number(bytes) - 1}}${HEX}`)
  .join('|');
/**
 * The feedback types of libwebrtc, which compares each with all others, and for every codec where the payload type
 * is `*`.
 */
const FEEDBACK = '(?:nack|nack pli|ccm fir|goog-remb|transport-cc|goog-lntf|rrtr)';
const RID = '[A-Za-z0-9]{1,16}';

/** An ICE candidate without `a=` (RFC 8839, 5.1), of the known transports and types. */
const CANDIDATE =
  /^candidate:[\w+/.:-]{1,64} [12] (?:udp|tcp|ssltcp) \d{1,10} [\w.:-]{1,253} \d{1,5} typ (?:host|srflx|prflx|relay)(?: raddr [\w.:-]{1,253} rport \d{1,5})?(?: (?!raddr|rport)[!-~]{1,32} [!-~]{1,256}){0,10}$/i;
/** Extensions with a value that libwebrtc parses and would fail to parse. */
const BAD_EXTENSION =
  / (?:tcptype (?!(?:active|passive|so)(?: |$))|(?:generation|network-id|network-cost) (?!\d{1,9}(?: |$)))/;

/** Whether a candidate is safe for libwebrtc. @param text `candidate:` and what follows it. */
export function isCandidate(text: string): boolean {
  if (text.length > LINE_BYTES || !CANDIDATE.test(text) || BAD_EXTENSION.test(text)) return false;
  const words = text.split(' ');
  const ports = [words[5], words.includes('rport') ? words[words.indexOf('rport') + 1] : 0];
  const isTcp = words[2]!.toLowerCase() === 'tcp';
  return (
    Number(words[3]) < 2 ** 32 && ports.every((port) => Number(port) <= 65535) && (isTcp || !words.includes('tcptype'))
  );
}

/** @param value source of the pattern that the whole value has to match. */
function rule(
  at: readonly Place[],
  most: number,
  value: string,
  { optional = false, ignoreCase = false }: { optional?: boolean; ignoreCase?: boolean } = {},
): Rule {
  const pattern = new RegExp(`^(?:${value})$`, ignoreCase ? 'i' : '');
  return { at, most, value: pattern, ...(optional && { optional }) };
}

const OPTIONAL = { optional: true };

const RULES = new Map<string, Rule>(
  Object.entries({
    mid: rule(ANY_MEDIA, 1, `${TOKEN}{1,16}`),
    'ice-ufrag': rule(ANYWHERE, 1, '[\\w+/=#-]{4,256}'),
    'ice-pwd': rule(ANYWHERE, 1, '[\\w+/=#-]{22,256}'),
    'ice-options': rule(ANYWHERE, 1, '[\\w,+/-]{1,64}(?: [\\w,+/-]{1,64}){0,7}', OPTIONAL),
    'ice-lite': rule(['session'], 1, ''),
    fingerprint: rule(ANYWHERE, 4, FINGERPRINT, { ignoreCase: true }),
    setup: rule(ANYWHERE, 1, 'actpass|active|passive'),
    candidate: rule(ANY_MEDIA, MOST_CANDIDATES, '[!-~][ -~]*', OPTIONAL),
    'end-of-candidates': rule(ANY_MEDIA, 1, ''),
    'extmap-allow-mixed': rule(ANYWHERE, 1, ''),
    extmap: rule(
      ['session', ...RTP],
      64,
      `${BYTE}(?:/(?:sendrecv|sendonly|recvonly|inactive))? (?!urn:ietf:params:rtp-hdrext:encrypt)[!-~]{1,255}`,
      OPTIONAL,
    ),
    sendrecv: rule(['session', ...ANY_MEDIA], 1, ''),
    sendonly: rule(['session', ...ANY_MEDIA], 1, ''),
    recvonly: rule(['session', ...ANY_MEDIA], 1, ''),
    inactive: rule(['session', ...ANY_MEDIA], 1, ''),
    msid: rule(RTP, 8, '[!-~]{1,128}(?: [!-~]{1,128})?', OPTIONAL),
    'bundle-only': rule(ANY_MEDIA, 1, ''),
    'rtcp-mux': rule(RTP, 1, ''),
    'rtcp-mux-only': rule(RTP, 1, ''),
    'rtcp-rsize': rule(RTP, 1, ''),
    rtpmap: rule(RTP, MOST_PAYLOADS, `${PAYLOAD} ${TOKEN}{1,32}/[1-9]\\d{3,5}(?:/[1-8])?`),
    fmtp: rule(RTP, MOST_PAYLOADS, `${PAYLOAD} [!-~][ -~]*`, OPTIONAL),
    'rtcp-fb': rule(RTP, 8 * MOST_PAYLOADS, `(?:\\*|${PAYLOAD}) ${FEEDBACK}`, OPTIONAL),
    ptime: rule(['audio'], 1, '[1-9]\\d{0,2}', OPTIONAL),
    maxptime: rule(['audio'], 1, '[1-9]\\d{0,2}', OPTIONAL),
    ssrc: rule(RTP, 64, `${SSRC} (?:cname|msid|mslabel|label):[!-~][ -~]{0,255}`, OPTIONAL),
    'ssrc-group': rule(RTP, 16, `(?:(?:FID|FEC-FR) ${SSRC} ${SSRC})|(?:SIM ${SSRC}(?: ${SSRC}){0,5})`, OPTIONAL),
    rid: rule(['video'], 8, `${RID} (?:send|recv)(?: [!-~]{1,255})?`),
    simulcast: rule(['video'], 1, ` ?(?:send|recv) [\\w,;~=-]{1,255}(?: (?:send|recv) [\\w,;~=-]{1,255})?`),
    'sctp-port': rule(['application'], 1, '[1-9]\\d{0,4}'),
    sctpmap: rule(['application'], 1, '[1-9]\\d{0,4} webrtc-datachannel(?: \\d{1,5})?', OPTIONAL),
    'max-message-size': rule(['application'], 1, '\\d{1,20}'),
  }),
);

const DIRECTIONS = ['sendrecv', 'sendonly', 'recvonly', 'inactive'];

/**
 * Writes an offer anew from the lines that are understood, with CR LF as line ends.
 * @throws FaceOffError `offer_too_large` (413), `bad_sdp` (400).
 */
export function rebuildOffer(offer: string): string {
  if (Buffer.byteLength(offer) > OFFER_BYTES) throw offerTooLarge();
  const lines = offer.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  if (lines[0] !== 'v=0') throw badSdp('it is not an SDP, which begins with v=0');
  const origin = originOf(lines.find((line) => line.startsWith('o=')));
  const session = new Map<string, string[]>();
  const groups: string[] = [];
  const sections: Section[] = [];
  for (const [index, line] of lines.entries()) {
    // Empty lines, at the end or between others, are ignored.
    if (line === '') continue;
    if (line[1] !== '=') throw badSdp(`line ${index + 1} is not a letter, an equals sign and a value`);
    const value = line.slice(2);
    const section = sections.at(-1);
    if (line[0] === 'm') {
      if (sections.length === MOST_SECTIONS) throw badSdp(`it has more than ${MOST_SECTIONS} media sections`);
      sections.push(sectionOf(value, index + 1));
    } else if (line[0] === 'b' && section !== undefined) {
      if (section.bandwidths.length < 2 && /^(AS|TIAS):[1-9]\d{0,8}$/.test(value)) section.bandwidths.push(value);
    } else if (line[0] === 'a' && section === undefined && value.startsWith('group:BUNDLE')) {
      groups.push(value.slice('group:BUNDLE'.length));
    } else if (line[0] === 'a') {
      readAttribute(value, section?.attributes ?? session, section?.media ?? 'session', index + 1);
    }
  }
  if (sections.length === 0) throw badSdp('it has no media section');
  if (sections.filter(({ media }) => media === 'application').length > 1)
    throw badSdp('it has more than one application section. All data channels belong into one');
  for (const [index, section] of sections.entries()) check(section, index + 1, session);
  const bundle = bundleOf(groups, sections);
  return [
    ...['v=0', origin, 's=-', 't=0 0'],
    ...(bundle === null ? [] : [bundle]),
    ...written(session),
    'a=msid-semantic: WMS',
    ...sections.flatMap(sectionLines),
    '',
  ].join('\r\n');
}

function originOf(line: string | undefined): string {
  const found = line?.match(/^o=[!-~]{1,64} (\d{1,19}) (\d{1,19}) IN IP[46] [!-~]{1,253}$/);
  if (!found) throw badSdp('its o= line is missing or malformed');
  return `o=- ${found[1]} ${found[2]} IN IP4 127.0.0.1`;
}

/** @param value what follows `m=`. */
function sectionOf(value: string, line: number): Section {
  const [media, port, protocol = '', ...formats] = value.trimEnd().split(' ');
  const at = `line ${line}`;
  if (media !== 'audio' && media !== 'video' && media !== 'application')
    throw badSdp(`${at} has a media type that is not audio, video or application. Leave that section out`);
  if (!/^\d{1,5}$/.test(port ?? '') || Number(port) > 65535) throw badSdp(`${at} has no port from 0 to 65535`);
  const isRtp = media !== 'application';
  if (isRtp ? !RTP_PROTOCOL.test(protocol) : !isDataChannel(protocol, formats))
    throw badSdp(
      `${at} has a protocol or format that ${media} cannot have here. Offer ${isRtp ? 'UDP/TLS/RTP/SAVPF' : 'UDP/DTLS/SCTP webrtc-datachannel'}`,
    );
  const isPayload = new RegExp(`^${PAYLOAD}$`);
  if (formats.length > MOST_PAYLOADS) throw badSdp(`${at} lists more than ${MOST_PAYLOADS} payload types`);
  if (
    isRtp &&
    (formats.length === 0 || new Set(formats).size < formats.length || !formats.every((f) => isPayload.test(f)))
  )
    throw badSdp(`${at} does not list payload types from 0 to 127, each once`);
  return { media, protocol, formats, rejected: port === '0', bandwidths: [], attributes: new Map() };
}

/** The form of RFC 8841, or that of the drafts before it, with a port. */
const isDataChannel = (protocol: string, formats: readonly string[]): boolean =>
  formats.length === 1 &&
  (/^(UDP|TCP)\/DTLS\/SCTP$/.test(protocol)
    ? formats[0] === 'webrtc-datachannel'
    : protocol === 'DTLS/SCTP' && /^[1-9]\d{0,4}$/.test(formats[0]!) && Number(formats[0]) <= 65535);

/**
 * Adds an attribute to `into` if it is known in this place.
 * @param text what follows `a=`.
 * @throws FaceOffError `bad_sdp`.
 */
function readAttribute(text: string, into: Map<string, string[]>, place: Place, line: number): void {
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  const known = RULES.get(name);
  if (known === undefined || !known.at.includes(place)) return;
  const value = colon < 0 ? '' : text.slice(colon + 1);
  if (value.length > LINE_BYTES || !known.value.test(value) || (name === 'candidate' && !isCandidate(text))) {
    if (known.optional) return;
    throw badSdp(`line ${line} has an a=${name} that is malformed`);
  }
  const values = into.get(name) ?? [];
  if (values.length === known.most)
    throw badSdp(`line ${line} is the ${known.most + 1}th a=${name} where ${known.most} may be`);
  values.push(value);
  into.set(name, values);
}

/** Checks the lines of a section against each other; lines that refer to something missing are left out. */
function check({ media, formats, attributes }: Section, number: number, session: Map<string, string[]>): void {
  const keep = (name: string, holds: (value: string, index: number, all: string[]) => boolean): void => {
    const values = attributes.get(name)?.filter(holds) ?? [];
    if (values.length > 0) attributes.set(name, values);
    else attributes.delete(name);
  };
  const given = DIRECTIONS.filter((direction) => attributes.has(direction));
  if (given.length > 1) throw badSdp(`media section ${number} has more than one direction`);
  // A section without a direction has that of the session.
  const inherited = DIRECTIONS.find((direction) => session.has(direction));
  if (given.length === 0 && inherited !== undefined && media !== 'application') attributes.set(inherited, ['']);
  if (media === 'application') {
    const size = attributes.get('max-message-size')?.[0];
    if (size !== undefined) attributes.set('max-message-size', [String(Math.min(Number(size), 2 ** 31 - 1))]);
    if (Number(attributes.get('sctp-port')?.[0] ?? 0) > 65535) throw badSdp('its a=sctp-port is above 65535');
    return;
  }
  const payloads = new Set(formats);
  const first = (value: string): string => value.split(' ', 1)[0]!;
  const names = (attributes.get('rtpmap') ?? []).map(first);
  if (new Set(names).size < names.length) throw badSdp(`media section ${number} names a payload type twice`);
  keep('rtpmap', (value) => payloads.has(first(value)));
  keep('fmtp', (value) => payloads.has(first(value)));
  const feedback = new Set<string>();
  keep('rtcp-fb', (value) => isNew(feedback, value) && (value.startsWith('*') || payloads.has(first(value))));
  const ids = new Set<string>();
  keep('extmap', (value) => isNew(ids, first(value).split('/')[0]!));
  keep('ssrc', (value) => Number(first(value)) < 2 ** 32);
  const sources = new Set((attributes.get('ssrc') ?? []).map(first));
  keep('ssrc-group', (value) => {
    const members = value.split(' ').slice(1);
    return new Set(members).size === members.length && members.every((ssrc) => sources.has(ssrc));
  });
  checkSimulcast(attributes, number);
}

/** Adds a value to a set; returns whether the set did not hold it before. */
const isNew = (set: Set<string>, value: string): boolean => set.size < set.add(value).size;

/** Every stream that `a=simulcast` names needs an `a=rid` line of its own (RFC 8853). */
function checkSimulcast(attributes: Map<string, string[]>, number: number): void {
  const rids = (attributes.get('rid') ?? []).map((value) => value.split(' ', 2).join(' '));
  const ids = rids.map((rid) => rid.split(' ')[0]!);
  if (new Set(ids).size < ids.length) throw badSdp(`media section ${number} has an a=rid twice`);
  const words = (attributes.get('simulcast')?.[0] ?? '').trim().split(' ');
  const named: string[] = [];
  for (let i = 0; i + 1 < words.length; i += 2)
    for (const id of words[i + 1]!.replace(/^rid=/, '').split(/[,;]/))
      named.push(`${id.replace(/^~/, '')} ${words[i]}`);
  if (
    new Set(named).size < named.length ||
    (words.length === 4 && words[0] === words[2]) ||
    !named.every((id) => rids.includes(id))
  )
    throw badSdp(`media section ${number} has an a=simulcast that does not match its a=rid lines`);
}

/**
 * The line of the BUNDLE group, or null without one. Either all sections have an `a=mid`, or none has. Names of sections
 * that do not exist are left out: FFmpeg 8.0 groups sound with video even where it offers video alone.
 */
function bundleOf(groups: readonly string[], sections: readonly Section[]): string | null {
  const mids = sections.map(({ attributes }) => attributes.get('mid')?.[0]);
  const named = mids.filter((mid) => mid !== undefined);
  if (named.length > 0 && named.length < mids.length) throw badSdp('some of its media sections have no a=mid');
  if (new Set(named).size < named.length) throw badSdp('two of its media sections have the same a=mid');
  if (groups.length > 1) throw badSdp('it has more than one BUNDLE group');
  if (groups.length === 0) return null;
  const members = groups[0]!
    .trim()
    .split(/ +/)
    .filter((mid) => mid !== '');
  if (new Set(members).size < members.length) throw badSdp('its BUNDLE group names a media section twice');
  const present = members.filter((mid) => named.includes(mid));
  return present.length === 0 && members.length > 0 ? null : ['a=group:BUNDLE', ...present].join(' ');
}

function sectionLines({ media, rejected, protocol, formats, bandwidths, attributes }: Section): string[] {
  return [
    // Port 9 and address 0.0.0.0 are placeholders: candidates alone name addresses.
    `m=${media} ${rejected ? 0 : 9} ${protocol} ${formats.join(' ')}`,
    'c=IN IP4 0.0.0.0',
    ...bandwidths.map((value) => `b=${value}`),
    ...written(attributes),
  ];
}

const written = (attributes: Map<string, string[]>): string[] =>
  [...attributes].flatMap(([name, values]) =>
    values.map((value) => (value === '' ? `a=${name}` : `a=${name}:${value}`)),
  );

/** The error for an offer above OFFER_BYTES: `offer_too_large` (413). */
export const offerTooLarge = (): FaceOffError =>
  new FaceOffError(
    'offer_too_large',
    `The offer has more than ${OFFER_BYTES / 1024} kB. Offer fewer media sections, codecs or candidates.`,
  );

/** The error for an unusable offer: `bad_sdp` (400). @param why completes the sentence after a colon. */
export const badSdp = (why: string, cause?: unknown): FaceOffError =>
  new FaceOffError('bad_sdp', `The session description cannot be used: ${why}.`, { cause });
