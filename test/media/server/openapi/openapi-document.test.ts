import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ERRORS } from '../../../../src/shared/error-catalogue.ts';
import type { ApiDocument } from '../../../support/conformity.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import type { Patch } from '../../../support/server.ts';

let server: EchoServer;
beforeAll(async () => {
  server = await startEcho({});
});
afterAll(() => server.close());

const documentOf = async ({ url }: { url: string }): Promise<ApiDocument> =>
  (await (await fetch(`${url}/api/openapi.json`)).json()) as ApiDocument;

/** All routes of a server, as `GET /a/{}`, but HEAD, the files of the pages and the OPTIONS of all paths. */
function routesOf(app: FastifyInstance): string[] {
  const above: string[] = [];
  return app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent, part, methods] = /^([│ ]*)[├└]── (\S+) \((.*)\)$/.exec(line) ?? [];
      if (indent === undefined) return [];
      const depth = indent.length / 4;
      above.length = depth;
      above.push(part!);
      const path = above.join('').replaceAll(/:\w+(\|:\w+)*/g, '{}');
      return path.endsWith('*') ? [] : methods!.split(', ').map((method) => `${method} ${path}`);
    })
    .filter((route) => !route.startsWith('HEAD '))
    .sort();
}

const operationsOf = ({ paths }: ApiDocument): string[] =>
  Object.entries(paths)
    .flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '{}')}`),
    )
    .sort();

test.each<[string, Patch]>([
  ['the usual server', {}],
  ['one without metrics', { metrics: { enabled: false } }],
  ['one with metrics on another port', { metrics: { port: 9 } }],
])('the document of %s has every route of it, and none besides', async (_name, patch) => {
  const other = await startEcho(patch);
  try {
    const routes = routesOf(other.app);
    expect(routes).toContain('GET /api/status/memory.csv');
    expect(operationsOf(await documentOf(other))).toEqual(routes);
  } finally {
    await other.close();
  }
});

test('every reference of the document leads to a part of it', async () => {
  const document = await documentOf(server);
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, to]) => to!);
  const found = (to: string): unknown =>
    to.split('/').reduce<unknown>((part, key) => (part as Record<string, unknown> | undefined)?.[key], document);
  expect(references.length).toBeGreaterThan(50);
  expect(references.filter((to) => found(to) === undefined)).toEqual([]);
});

test('operations have ids of their own, and codes stand under their status', async () => {
  const { paths, components } = await documentOf(server);
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
  const ids = operations.map(({ operationId }) => operationId);
  expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
  const replies = operations.flatMap(({ responses }) => Object.entries(responses));
  const shared = Object.entries(components.responses).map(([name, reply]) => [name.slice(-3), reply] as const);
  let found = 0;
  for (const [status, reply] of [...replies, ...shared]) {
    if (Number(status) < 400 || reply.$ref !== undefined) continue;
    const schema = reply.content?.['application/json']?.schema as {
      allOf?: { properties?: { code?: { enum: string[] } } }[];
    };
    for (const code of schema.allOf?.[1]?.properties?.code?.enum ?? []) {
      found++;
      expect(`${code} ${ERRORS[code as keyof typeof ERRORS].status}`).toBe(`${code} ${status}`);
    }
  }
  expect(found).toBeGreaterThan(200);
});

test.each([
  ['PUT', '/api/faces', 'GET, HEAD, POST'],
  ['GET', '/api/login', 'POST'],
  ['DELETE', '/api/docs/', 'GET, HEAD'],
  ['OPTIONS', '/api/faces', 'GET, HEAD, POST'],
  ['PUT', '/api/sessions/none/recording', 'GET, HEAD, POST, DELETE'],
])('%s %s is refused with the methods that there are', async (method, path, allow) => {
  const headers = { 'content-type': 'text/odd' };
  const body = method === 'GET' ? null : 'x';
  const answer = await fetch(server.url + path, { method, headers, body });
  expect([answer.status, answer.headers.get('allow')]).toEqual([405, allow]);
  expect(await answer.json()).toMatchObject({ code: 'wrong_method' });
});

test('a body of an odd type at an unknown path is answered as the path is', async () => {
  const answer = await fetch(`${server.url}/api/nothing`, {
    method: 'POST',
    headers: { 'content-type': 'a/b' },
    body: 'x',
  });
  expect([answer.status, await answer.json()]).toMatchObject([404, { code: 'not_found' }]);
});

test.each([
  ['JSON that is none', 'application/json', '{', 400, 'bad_json'],
  ['no JSON at all', 'application/json', '', 400, 'bad_json'],
  ['another type', 'text/odd', 'x', 415, 'wrong_type'],
  ['a body that is too large', 'application/json', `"${'x'.repeat(2 ** 20)}"`, 413, 'body_too_large'],
])('a login with %s has a code of the catalogue', async (_name, type, body, status, code) => {
  const answer = await fetch(`${server.url}/api/login`, { method: 'POST', headers: { 'content-type': type }, body });
  expect([answer.status, await answer.json()]).toMatchObject([status, { code }]);
});

test.each([
  ['cannot be decoded', '/api/faces/%ff/thumbnail', 400, 'bad_request'],
  ['has an id longer than any', `/api/faces/${'a'.repeat(10_000)}/thumbnail`, 404, 'unknown_face'],
])('an address that %s has a code of the catalogue', async (_name, path, status, code) => {
  const answer = await fetch(server.url + path);
  expect([answer.status, await answer.json()]).toMatchObject([status, { code }]);
});
