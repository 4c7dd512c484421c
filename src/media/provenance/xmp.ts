/**
 * XMP packets that say that a face was swapped: the field DigitalSourceType of IPTC's Extension schema, which search
 * engines, social networks and picture programs read (IPTC Photo Metadata Standard; XMP, ISO 16684-1).
 */

/** IPTC's term for a picture of a camera in which a trained model changed something. */
export const DIGITAL_SOURCE_TYPE =
  'http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia';

/** Disclosure in the metadata of recordings, and of pictures that have no description of their own. */
export const DISCLOSURE = 'AI-modified: face swapped by FaceOff';

/** Most bytes of an XMP packet in a JPEG, where one segment holds it; libvips leaves a larger one out without a word. */
export const LARGEST_JPEG_XMP = 65_502;

const IPTC = 'http://iptc.org/std/Iptc4xmpExt/2008-02-29/';
const RDF = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#';
const FIELD = `<Iptc4xmpExt:DigitalSourceType>${DIGITAL_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>`;

/** A packet of its own: the field, and the disclosure as the description. */
const PACKET = `<?xpacket begin="\uFEFF" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="${RDF}">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="${IPTC}" xmlns:dc="http://purl.org/dc/elements/1.1/">
${FIELD}
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">${DISCLOSURE}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>`;

/**
 * An XMP packet with the field DigitalSourceType. What an existing packet holds is kept, but for an earlier value of that
 * field. One that is no RDF, or would become longer than `mostBytes`, is replaced.
 * @param existing the packet of the picture before the swap, where it had one.
 */
export function xmpWithSource(existing?: string, mostBytes = Number.POSITIVE_INFINITY): string {
  const prefix = existing?.match(new RegExp(`xmlns:([\\w.-]+)\\s*=\\s*["']${RDF}["']`))?.[1];
  if (existing === undefined || prefix === undefined) return PACKET;
  const packet = existing.includes(FIELD) ? existing : withField(existing, prefix);
  return packet === null || Buffer.byteLength(packet) > mostBytes ? PACKET : packet;
}

/** The packet with the field; null where it is no RDF. @param prefix the packet's name for RDF's namespace. */
function withField(existing: string, prefix: string): string | null {
  const kept = withoutField(existing);
  const end = kept.lastIndexOf(`</${prefix}:RDF`);
  if (end < 0) return null;
  // All descriptions of a packet have one subject.
  const about = kept.match(new RegExp(`\\s${prefix}:about\\s*=\\s*("[^"<]*"|'[^'<]*')`))?.[1] ?? '""';
  const added = `<${prefix}:Description ${prefix}:about=${about} xmlns:Iptc4xmpExt="${IPTC}">${FIELD}</${prefix}:Description>`;
  return kept.slice(0, end) + added + kept.slice(end);
}

/** The packet without the field, whether it was written as an element or as an attribute. */
function withoutField(xmp: string): string {
  const declared = new RegExp(`xmlns:([\\w.-]+)\\s*=\\s*["']${IPTC}["']`, 'g');
  const prefixes = new Set([...xmp.matchAll(declared)].map(([, prefix]) => prefix!));
  const unless = (text: string, prefix: string): string => (prefixes.has(prefix) ? '' : text);
  return xmp
    .replace(/<([\w.-]+):DigitalSourceType(?:\s[^<>]*)?(?:\/>|>[^<]*<\/\1:DigitalSourceType\s*>)/g, unless)
    .replace(/\s([\w.-]+):DigitalSourceType\s*=\s*(?:"[^"]*"|'[^']*')/g, unless);
}
