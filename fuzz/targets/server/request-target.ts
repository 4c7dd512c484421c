import { SWITCHES } from '../../../src/shared/steps.ts';
import { type Json, mutatedJson } from '../../mutate/mutate-json.ts';
import { mutatedText, WORDS } from '../../mutate/mutate-text.ts';
import type { Random } from '../../mutate/random.ts';
import type { Target } from '../../run/target.ts';
import { SETTINGS_SAMPLES, SETTINGS_WORDS } from '../parsers/message-target.ts';
import { FuzzServer, STREAM, TOKEN } from './fuzz-server.ts';
import { askOf, inputOf } from './request-input.ts';

/** In place of the id of the session that is open. */
const SESSION = '@session';
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'SEARCH'];
const TARGETS = [`/api/sessions/${SESSION}`, `/api/streams/${STREAM}`];
const SESSION_ROUTES: [string, string][] = TARGETS.flatMap((at): [string, string][] => [
  ['GET', `${at}/settings`],
  ['PATCH', `${at}/settings`],
  ['PATCH', `${at}/settings`],
  ['POST', `${at}/face/next`],
  ['POST', `${at}/face/previous`],
  ['POST', `${at}/toggle`],
  ['POST', `${at}/toggle/${SWITCHES[0]}`],
  ['POST', `${at}/preset/On air`],
]);
/** Every route, with the method that it has. */
const ROUTES: [string, string][] = [
  ...SESSION_ROUTES,
  ['POST', `/api/sessions/${SESSION}/recording?format=webm`],
  ['GET', `/api/sessions/${SESSION}/recording`],
  ['DELETE', `/api/sessions/${SESSION}/recording`],
  ['GET', `/api/sessions/${SESSION}/snapshot.png`],
  ['GET', '/api/recordings'],
  ['GET', '/api/recordings/studio_2026-11-29_10-00-00.webm'],
  ['DELETE', '/api/recordings/studio_2026-11-29_10-00-00.webm'],
  ['GET', '/api/presets'],
  ['PUT', '/api/presets/On air'],
  ['PUT', '/api/presets/x'],
  ['DELETE', '/api/presets/x'],
  ['GET', '/api/faces'],
  ['POST', '/api/faces'],
  ['POST', '/api/faces/preview'],
  ['DELETE', '/api/faces/astronaut'],
  ['GET', '/api/faces/astronaut/thumbnail'],
  ['GET', '/api/sessions'],
  ['GET', '/api/models'],
  ['GET', '/api/status'],
  ['GET', '/api/status/memory?since=1764410000000'],
  ['GET', '/api/status/memory.csv'],
  ['GET', '/api/preflight'],
  ['GET', '/api/cache'],
  ['DELETE', '/api/cache/tuning'],
  ['POST', '/api/login'],
  ['POST', '/api/login'],
  ['GET', '/healthz'],
  ['GET', '/readyz'],
  ['GET', '/metrics'],
  ['GET', '/view/seen'],
  ['GET', '/call'],
  ['GET', '/call/room'],
  ['GET', '/'],
  ['GET', '/studio.js'],
  ['GET', '/ws'],
  ['GET', '/whip'],
  ['OPTIONS', '/whep/seen'],
];
const PATH_WORDS = [
  SESSION,
  STREAM,
  'astronaut',
  'api',
  'faces',
  'settings',
  '..%2f',
  '%2e%2e',
  '//',
  '?token=',
  `?token=${TOKEN}`,
];
const QUERIES = [
  '',
  '?',
  '?since=',
  '?format=mp4',
  '?token=wrong',
  '?since=1&since=2',
  '?since[]=1',
  '?__proto__=1',
  '?%ff=%',
];
const TYPES = [
  'application/json',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'multipart/form-data',
  'application/sdp',
  'application/json; charset=utf-16',
  ';',
];
/** Headers that a route, a hook or the server itself reads. */
const HEADERS: [string, readonly string[]][] = [
  ['accept', ['text/html', '*/*', 'application/json', ',,;q=9']],
  ['authorization', [`Bearer ${TOKEN}`, 'Bearer', 'Basic eDp5', `bearer  ${TOKEN}`, 'Bearer x y']],
  ['cookie', ['faceoff=x', 'faceoff=%', 'faceoff="x"; faceoff=y', '=;;=', `faceoff=${'a'.repeat(64)}`]],
  ['origin', ['null', 'http://127.0.0.1', 'https://evil.example', 'chrome-extension://x', 'http://[::1']],
  ['host', ['localhost', 'evil.example', '[::1]:80', '', 'a:b:c', '127.0.0.1:99999']],
  ['content-length', ['0', '5', '-1', '1e9', '99999999']],
  ['transfer-encoding', ['chunked', 'gzip', 'identity']],
  ['expect', ['100-continue', 'x']],
  ['range', ['bytes=0-1', 'bytes=9-1', 'bytes=-', 'bytes=0-0,2-3,', 'x']],
  ['if-none-match', ['*', 'W/"x"', '"']],
  ['if-modified-since', ['x', 'Sun, 29 Nov 2026 10:00:00 GMT']],
  ['accept-encoding', ['gzip', 'br;q=x', '*']],
  ['access-control-request-method', ['POST', 'x']],
  ['upgrade', ['websocket', 'h2c']],
  ['connection', ['upgrade', 'close', 'keep-alive, x']],
  ['sec-websocket-key', ['dGhlIHNhbXBsZSBub25jZQ==', 'x']],
  ['sec-websocket-version', ['13', '99']],
  ['x-forwarded-for', ['::1', 'x, y']],
];
const BODIES: readonly Json[] = [...SETTINGS_SAMPLES, { token: TOKEN }, { token: 'x' }, {}, null, 'x'];
const FORM =
  '--x\r\ncontent-disposition: form-data; name="consent"\r\n\r\ntrue\r\n--x\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\ncontent-type: image/png\r\n\r\nabc\r\n--x--\r\n';

