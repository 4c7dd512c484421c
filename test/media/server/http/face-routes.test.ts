/** Forms of uploads that are malformed, and addresses that take something else than what comes. */

import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EchoServer, startEcho } from '../../../support/echo.ts';

let server: EchoServer;
beforeAll(async () => {
  server = await startEcho();
});
afterAll(() => server.close());

const part = (head: string, body: string): string => `--x\r\n${head}\r\n\r\n${body}\r\n`;
const CONSENT = 'content-disposition: form-data; name="consent"';
const FILE = 'content-disposition: form-data; name="file"; filename="a.png"';

async function upload(body: string, type = 'multipart/form-data; boundary=x') {
  const answer = await fetch(`${server.url}/api/faces`, { method: 'POST', headers: { 'content-type': type }, body });
  return { status: answer.status, ...((await answer.json()) as { code: string; message: string }) };
}

test.each([
  ['no end', part(CONSENT, 'true') + part(FILE, 'abc')],
  ['an end in the middle of a part', `${part(CONSENT, 'true')}--x\r\n${FILE}\r\n\r\nabc`],
  ['nothing of a form', 'hello'],
  ['a part without a name, of more than is read at once', `${part('content-: x', 'a'.repeat(100_000))}--x--\r\n`],
])('a form with %s is refused', async (_what, body) => {
  expect(await upload(body)).toMatchObject({
    status: 400,
    code: 'bad_form',
    message: expect.stringMatching(/Send it/),
  });
});

test.each([
  ['no boundary', part(FILE, 'abc'), 'multipart/form-data'],
  ['a part whose header has no end', `--x\r\n${FILE}\r\n--x--\r\n`, undefined],
  ['a name of every object', `${part('content-disposition: form-data; name="__proto__"', 'x')}--x--\r\n`, undefined],
  ['more fields than there can be', `${part(CONSENT, 'true').repeat(20)}--x--\r\n`, undefined],
  ['more than one file', `${part(FILE, 'abc').repeat(3)}--x--\r\n`, undefined],
])('a form with %s is refused', async (_what, body, type) => {
  const answer = await upload(body, type);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
});

test('what expects more than to be told to go on is refused in JSON', async () => {
  const answer = await new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const sent = request(`${server.url}/healthz`, { headers: { expect: 'the-unexpected' } }, (message) => {
      let body = '';
      message.on('data', (chunk) => {
        body += String(chunk);
      });
      message.on('end', () => resolve({ status: message.statusCode, body }));
    });
    sent.once('error', reject).end();
  });
  expect(answer.status).toBe(417);
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'bad_expectation' });
});

test('/ws without an upgrade is refused in JSON', async () => {
  const answer = await fetch(`${server.url}/ws`);
  expect([answer.status, await answer.json()]).toEqual([426, expect.objectContaining({ code: 'upgrade_required' })]);
});
