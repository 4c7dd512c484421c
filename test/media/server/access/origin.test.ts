import { expect, test } from 'vitest';
import { EXTENSION } from '../../../../src/config.ts';
import { checkOrigin } from '../../../../src/server/access/origin.ts';
import type { FaceOffError } from '../../../../src/shared/errors.ts';
import { startEcho } from '../../../support/echo.ts';

const here = { host: '127.0.0.1', names: ['faces.example.org'] };
const all = { host: '0.0.0.0', names: [] };

test.each([
  ['a program', {}, here, 'welcome'],
  ['a program with an address', { host: '127.0.0.1:8080' }, here, 'welcome'],
  ['its own page', { origin: 'http://127.0.0.1:8080', host: '127.0.0.1:8080' }, here, 'welcome'],
  ['its own page by name', { origin: 'http://localhost:8080', host: 'localhost:8080' }, here, 'welcome'],
  ['its own page by IPv6', { origin: 'http://[::1]:8080', host: '[::1]:8080' }, here, 'welcome'],
  ['a page on another port', { origin: 'http://127.0.0.1:3000', host: '127.0.0.1:8080' }, here, 'foreign_origin'],
  ['another site', { origin: 'https://elsewhere.example', host: '127.0.0.1:8080' }, here, 'foreign_origin'],
  ['a page without a site', { origin: 'null', host: '127.0.0.1:8080' }, here, 'foreign_origin'],
  ['a name pointed here', { origin: 'http://evil.example:8080', host: 'evil.example:8080' }, here, 'foreign_host'],
  ['a plain read by a name pointed here', { host: 'evil.example:8080' }, here, 'foreign_host'],
  ['a name that only looks local', { host: 'localhost.evil.example' }, here, 'foreign_host'],
  ['a proxy by its name', { origin: 'https://faces.example.org', host: 'faces.example.org' }, here, 'welcome'],
  [
    'a proxy by its name in other letters',
    { host: 'FACES.example.ORG' },
    { host: here.host, names: ['Faces.Example.org'] as string[] },
    'welcome',
  ],
  ['a name with the dot of its root', { host: 'faces.example.org.' }, here, 'welcome'],
  [
    'a proxy that adds the port of its scheme',
    { origin: 'https://faces.example.org', host: 'Faces.example.org:443' },
    here,
    'welcome',
  ],
  ['a proxy that asks by address', { origin: 'https://faces.example.org', host: '127.0.0.1:8080' }, here, 'welcome'],
  [
    'its name on another port, through such a proxy',
    { origin: 'https://faces.example.org:3000', host: '127.0.0.1:8080' },
    here,
    'foreign_origin',
  ],
  [
    'a port that is named, through such a proxy',
    { origin: 'https://faces.example.org:3000', host: '127.0.0.1:8080' },
    { host: here.host, names: ['https://Faces.example.org:3000/'] as string[] },
    'welcome',
  ],
  [
    'a proxy that leaves its port out',
    { origin: 'http://a.example:81', host: 'a.example' },
    { host: here.host, names: ['a.example:81'] as string[] },
    'welcome',
  ],
  [
    'the same without its name',
    { origin: 'http://faces.example.org:81', host: 'faces.example.org' },
    here,
    'foreign_origin',
  ],
  ['a name with a port', { host: 'a.example:81' }, { host: here.host, names: ['a.example:81'] as string[] }, 'welcome'],
  [
    'a name in other letters than ASCII',
    { origin: 'https://xn--mller-kva.example', host: 'xn--mller-kva.example' },
    { host: here.host, names: ['Müller.example'] as string[] },
    'welcome',
  ],
  [
    'a name one label below',
    { host: 'a.b.example' },
    { host: here.host, names: ['*.b.example'] as string[] },
    'welcome',
  ],
  [
    'a name two labels below',
    { host: 'x.a.b.example' },
    { host: here.host, names: ['*.b.example'] as string[] },
    'foreign_host',
  ],
  ['the name above', { host: 'b.example' }, { host: here.host, names: ['*.b.example'] as string[] }, 'foreign_host'],
  ['an address of IPv6 by name', { host: '[fd00::1]:80' }, here, 'welcome'],
  ['a page of another scheme', { origin: 'ftp://127.0.0.1:8080', host: '127.0.0.1:8080' }, here, 'foreign_origin'],
  ['a Host that is none', { origin: 'https://a.example', host: 'x@a.example' }, here, 'foreign_origin'],
  ['any name, where the server is for others too', { host: 'machine.lan:8080' }, all, 'welcome'],
  [
    'another site, where the server is for others too',
    { origin: 'https://a.example', host: 'b' },
    all,
    'foreign_origin',
  ],
] as const)('%s', (_who, headers, server, answer) => {
  let code = 'welcome';
  try {
    checkOrigin(headers, server);
  } catch (error) {
    code = (error as FaceOffError).code;
  }
  expect(code).toBe(answer);
});

const STRANGER = `chrome-extension://${'a'.repeat(32)}`;
test.each([
  ['FaceOff’s extension may publish', EXTENSION, 'POST', '/whip', 'bad_sdp'],
  ['also with a slash at the end', EXTENSION, 'POST', '/whip/', 'bad_sdp'],
  ['and watch', EXTENSION, 'POST', '/whep/nobody', 'no_publisher'],
  ['but neither change faces', EXTENSION, 'DELETE', '/api/faces/astronaut', 'foreign_origin'],
  ['nor record', EXTENSION, 'POST', '/api/sessions/none/recording', 'foreign_origin'],
  ['and another extension may nothing', STRANGER, 'POST', '/whip', 'foreign_origin'],
])('%s', async (_what, origin, method, url, code) => {
  const server = await startEcho();
  const headers = { origin, host: '127.0.0.1', 'content-type': 'application/sdp' };
  const answer = await server.app.inject({ method: method as 'POST', url, headers, payload: 'no offer' });
  expect((answer.json() as { code: string }).code).toBe(code);
  await server.close();
});

test('a site of server.origins may show /view in a frame, and nothing else', async () => {
  const server = await startEcho({ server: { origins: ['https://studio.example', EXTENSION] } });
  const frames = async (url: string): Promise<string> => {
    const { headers } = await server.app.inject({ method: 'GET', url, headers: { host: '127.0.0.1' } });
    return /frame-ancestors ([^;]*)/.exec(String(headers['content-security-policy']))![1]!;
  };
  expect(await frames('/view/stage')).toBe("'self' https://studio.example");
  expect(await frames('/')).toBe("'self'");
  expect(await frames('/call/stage')).toBe("'self'");
  await server.close();
});
