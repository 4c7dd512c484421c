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

/** Whether the text can be an SDP at all: a version, an origin and at least one media section. */
export const looksLikeSdp = (sdp: string): boolean => /^v=0\r?\n/.test(sdp) && /^o=/m.test(sdp) && /^m=/m.test(sdp);

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

/**
 * Adds Chromium's bit rate hints to every video codec, so that the picture need not climb for half a minute. Codecs
 * that have an fmtp line get it longer, others (VP8) get one.
 */
export function withBitrates(sdp: string, { startKbps, minKbps, maxKbps }: Bitrates): string {
  const hints = `x-google-start-bitrate=${startKbps};x-google-min-bitrate=${minKbps};x-google-max-bitrate=${maxKbps}`;
  return sectionsOf(sdp)
    .map((section) => {
      if (!section.startsWith('m=video')) return section;
      const pictures = [...section.matchAll(/^a=rtpmap:(\d+) (VP8|VP9|AV1|H264)\/90000\r?$/gim)].map(
        (match) => match[1]!,
      );
      return pictures.reduce((text, payload) => {
        const fmtp = new RegExp(`^(a=fmtp:${payload} [^\\r\\n]*)`, 'm');
        if (fmtp.test(text)) return text.replace(fmtp, `$1;${hints}`);
        return text.replace(
          new RegExp(`^(a=rtpmap:${payload} [^\\r\\n]*)(\\r?\\n)`, 'm'),
          `$1$2a=fmtp:${payload} ${hints}$2`,
        );
      }, section);
    })
    .join('');
}
