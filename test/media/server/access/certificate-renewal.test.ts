import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { connect } from 'node:tls';
import { afterAll, expect, test } from 'vitest';
import { defaultConfig } from '../../../../src/config.ts';
import { type Certificate, certificateOf } from '../../../../src/server/access/certificate.ts';
import { CertificateRenewal } from '../../../../src/server/access/certificate-renewal.ts';
import { type EchoServer, startEcho } from '../../../support/echo.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-renewal-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let made = 0;
/** A self-made certificate of its own. */
async function newCertificate(): Promise<Certificate> {
  const { server } = defaultConfig();
  const storage = { dir: path.join(folder, `data-${made++}`) };
  return (await certificateOf({ server: { ...server, host: '0.0.0.0' }, storage }))!;
}

/** The certificate that a new connection is shown. */
function shownBy({ url }: EchoServer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()!.fingerprint256);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}
const fingerprint = ({ cert }: Certificate): string => new X509Certificate(cert).fingerprint256;

test('files that another program renews are used for new connections, and unreadable ones change nothing', async () => {
  const [before, after] = [await newCertificate(), await newCertificate()];
  const files = { certificate: path.join(folder, 'cert.pem'), key: path.join(folder, 'key.pem') };
  const write = ({ cert, key }: Certificate): void => {
    writeFileSync(files.certificate, cert);
    writeFileSync(files.key, key);
  };
  write(before);
  const server = await startEcho({}, before);
  const told: string[] = [];
  const tell = (_facts: object, message: string) => void told.push(message);
  const config = { ...defaultConfig(), server: { ...defaultConfig().server, ...files } };
  const renewal = new CertificateRenewal({
    config,
    certificate: before,
    use: (renewed) => (server.app.server as unknown as Server).setSecureContext(renewed),
    log: { info: tell, warn: tell },
  });
  await renewal.check();
  expect([await shownBy(server), told]).toEqual([fingerprint(before), []]);
  writeFileSync(files.certificate, 'half a fi');
  await renewal.check();
  expect(await shownBy(server)).toBe(fingerprint(before));
  write(after);
  await renewal.check();
  expect(await shownBy(server)).toBe(fingerprint(after));
  expect(told).toEqual(['the new certificate cannot be used; the one before stays', 'the certificate was renewed']);
  renewal.close();
  await server.close();
});

test('a self-made certificate stays while it is good, also where it cannot be kept', async () => {
  const certificate = await newCertificate();
  let uses = 0;
  const { server } = defaultConfig();
  const config = { server: { ...server, host: '0.0.0.0' }, storage: { dir: '/dev/null/none' } };
  const log = { info: () => undefined, warn: () => undefined };
  const renewal = new CertificateRenewal({ config, certificate, use: () => uses++, log });
  await renewal.check();
  expect(uses).toBe(0);
  renewal.close();
});

test('a self-made certificate is replaced where the server got another name', async () => {
  const certificate = await newCertificate();
  const used: Certificate[] = [];
  const { server } = defaultConfig();
  const config = { server: { ...server, host: '0.0.0.0' }, storage: { dir: path.join(folder, 'renamed') } };
  const log = { info: () => undefined, warn: () => undefined };
  const renewal = new CertificateRenewal({ config, certificate, use: (made) => used.push(made), log });
  config.server.names = ['faces.example.org'];
  await renewal.check();
  await renewal.check();
  expect(used.map(({ cert }) => new X509Certificate(cert).checkHost('faces.example.org'))).toEqual([
    'faces.example.org',
  ]);
  renewal.close();
});
