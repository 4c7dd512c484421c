/**
 * Authentication for a server that has a token. Programs send the token as `Authorization: Bearer`; a page that was
 * opened with it once, by `?token=` or the login page, has a cookie from then on. A server without a token is open
 * to all callers. An address that tried too many wrong tokens has to wait, even with the right one; a request with
 * the cookie does not wait, because the cookie cannot be guessed.
 */

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import cookies, { type CookieSerializeOptions } from '@fastify/cookie';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../../config.ts';
import { FaceOffError } from '../../shared/errors.ts';
import { locationOf } from './base-path.ts';
import type { LoginRateLimit } from './login-rate-limit.ts';
import { sendPage } from './pages.ts';

const COOKIE = 'faceoff';
const YEAR_S = 365 * 86_400;
/** Of a page in another site's frame: the browser keeps it for frames within that site alone (CHIPS). Browsers take it over HTTPS, and of this machine. */
const FRAMED = { sameSite: 'none', secure: true, partitioned: true } as const;
/** Open to all callers: the probes, the load balancer's way in, what the login page needs, and the scripts, styles and languages of all pages. */
const PUBLIC = /^\/(healthz|readyz|enter|enter\/call|api\/login|[\w-]+\.(js|css|svg|js\.map)|languages\/[a-z]+\.json)$/;

/** What the login page sends. */
interface Login {
  token?: unknown;
  framed?: unknown;
}

/** Checks each request's token or cookie. Needs `loginRoutes`, which registers the parsing of cookies. */
export class Authenticator {
  readonly #token: string | null;
  readonly #basePath: string;
  /** The cookie's value, an HMAC of the token: it is not accepted as the token. */
  readonly #cookieValue: string;
  readonly #cookieOptions: CookieSerializeOptions;
  readonly #rateLimit: LoginRateLimit;

  /**
   * @param server its token is null for an open server.
   * @param secure whether the cookie is for HTTPS alone.
   */
  constructor(
    { token, basePath }: Pick<Config['server'], 'token' | 'basePath'>,
    secure: boolean,
    rateLimit: LoginRateLimit,
  ) {
    this.#rateLimit = rateLimit;
    this.#token = token;
    this.#basePath = basePath;
    this.#cookieValue = createHmac('sha256', token ?? '')
      .update('faceoff cookie')
      .digest('hex');
    // Lax: a link in a mail or a chat opens the page. What changes something is checked by its Origin.
    this.#cookieOptions = { path: '/', maxAge: YEAR_S, httpOnly: true, sameSite: 'lax', secure };
  }

  /**
   * Exchanges the token for the cookie.
   * @param framed whether the login page is in a frame of another site.
   * @throws FaceOffError `wrong_token` (401), `too_many_attempts` (429).
   */
  logIn({ token, framed }: Login, address: string, reply: FastifyReply): void {
    if (!this.#isRight(token, address)) throw wrongToken();
    this.#setCookie(reply, framed === true);
  }

  /**
   * The hook for every request, before anything else of it is handled. A page that may not be shown is replaced by
   * the login page.
   * @throws FaceOffError `no_token`, `wrong_token` (401), `too_many_attempts` (429).
   */
  async check(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    if (this.#token === null || isPublic(request)) return;
    const { token } = request.query as { token?: unknown };
    const isPage = request.method === 'GET' && (request.headers.accept ?? '').includes('text/html');
    const waitMs = this.#rateLimit.waitMs(request.ip);
    // The redirect keeps the token out of the address bar, the history and screenshots.
    if (isPage && waitMs === 0 && this.#isRight(token, request.ip)) {
      const location = locationOf(request, withoutToken(request.url), this.#basePath);
      return this.#setCookie(reply, isFramed(request)).redirect(location, 303);
    }
    if (this.#hasCookie(request) || this.#isRight(bearerOf(request), request.ip)) return;
    if (isPage && token !== undefined && waitMs > 0)
      return sendPage(request, reply.code(429).header('retry-after', Math.ceil(waitMs / 1000)), 'login.html');
    if (isPage) return sendPage(request, reply.code(401), 'login.html');
    void reply.header('www-authenticate', 'Bearer realm="faceoff"');
    if (request.headers.authorization !== undefined) throw wrongToken();
    throw new FaceOffError('no_token', 'This server wants its token (server.token): Authorization: Bearer …');
  }

  /** Compares in constant time and counts wrong tokens. @throws FaceOffError `too_many_attempts` (429). */
  #isRight(given: unknown, address: string): boolean {
    if (this.#token === null || typeof given !== 'string') return false;
    this.#rateLimit.check(address);
    const isRight = isSame(given, this.#token);
    if (!isRight) this.#rateLimit.wrong(address, given);
    return isRight;
  }

  #hasCookie({ cookies }: FastifyRequest): boolean {
    const value = cookies[COOKIE];
    return value !== undefined && isSame(value, this.#cookieValue);
  }

  #setCookie(reply: FastifyReply, framed: boolean): FastifyReply {
    return reply.setCookie(COOKIE, this.#cookieValue, { ...this.#cookieOptions, ...(framed && FRAMED) });
  }
}

/** Whether the page is for a frame of another site, to which a browser sends no Lax cookie (Fetch Metadata, W3C). */
const isFramed = ({ headers }: FastifyRequest): boolean =>
  headers['sec-fetch-site'] === 'cross-site' && headers['sec-fetch-dest'] !== 'document';

const bearerOf = ({ headers }: FastifyRequest): string | undefined =>
  headers.authorization?.match(/^Bearer +(\S+) *$/i)?.[1];

/**
 * Registers the parsing of cookies, which has to precede the authenticator's hook, and `POST /api/login`, by which
 * the login page exchanges the token (as JSON) for the cookie.
 */
export async function loginRoutes(app: FastifyInstance, authenticator: Authenticator): Promise<void> {
  await app.register(cookies);
  app.post<{ Body: Login | null }>('/api/login', async (request, reply) => {
    authenticator.logIn(request.body ?? {}, request.ip, reply);
    return reply.code(204).send();
  });
}

const wrongToken = (): FaceOffError =>
  new FaceOffError('wrong_token', 'That is not the token of this server (server.token).');

/** Whether a request needs no token. */
export const isPublic = ({ url, method }: FastifyRequest): boolean =>
  method === 'OPTIONS' || PUBLIC.test(url.split('?')[0]!);

/** Compares in constant time: hashes make the lengths equal. */
function isSame(given: string, secret: string): boolean {
  const [a, b] = [given, secret].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(a!, b!);
}

function withoutToken(url: string): string {
  // What comes before the path, as in //?token=…, would be read as another host, or as none.
  const { pathname, searchParams } = new URL(`http://here/${url.replace(/^[/\\]+/, '')}`);
  searchParams.delete('token');
  // An address that begins with two slashes would be on another host.
  const path = pathname.replace(/^\/+/, '/');
  return searchParams.size > 0 ? `${path}?${searchParams}` : path;
}