function headersFor(random: Random, method: string): Record<string, string> {
  const headers: Record<string, string> = {};
  if (!['GET', 'HEAD'].includes(method) || random.chance(0.05))
    headers['content-type'] = random.chance(0.7) ? TYPES[0]! : random.one(TYPES);
  for (let left = random.below(3); left > 0; left--) {
    const [name, values] = random.one(HEADERS);
    headers[name] = random.chance(0.8) ? random.one(values) : random.one(WORDS);
  }
  return headers;
}

function bodyFor(random: Random): string {
  const kind = random.next();
  if (kind < 0.75) return mutatedJson(BODIES, random, [...SETTINGS_WORDS, 'token']);
  if (kind < 0.9) return mutatedText([FORM], random);
  return kind < 0.95 ? '' : random.bytes(random.below(200)).toString('latin1');
}

/** Requests to every route but those of SDP, to a server with a token and to one without. */
export const requestTarget: Target = {
  name: 'request',
  reads: 'every REST route: method, path, query, headers, body; with and without a token',
  share: 3,
  parallel: 8,
  growthBytes: 160 * 2 ** 20,
  async open(folder) {
    const open = await FuzzServer.start(folder);
    const locked = await FuzzServer.start(folder, TOKEN);
    return {
      make(random) {
        const [usual, route] = random.one(ROUTES);
        const method = random.chance(0.9) ? usual : random.one(METHODS);
        let at = random.chance(0.6) ? route : mutatedText([route], random, PATH_WORDS);
        if (random.chance(0.1)) at += random.chance(0.7) ? random.one(QUERIES) : `?since=${random.one(WORDS)}`;
        const isLocked = random.chance(0.4);
        const hasToken = isLocked && random.chance(0.6);
        const head = { method, path: at, headers: headersFor(random, method), isLocked, hasToken };
        return inputOf(head, Buffer.from(bodyFor(random)));
      },
      async feed(input) {
        const { head, ask } = askOf(input);
        const server = head.isLocked ? locked : open;
        const answer = await server.ask({
          ...ask,
          path: ask.path.replaceAll(SESSION, server.session),
          headers: { ...(head.hasToken && server.authorization), ...ask.headers },
        });
        return answer !== null && answer.status < 400;
      },
      usedBytes: async () => (await open.usedBytes()) + (await locked.usedBytes()),
      close: async () => void (await Promise.all([open.close(), locked.close()])),
    };
  },
};
