/**
 * A server behind a proxy may be one of several under the same host name, `https://host/face/`. Some proxies remove that
 * path from a request and some do not; some say in `X-Forwarded-Prefix` what they removed. Pages use addresses relative
 * to their own, and replies name addresses that the caller can use.
 */

import type { IncomingHttpHeaders } from 'node:http';

/** A request, as far as its address is concerned. */
interface Addressed {
  headers: IncomingHttpHeaders;
  /** Path and query, after `withoutBase`. */
  url: string;
}

const PREFIX = /^(?:\/[\w.~-]+)+$/;
const PROXY_HEADERS = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'forwarded', 'via'];

/**
 * The path under which a proxy serves this server, without a slash at its end: `server.basePath`, else what the proxy
 * says; empty where neither names one.
 */
function basePathOf(headers: IncomingHttpHeaders, basePath: string): string {
  const said = basePath === '/' ? headers['x-forwarded-prefix'] : basePath;
  const prefix = String(said ?? '')
    .split(',')[0]!
    .trim()
    .replace(/\/+$/, '');
  return PREFIX.test(prefix) ? prefix : '';
}

/** A request's path and query without the base path, which proxies of some habits leave in. */
export function withoutBase(url: string, headers: IncomingHttpHeaders, basePath: string): string {
  const base = basePathOf(headers, basePath);
  return base !== '' && url.startsWith(`${base}/`) ? url.slice(base.length) : url;
}

/**
 * The address of a path of this server, for the `Location` of a reply. It is relative to the request's (RFC 3986, 4.2),
 * which is right under every path, where a browser opens a page and where a proxy does not name its path. Elsewhere it
 * is a whole path, because some publishers cannot resolve a relative one.
 * @param path begins with a slash.
 */
export function locationOf({ headers, url }: Addressed, path: string, basePath: string): string {
  const base = basePathOf(headers, basePath);
  const isRelative =
    headers['sec-fetch-mode'] === 'navigate' || PROXY_HEADERS.some((name) => headers[name] !== undefined);
  return base === '' && isRelative ? toRoot(url) + path.slice(1) : base + path;
}

/** The relative address of the server's root, as seen from a page: `./` from `/a`, `../../` from `/a/b/c`. */
export function toRoot(url: string): string {
  const depth = url.split('?')[0]!.split('/').length - 2;
  return depth > 0 ? '../'.repeat(depth) : './';
}
