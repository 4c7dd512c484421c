/** ICE servers as an answer's Link headers tell them (RFC 9725, 4.6). No DOM, so it is tested as it is. */

export interface LinkedIceServer {
  urls: string;
  username?: string;
  credential?: string;
}

const LINK = /<([^>]*)>((?:\s*;\s*[\w-]+="(?:[^"\\]|\\.)*")*)/g;

/** @param header all Link headers, joined by commas. */
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
