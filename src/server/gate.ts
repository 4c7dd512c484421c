/**
 * Who may use a server that has a token: programs that send it as `Authorization: Bearer`, and pages that were opened with
 * it once, `?token=` or by the login page, and have a cookie since. Without a token everybody may.
 */

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { FaceOffError } from '../errors.ts';

const COOKIE = 'faceoff';
const YEAR_S = 365 * 86_400;
/** What says nothing about anyone: whether the server lives, what the login page needs, and the look of all pages. */
const PUBLIC = /^\/(healthz|readyz|api\/login|[\w-]+\.(js|css|svg|js\.map))$/;

export class Gate {
  readonly #token: string | null;
  /** What the cookie holds: of no use where the token itself is asked for. */
  readonly #pass: string;
  readonly #secure: boolean;

  /** @param secure whether the cookie is for HTTPS alone. */
  constructor(token: string | null, secure: boolean) {
    this.#token = token;
    this.#pass = createHmac('sha256', token ?? '')
      .update('faceoff cookie')
      .digest('hex');
    this.#secure = secure;
  }

  /** @throws FaceOffError `wrong_token` (401). */
  logIn(token: unknown): string {
    if (this.#token === null || !isSame(token, this.#token)) throw wrongToken();
    return `${COOKIE}=${this.#pass}; Path=/; Max-Age=${YEAR_S}; HttpOnly; SameSite=Strict${this.#secure ? '; Secure' : ''}`;
  }

  /**
   * For every request, before anything else of it is looked at. A page that may not be shown becomes the login page.
   * @throws FaceOffError `no_token`, `wrong_token` (401).
   */
  async check(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    if (this.#token === null || isPublic(request)) return;
    const { token } = request.query as { token?: unknown };
    const isPage = request.method === 'GET' && (request.headers.accept ?? '').includes('text/html');
    // The address bar, the history and screenshots should not keep the token.
    if (isPage && isSame(token, this.#token))
      return reply.header('set-cookie', this.logIn(token)).redirect(withoutToken(request.url), 303);
    if (this.#lets(request)) return;
    if (isPage) return reply.code(401).sendFile('login.html');
    void reply.header('www-authenticate', 'Bearer realm="faceoff"');
    if (request.headers.authorization !== undefined) throw wrongToken();
    throw new FaceOffError('no_token', 'This server wants its token (server.token): Authorization: Bearer …', {
      status: 401,
    });
  }

  #lets({ headers }: FastifyRequest): boolean {
    const bearer = headers.authorization?.match(/^Bearer +(\S+) *$/i)?.[1];
    const pass = headers.cookie?.match(new RegExp(`(?:^|; *)${COOKIE}=([^;]*)`))?.[1];
    return isSame(bearer, this.#token!) || isSame(pass, this.#pass);
  }
}

/** `POST /api/login` with the token as JSON: what the login page does. */
export function loginRoute(app: FastifyInstance, gate: Gate): void {
  app.post<{ Body: { token?: unknown } | null }>('/api/login', async (request, reply) =>
    reply.code(204).header('set-cookie', gate.logIn(request.body?.token)).send(),
  );
}

const wrongToken = (): FaceOffError =>
  new FaceOffError('wrong_token', 'That is not the token of this server (server.token).', { status: 401 });

const isPublic = ({ url, method }: FastifyRequest): boolean => method === 'OPTIONS' || PUBLIC.test(url.split('?')[0]!);

/** In a time that tells nothing about the secret. */
function isSame(given: unknown, secret: string): boolean {
  if (typeof given !== 'string') return false;
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
