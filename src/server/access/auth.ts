/**
 * Who may use a server that has a token: programs that send it as `Authorization: Bearer`, and pages that were opened with
 * it once, `?token=` or by the login page, and have a cookie since. Without a token everybody may. An address that tried too
 * many wrong ones waits, right ones included; the cookie is nothing to be guessed, so who has it is not held up.
 */

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { FaceOffError } from '../../shared/errors.ts';
import type { LoginRateLimit } from './login-rate-limit.ts';

const COOKIE = 'faceoff';
const YEAR_S = 365 * 86_400;
/** What says nothing about anyone: whether the server lives, what the login page needs, and the look of all pages. */
const PUBLIC = /^\/(healthz|readyz|api\/login|[\w-]+\.(js|css|svg|js\.map))$/;

export class Authenticator {
  readonly #token: string | null;
  /** What the cookie holds: of no use where the token itself is asked for. */
  readonly #pass: string;
  readonly #secure: boolean;
  readonly #attempts: LoginRateLimit;

  /** @param secure whether the cookie is for HTTPS alone. */
  constructor(token: string | null, secure: boolean, attempts: LoginRateLimit) {
    this.#attempts = attempts;
    this.#token = token;
    this.#pass = createHmac('sha256', token ?? '')
      .update('faceoff cookie')
      .digest('hex');
    this.#secure = secure;
  }

  /** @throws FaceOffError `wrong_token` (401), `too_many_attempts` (429). */
  logIn(token: unknown, address: string): string {
    if (!this.#isRight(token, address)) throw wrongToken();
    return this.#cookie();
  }

  /**
   * For every request, before anything else of it is looked at. A page that may not be shown becomes the login page.
   * @throws FaceOffError `no_token`, `wrong_token` (401), `too_many_attempts` (429).
   */
  async check(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    if (this.#token === null || isPublic(request)) return;
    const { token } = request.query as { token?: unknown };
    const isPage = request.method === 'GET' && (request.headers.accept ?? '').includes('text/html');
    const waitMs = this.#attempts.waitMs(request.ip);
    // The address bar, the history and screenshots should not keep the token.
    if (isPage && waitMs === 0 && this.#isRight(token, request.ip))
      return reply.header('set-cookie', this.#cookie()).redirect(withoutToken(request.url), 303);
    if (this.#hasCookie(request) || this.#isRight(bearerOf(request), request.ip)) return;
    if (isPage && token !== undefined && waitMs > 0)
      return reply
        .code(429)
        .header('retry-after', Math.ceil(waitMs / 1000))
        .sendFile('login.html');
    if (isPage) return reply.code(401).sendFile('login.html');
    void reply.header('www-authenticate', 'Bearer realm="faceoff"');
    if (request.headers.authorization !== undefined) throw wrongToken();
    throw new FaceOffError('no_token', 'This server wants its token (server.token): Authorization: Bearer …', {
      status: 401,
    });
  }

  /** In a time that tells nothing about the token. @throws FaceOffError `too_many_attempts` (429). */
  #isRight(given: unknown, address: string): boolean {
    if (this.#token === null || typeof given !== 'string') return false;
    this.#attempts.check(address);
    const right = isSame(given, this.#token);
    if (!right) this.#attempts.wrong(address, given);
    return right;
  }

  #hasCookie({ headers }: FastifyRequest): boolean {
    const pass = headers.cookie?.match(new RegExp(`(?:^|; *)${COOKIE}=([^;]*)`))?.[1];
    return pass !== undefined && isSame(pass, this.#pass);
  }

  #cookie(): string {
    return `${COOKIE}=${this.#pass}; Path=/; Max-Age=${YEAR_S}; HttpOnly; SameSite=Strict${this.#secure ? '; Secure' : ''}`;
  }
}

const bearerOf = ({ headers }: FastifyRequest): string | undefined =>
  headers.authorization?.match(/^Bearer +(\S+) *$/i)?.[1];

/** `POST /api/login` with the token as JSON: what the login page does. */
export function loginRoute(app: FastifyInstance, gate: Authenticator): void {
  app.post<{ Body: { token?: unknown } | null }>('/api/login', async (request, reply) =>
    reply.code(204).header('set-cookie', gate.logIn(request.body?.token, request.ip)).send(),
  );
}

const wrongToken = (): FaceOffError =>
  new FaceOffError('wrong_token', 'That is not the token of this server (server.token).', { status: 401 });

const isPublic = ({ url, method }: FastifyRequest): boolean => method === 'OPTIONS' || PUBLIC.test(url.split('?')[0]!);

/** In a time that tells nothing about the secret. */
function isSame(given: string, secret: string): boolean {
  const [a, b] = [given, secret].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(a!, b!);
}

function withoutToken(url: string): string {
  const { pathname, searchParams } = new URL(url, 'http://here');
  searchParams.delete('token');
  // Two slashes at the beginning would be another machine's address.
  const path = pathname.replace(/^\/+/, '/');
  return searchParams.size > 0 ? `${path}?${searchParams}` : path;
}
