/** Reads rebuilt offers and answers (SDP, RFC 8866), and adds candidates and bit rate hints. Pure functions on text. */

/** Bit rates of outgoing and incoming video, in kbit/s. */
export interface Bitrates {
  startKbps: number;
  minKbps: number;
  maxKbps: number;
}

/** Direction of a media section, as its author sees it. */
export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** The video part of an offer. */
export interface VideoOffer {
  /** Direction of each video section, in order. */
  directions: Direction[];
  /** Names of the first video section's codecs, in upper case. */
  codecs: string[];
}

/** Codecs that @roamhq/wrtc can decode and encode; H.264 is not among them. */
export const CODECS = ['VP8', 'VP9', 'AV1'];

/** The session part and the media sections, each with its lines. */
const sectionsOf = (sdp: string): string[] => sdp.split(/^(?=m=)/m);

/** The first ICE user name of an SDP or a fragment; null without one. */
export const iceUfrag = (sdp: string): string | null => sdp.match(/^a=ice-ufrag:(\S+)/m)?.[1] ?? null;

/** Reads the video sections of an offer. */
export function readVideo(sdp: string): VideoOffer {
  const videos = sectionsOf(sdp).filter((section) => section.startsWith('m=video'));
  const directions = readDirections(sdp, 'video');
  const codecs = [...(videos[0] ?? '').matchAll(/^a=rtpmap:\d+ ([^/\r\n]+)\//gm)].map((match) =>
    match[1]!.toUpperCase(),
  );
  return { directions, codecs };
}

/** Direction of each section of a kind, in order; `sendrecv` where a section names none. */
export function readDirections(sdp: string, kind: 'audio' | 'video'): Direction[] {
  return sectionsOf(sdp)
    .filter((section) => section.startsWith(`m=${kind}`))
    .map((section) => (section.match(/^a=(sendrecv|sendonly|recvonly|inactive)\r?$/m)?.[1] ?? 'sendrecv') as Direction);
}

/**
 * Puts sound and video into one media stream (RFC 8830). The library names no stream, and browsers synchronise only
 * tracks of the same stream.
 */
export const inOneStream = (sdp: string): string => sdp.replace(/^(a=(?:ssrc:\d+ )?msid:)- /gm, '$1faceoff ');

/** Adds all local candidates, each to its media section. */
export function withCandidates(
  sdp: string,
  candidates: readonly { candidate: string; sdpMLineIndex: number | null }[],
): string {
  const [head = '', ...sections] = sectionsOf(sdp);
  const extended = sections.map((section, index) => {
    const lines = candidates.filter(({ sdpMLineIndex }) => (sdpMLineIndex ?? 0) === index);
    if (lines.length === 0) return section;
    return `${section}${lines.map(({ candidate }) => `a=${candidate}\r\n`).join('')}a=end-of-candidates\r\n`;
  });
  return head + extended.join('');
}

/**
 * Adds Chromium's bit rate hints to every video codec; without them the bit rate takes half a minute to rise. An
 * existing fmtp line is extended; a codec without one (VP8) gets one.
 */
export function withBitrates(sdp: string, { startKbps, minKbps, maxKbps }: Bitrates): string {
  const hints = `x-google-start-bitrate=${startKbps};x-google-min-bitrate=${minKbps};x-google-max-bitrate=${maxKbps}`;
  return sectionsOf(sdp)
    .map((section) => {
      if (!section.startsWith('m=video')) return section;
      const lines = section.split('\n');
      const withParameters = new Set(lines.map((line) => line.match(/^a=fmtp:(\d+) /)?.[1]));
      const videoPayloads = new Set<string>();
      for (const line of lines) {
        const payload = line.match(/^a=rtpmap:(\d+) (?:VP8|VP9|AV1|H264)\/90000\r?$/i)?.[1];
        if (payload !== undefined) videoPayloads.add(payload);
      }
      return lines
        .map((line) => {
          const [, name, payload] = line.match(/^a=(rtpmap|fmtp):(\d+) /) ?? [];
          if (payload === undefined || !videoPayloads.has(payload)) return line;
          const [text, end] = line.endsWith('\r') ? [line.slice(0, -1), '\r'] : [line, ''];
          if (name === 'fmtp') return `${text};${hints}${end}`;
          return withParameters.has(payload) ? line : `${line}\na=fmtp:${payload} ${hints}${end}`;
        })
        .join('\n');
    })
    .join('');
}
