import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { createSecureContext } from 'node:tls';
import { generate } from 'selfsigned';
import { afterAll, expect, test } from 'vitest';
import { welcomeOf } from '../../../../src/commands/startup-banner.ts';
import { defaultConfig } from '../../../../src/config.ts';
import { certificateOf, isGoodFor } from '../../../../src/server/access/certificate.ts';
import { startEcho } from '../../../support/echo.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-https-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const config = (server: Partial<ReturnType<typeof defaultConfig>['server']> = {}) => {
  const rest = defaultConfig();
  return { ...rest, storage: { dir: folder }, server: { ...rest.server, ...server } };
};

test('a server on loopback alone needs no certificate', async () => {
  expect(await certificateOf(config())).toBeNull();
});

test('a certificate is made for a reachable server, kept, and renewed when it is no longer valid', async () => {
  const open = config({ host: '0.0.0.0', names: ['faces.example'] });
  const made = (await certificateOf(open))!;
  expect(statSync(path.join(folder, 'https-key.pem')).mode & 0o777).toBe(0o600);
  const certificate = new X509Certificate(made.cert);
  expect(certificate.checkHost('faces.example')).toBe('faces.example');
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect(await certificateOf(open)).toEqual(made);
  expect(isGoodFor(made.cert, ['localhost'], Date.parse(certificate.validTo) - 29 * 86_400_000)).toBe(false);
  expect(isGoodFor(made.cert, ['localhost'], Date.parse(certificate.validFrom) - 1)).toBe(false);
  const other = (await certificateOf(config({ host: '192.0.2.7' })))!;
  expect(new X509Certificate(other.cert).checkIP('192.0.2.7')).toBe('192.0.2.7');
  writeFileSync(path.join(folder, 'https-certificate.pem'), 'nonsense');
  expect((await certificateOf(open))!.cert).not.toBe(other.cert);
});

test('a given certificate is used, or refused with the reason', async () => {
  const files = { certificate: path.join(folder, 'https-certificate.pem'), key: path.join(folder, 'https-key.pem') };
  const made = (await certificateOf(config({ host: '0.0.0.0' })))!;
  expect(await certificateOf(config(files))).toEqual(made);
  await expect(certificateOf(config({ ...files, key: '/no/such/file' }))).rejects.toThrow(/server\.key.*no such file/);
  const other = path.join(folder, 'other-key.pem');
  writeFileSync(
    other,
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
  );
  await expect(certificateOf(config({ ...files, key: other }))).rejects.toThrow(/key is not that of the certificate/);
  await expect(certificateOf(config({ ...files, key: files.certificate }))).rejects.toMatchObject({
    code: 'bad_certificate',
  });
});

test('names with a port, a scheme, other letters or an asterisk are in the certificate as browsers ask for them', async () => {
  const names = ['https://Faces.example:8443/', 'Müller.example', '*.b.example'];
  const open = config({ host: '0.0.0.0', names });
  const made = (await certificateOf(open))!;
  const certificate = new X509Certificate(made.cert);
  for (const host of ['faces.example', 'xn--mller-kva.example', 'a.b.example'])
    expect(certificate.checkHost(host)).toBeDefined();
  expect(await certificateOf(open)).toEqual(made);
});

const DAY_MS = 86_400_000;
const given = { certificate: path.join(folder, 'given.pem'), key: path.join(folder, 'given.key') };

async function give(beginsInDays: number, endsInDays: number): Promise<{ cert: string; private: string }> {
  const made = await generate([{ name: 'commonName', value: 'a' }], {
    keyType: 'ec',
    notBeforeDate: new Date(Date.now() + beginsInDays * DAY_MS),
    notAfterDate: new Date(Date.now() + endsInDays * DAY_MS),
  });
  writeFileSync(given.certificate, made.cert);
  writeFileSync(given.key, made.private);
  return made;
}

test.each([
  [-3, -1, /has expired/],
  [1, 3, /is not valid yet/],
])('a given certificate from day %i to day %i serves, and is told', async (begins, ends, sentence) => {
  await give(begins, ends);
  const warnings: string[] = [];
  const log = { warn: (_facts: object, message: string) => void warnings.push(message) };
  expect(await certificateOf(config(given), log)).not.toBeNull();
  expect(warnings).toEqual([expect.stringMatching(sentence)]);
});

test('a given key that is encrypted, and a chain that is damaged, are refused in a sentence', async () => {
  const { cert, private: key } = await give(-1, 3);
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  writeFileSync(given.certificate, cert + broken);
  await expect(certificateOf(config(given))).rejects.toMatchObject({ code: 'bad_certificate' });
  writeFileSync(given.certificate, cert);
  const cipher = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'four words' } as const;
  writeFileSync(given.key, createPrivateKey(key).export(cipher));
  await expect(certificateOf(config(given))).rejects.toThrow(/the key is encrypted; `openssl pkey/);
});

test.each(['https-key.pem', 'https-certificate.pem'])('a kept %s that was damaged is replaced', async (name) => {
  const open = config({ host: '0.0.0.0' });
  const made = (await certificateOf(open))!;
  const file = path.join(folder, name);
  const whole = readFileSync(file, 'utf8');
  for (const damaged of ['', whole.slice(0, 80), whole.replace(/[A-Za-z]{8}\n/, 'AAAAAAAA\n')]) {
    writeFileSync(file, damaged);
    const again = (await certificateOf(open))!;
    expect(again.key).not.toBe(made.key);
    expect(() => createSecureContext(again)).not.toThrow();
  }
});

test('a server with a certificate speaks HTTPS and marks its cookie Secure', async () => {
  const certificate = await certificateOf(config({ host: '0.0.0.0' }));
  const token = 'sixteen-characters';
  const server = await startEcho({ server: { token } }, certificate);
  const cookie = await new Promise((resolve, reject) => {
    const body = JSON.stringify({ token });
    request(
      `${server.url}/api/login`,
      { method: 'POST', ca: certificate!.cert, headers: { 'content-type': 'application/json' } },
      (answer) => {
        answer.resume();
        resolve(answer.headers['set-cookie']?.[0]);
      },
    )
      .once('error', reject)
      .end(body);
  });
  expect(server.url).toMatch(/^https:/);
  expect(cookie).toMatch(/; Secure(;|$)/);
  await server.close();
});

test('the console shows the address for another machine, without the token', () => {
  const token = 'sixteen-characters';
  expect(welcomeOf(config(), 8080)).toBeNull();
  const text = welcomeOf(config({ host: '192.0.2.7', token }), 8443)!;
  expect(text).toContain('https://192.0.2.7:8443');
  expect(text).toMatch(/[▀▄█]{5}/);
  expect(text).not.toContain(token);
});
