/**
 * Simulcast (RFC 8853): a publisher offers several sizes of its picture. The server takes one, the largest, and says so
 * in its answer; a browser that gets no word of it sends its first size, which is often the smallest. Pure functions on
 * text.
 */

/** A size that is offered. */
interface Layer {
  rid: string;
  /** Pixels or bits of its restrictions (RFC 8851); 0 where it has none. */
  extent: number;
}

/** Names for sizes, each list from the largest to the smallest. */
const NAMES = [
  ['f', 'h', 'q'],
  ['h', 'm', 'l'],
  ['full', 'half', 'quarter'],
  ['hi', 'mid', 'lo'],
  ['high', 'medium', 'low'],
  ['high', 'mid', 'low'],
  ['large', 'medium', 'small'],
];

/**
 * The layer of an offer's video section that is taken: the largest, as far as restrictions and names tell.
 * @param section the media section, its lines ended by CR LF or LF.
 * @param isNative whether the offer is of a program, which lists its largest layer first; browsers list it last.
 * @returns the layer's rid; null where the section offers no simulcast.
 */
export function largestLayer(section: string, isNative: boolean): string | null {
  const list = section.match(/^a=simulcast: ?(?:.* )?send ([^\s]+)/m)?.[1];
  if (list === undefined) return null;
  // Of alternatives the first is preferred; a tilde marks a layer that begins paused.
  const rids = list.split(';').map((alternatives) => alternatives.split(',')[0]!.replace(/^(rid=)?~?/, ''));
  const layers = rids.map((rid) => ({ rid, extent: extentOf(section, rid) }));
  const largest = layers.reduce((a, b) => (b.extent > a.extent ? b : a));
  if (largest.extent > 0) return largest.rid;
  const named = NAMES.find((names) => layers.every(({ rid }) => names.includes(rid.toLowerCase())));
  const byName = named?.find((name) => rids.some((rid) => rid.toLowerCase() === name));
  if (byName !== undefined) return rids.find((rid) => rid.toLowerCase() === byName)!;
  return (isNative ? rids[0] : rids.at(-1)) ?? null;
}

/** Whether an offer is of a program: browsers have user names of their own in it (JSEP, RFC 9429, 5.2.1). */
export const isNativeOffer = (offer: string): boolean => !/^o=(-|mozilla\S*) /m.test(offer);

/** The extension that names the layer of a packet (RFC 8852); browsers refuse a layer in an answer without it. */
const NAMED = /^a=extmap:\d+ urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r?$/m;

/** Says in an answer which layer of each video section of the rebuilt offer is taken. */
export function withOneLayer(answer: string, offer: string, isNative: boolean): string {
  const offered = sectionsOf(offer);
  return sectionsOf(answer)
    .map((section, index) => {
      const rid =
        /^m=video [1-9]/.test(section) && NAMED.test(section) ? largestLayer(offered[index] ?? '', isNative) : null;
      return rid === null ? section : `${section}a=rid:${rid} recv\r\na=simulcast:recv ${rid}\r\n`;
    })
    .join('');
}

/** The session part and the media sections. */
const sectionsOf = (sdp: string): string[] => sdp.split(/^(?=m=)/m);

/** How large a layer may be: its pixels, else its bit rate. */
function extentOf(section: string, rid: string): Layer['extent'] {
  const restrictions = section.match(new RegExp(`^a=rid:${rid} send ([^\\r\\n]+)`, 'm'))?.[1] ?? '';
  const value = (name: string): number => Number(restrictions.match(new RegExp(`(?:^|;)${name}=(\\d+)`))?.[1] ?? 0);
  return value('max-width') * value('max-height') || 256 * value('max-fs') || value('max-br');
}
