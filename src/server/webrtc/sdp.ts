/** What an SDP says, and bandwidth hints put into it. Pure functions on text (RFC 8866). */

export interface Bitrates {
  startKbps: number;
  minKbps: number;
  maxKbps: number;
}

export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

export interface VideoOffer {
  /** Direction of each video section, in order. */
  directions: Direction[];
  /** Codecs of the first video section, upper case. */
  codecs: string[];
}

/** Codecs that the WebRTC library here can decode and encode; H.264 is not among them. */
export const CODECS = ['VP8', 'VP9', 'AV1'];

/** The media sections, each with its lines; the first entry is the session part. */
const sectionsOf = (sdp: string): string[] => sdp.split(/^(?=m=)/m);

/** The first ICE user name of an SDP or a fragment of one. */
export const iceUfrag = (sdp: string): string | null => sdp.match(/^a=ice-ufrag:(\S+)/m)?.[1] ?? null;

export function readVideo(sdp: string): VideoOffer {
  const videos = sectionsOf(sdp).filter((section) => section.startsWith('m=video'));
  const directions = readDirections(sdp, 'video');
  const codecs = [...(videos[0] ?? '').matchAll(/^a=rtpmap:\d+ ([^/\r\n]+)\//gm)].map((match) =>
    match[1]!.toUpperCase(),
  );
  return { directions, codecs };
}

/** Direction of each section of a kind, in order. */
export function readDirections(sdp: string, kind: 'audio' | 'video'): Direction[] {
  return sectionsOf(sdp)
    .filter((section) => section.startsWith(`m=${kind}`))
    .map((section) => (section.match(/^a=(sendrecv|sendonly|recvonly|inactive)\r?$/m)?.[1] ?? 'sendrecv') as Direction);
}

/**
 * Says that sound and picture belong together: browsers keep only what is of one stream in step, and the library names
 * none (RFC 8830).
 */
export const inOneStream = (sdp: string): string => sdp.replace(/^(a=(?:ssrc:\d+ )?msid:)- /gm, '$1faceoff ');

/** Adds the candidates of this side, all there are, each to its media section. */
export function withCandidates(
  sdp: string,
  candidates: readonly { candidate: string; sdpMLineIndex: number | null }[],
): string {
  const [head = '', ...sections] = sectionsOf(sdp);
  const told = sections.map((section, index) => {
    const lines = candidates.filter(({ sdpMLineIndex }) => (sdpMLineIndex ?? 0) === index);
    if (lines.length === 0) return section;
    return `${section}${lines.map(({ candidate }) => `a=${candidate}\r\n`).join('')}a=end-of-candidates\r\n`;
  });
  return head + told.join('');
}

/**
 * Adds Chromium's bit rate hints to every video codec, so that the picture need not climb for half a minute. Codecs
 * that have an fmtp line get it longer, others (VP8) get one.
 */
export function withBitrates(sdp: string, { startKbps, minKbps, maxKbps }: Bitrates): string {
  const hints = `x-google-start-bitrate=${startKbps};x-google-min-bitrate=${minKbps};x-google-max-bitrate=${maxKbps}`;
  return sectionsOf(sdp)
    .map((section) => {
      if (!section.startsWith('m=video')) return section;
      const lines = section.split('\n');
      const withParameters = new Set(lines.map((line) => line.match(/^a=fmtp:(\d+) /)?.[1]));
      const pictures = new Set<string>();
      for (const line of lines) {
        const payload = line.match(/^a=rtpmap:(\d+) (?:VP8|VP9|AV1|H264)\/90000\r?$/i)?.[1];
        if (payload !== undefined) pictures.add(payload);
      }
      return lines
        .map((line) => {
          const [, name, payload] = line.match(/^a=(rtpmap|fmtp):(\d+) /) ?? [];
          if (payload === undefined || !pictures.has(payload)) return line;
          const [text, end] = line.endsWith('\r') ? [line.slice(0, -1), '\r'] : [line, ''];
          if (name === 'fmtp') return `${text};${hints}${end}`;
          return withParameters.has(payload) ? line : `${line}\na=fmtp:${payload} ${hints}${end}`;
        })
        .join('\n');
    })
    .join('');
}
