import { describe, expect, test } from 'vitest';
import {
  DIGITAL_SOURCE_TYPE,
  DISCLOSURE,
  LARGEST_JPEG_XMP,
  xmpWithSource,
} from '../../../../src/media/provenance/xmp.ts';

const IPTC = 'http://iptc.org/std/Iptc4xmpExt/2008-02-29/';
const packet = (inside: string, attributes = ''): string =>
  `<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="uuid:1" xmlns:i="${IPTC}" xmlns:dc="http://purl.org/dc/elements/1.1/"${attributes}>${inside}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>`;
const count = (text: string, part: string): number => text.split(part).length - 1;

describe('an XMP packet', () => {
  test('of its own says what was done', () => {
    expect(xmpWithSource()).toContain(`<Iptc4xmpExt:DigitalSourceType>${DIGITAL_SOURCE_TYPE}<`);
    expect(xmpWithSource()).toContain(DISCLOSURE);
  });

  test('keeps what a picture had, and describes the same subject', () => {
    const before = packet('<dc:creator>A photographer</dc:creator>');
    const after = xmpWithSource(before);
    expect(after).toContain('A photographer');
    expect(after).not.toContain(DISCLOSURE);
    expect(after).toMatch(
      /<rdf:Description rdf:about="uuid:1" xmlns:Iptc4xmpExt=[^>]*><Iptc4xmpExt:DigitalSourceType>/,
    );
    expect(after.indexOf(DIGITAL_SOURCE_TYPE)).toBeLessThan(after.indexOf('</rdf:RDF>'));
    expect(after.endsWith('<?xpacket end="w"?>')).toBe(true);
  });

  test.each([
    packet('<i:DigitalSourceType>http://x/digitalCapture</i:DigitalSourceType><dc:format>a</dc:format>'),
    packet('<i:DigitalSourceType rdf:resource="http://x/digitalCapture"/><dc:format>a</dc:format>'),
    packet('<dc:format>a</dc:format>', ' i:DigitalSourceType="http://x/digitalCapture"'),
  ])('loses an earlier value of the field: %#', (before) => {
    const after = xmpWithSource(before);
    expect(count(after, ':DigitalSourceType>')).toBe(2);
    expect(after).not.toContain('digitalCapture');
    expect(after).toContain('<dc:format>a</dc:format>');
    expect(xmpWithSource(after)).toBe(after);
  });

  test('keeps a field of that name in another schema', () => {
    const before = packet(
      '<o:DigitalSourceType xmlns:o="http://other/">theirs</o:DigitalSourceType>',
      ' o:DigitalSourceType="too"',
    );
    expect(xmpWithSource(before)).toContain(
      '<o:DigitalSourceType xmlns:o="http://other/">theirs</o:DigitalSourceType>',
    );
    expect(xmpWithSource(before)).toContain(' o:DigitalSourceType="too"');
  });

  test('uses the name that the packet has for RDF', () => {
    const after = xmpWithSource(packet('<dc:format>a</dc:format>').replaceAll('rdf:', 'r:').replace(':rdf=', ':r='));
    expect(after).toContain('<r:Description r:about="uuid:1" xmlns:Iptc4xmpExt');
  });

  test.each(['', 'no XML', packet('').replace('</rdf:RDF>', ''), '<a>&'])(
    'that cannot be read is replaced: %#',
    (before) => {
      expect(xmpWithSource(before)).toBe(xmpWithSource());
    },
  );

  test('that no JPEG could hold is replaced', () => {
    const before = packet(`<dc:format>${'a'.repeat(LARGEST_JPEG_XMP)}</dc:format>`);
    expect(xmpWithSource(before)).toContain('aaaa');
    expect(xmpWithSource(before, LARGEST_JPEG_XMP)).toBe(xmpWithSource());
  });
});
