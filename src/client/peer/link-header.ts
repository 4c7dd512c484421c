/** ICE servers in the Link headers of an answer (RFC 9725, 4.6). Free of the DOM, for tests. */

/** One server, as RTCPeerConnection takes it. */
export interface LinkedIceServer {
  urls: string;
  username?: string;
  credential?: string;
}

const LINK = /<([^>]*)>((?:\s*;\s*[\w-]+="(?:[^"\\]|\\.)*")*)/g;

/** The servers of all links with `rel="ice-server"`. @param header all Link headers, joined by commas; null for none. */
export function iceServersInLinks(header: string | null): LinkedIceServer[] {
  const found: LinkedIceServer[] = [];
  for (const [, urls, parameters = ''] of (header ?? '').matchAll(LINK)) {
    if (urls === undefined || parameter(parameters, 'rel') !== 'ice-server') continue;
    const username = parameter(parameters, 'username');
    const credential = parameter(parameters, 'credential');
    found.push({ urls, ...(username !== null && { username }), ...(credential !== null && { credential }) });
  }
  return found;
}

function parameter(parameters: string, name: string): string | null {
  const quoted = parameters.match(new RegExp(`;\\s*${name}="((?:[^"\\\\]|\\\\.)*)"`))?.[1];
  return quoted?.replace(/\\(.)/g, '$1') ?? null;
}
