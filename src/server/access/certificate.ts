/** The certificate for HTTPS: a configured one, or a self-signed one that is created and kept in `storage.dir`. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import path from 'node:path';
import { createSecureContext } from 'node:tls';
import { generate } from 'selfsigned';
import type { Config } from '../../config.ts';
import { addressesOf, hostName, isLocal } from '../../lib/address.ts';
import { makeFolder } from '../../lib/system/make-folder.ts';
import { writeWhole } from '../../lib/system/whole-file.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';

/** A certificate and its private key, both in PEM form. */
export interface Certificate {
  cert: string;
  key: string;
}

const DAY_MS = 86_400_000;
/** Validity of a new certificate; browsers accept at most about thirteen months. */
const VALID_MS = 390 * DAY_MS;
/** A certificate that expires sooner than this is replaced. */
const EXPIRES_SOON_MS = 30 * DAY_MS;

/** The part of a log that is told of a certificate that cannot be kept. */
export interface CertificateLog {
  warn(facts: object, message: string): void;
}

/**
 * The server's certificate; null if none is configured and the server listens on the local machine alone, which
 * browsers trust without HTTPS. One that cannot be kept in `storage.dir` serves until the server ends, and is logged.
 * @throws FaceOffError `bad_certificate`.
 */
export async function certificateOf(
  { server, storage }: Pick<Config, 'server' | 'storage'>,
  log?: CertificateLog,
): Promise<Certificate | null> {
  const { certificate, key, host, names } = server;
  if (certificate !== null && key !== null) return readConfigured(certificate, key, log);
  if (isLocal(host)) return null;
  const wanted = ['localhost', hostname().toLowerCase(), ...names.map(hostName), '127.0.0.1', ...addressesOf(host)];
  return keptOrNew(storage.dir, [...new Set(wanted)], log);
}

async function readConfigured(certificate: string, key: string, log?: CertificateLog): Promise<Certificate> {
  try {
    const [cert, secret] = await Promise.all([readFile(certificate, 'utf8'), readFile(key, 'utf8')]);
    if (/^-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(secret))
      throw new Error('the key is encrypted; `openssl pkey -in KEY -out PLAIN` writes it without a passphrase');
    if (!isPair({ cert, key: secret })) throw new Error('the key is not that of the certificate');
    // What follows the first certificate, its chain, is read only here.
    createSecureContext({ cert, key: secret });
    warnOfTime(new X509Certificate(cert), log);
    return { cert, key: secret };
  } catch (cause) {
    const why = messageOf(cause);
    throw new FaceOffError(
      'bad_certificate',
      `server.certificate and server.key must be readable files in PEM form: ${why}.`,
      { cause },
    );
  }
}

/** A certificate out of its time is served, because the machine's clock may be the one that is wrong. */
function warnOfTime({ validFrom, validTo }: X509Certificate, log?: CertificateLog, nowMs: number = Date.now()): void {
  const told = { validFrom, validTo };
  if (Date.parse(validTo) < nowMs)
    log?.warn(
      told,
      'server.certificate has expired: browsers refuse it. Renew it; a new one in its place is taken within an hour',
    );
  else if (Date.parse(validFrom) > nowMs)
    log?.warn(told, 'server.certificate is not valid yet: browsers refuse it. Look at the clock of this machine');
}

/** The kept certificate, or a new one if it expires soon or lacks an address of this machine. */
async function keptOrNew(folder: string, names: readonly string[], log?: CertificateLog): Promise<Certificate> {
  const files = { cert: path.join(folder, 'https-certificate.pem'), key: path.join(folder, 'https-key.pem') };
  const before = await readBoth(files);
  if (before !== null && isGoodFor(before.cert, names) && isUsable(before)) return before;
  const made = await make(names);
  try {
    await makeFolder(folder);
    await writeWhole(files.key, made.key, 0o600);
    await writeWhole(files.cert, made.cert);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    log?.warn(
      { folder, code },
      'the certificate cannot be kept in storage.dir: browsers ask again after the next start',
    );
  }
  return made;
}

/** Whether a key is that of a certificate. @throws Error where either is no PEM. */
const isPair = ({ cert, key }: Certificate): boolean =>
  new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));

/** As `isPair`; false where either was damaged. */
function isUsable(certificate: Certificate): boolean {
  try {
    return isPair(certificate);
  } catch {
    return false;
  }
}

async function readBoth({ cert, key }: Certificate): Promise<Certificate | null> {
  try {
    return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
  } catch {
    return null;
  }
}

/** Whether a certificate (PEM) covers all names and addresses, is valid now, and remains so for at least 30 days. */
export function isGoodFor(cert: string, names: readonly string[], nowMs: number = Date.now()): boolean {
  try {
    const certificate = new X509Certificate(cert);
    // A clock that was ahead when the certificate was made has it begin in the future.
    const hasBegun = Date.parse(certificate.validFrom) <= nowMs;
    const isValid = hasBegun && Date.parse(certificate.validTo) - nowMs > EXPIRES_SOON_MS;
    return isValid && names.every((name) => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)));
  } catch {
    return false;
  }
}

async function make(names: readonly string[]): Promise<Certificate> {
  const altNames = names.map((name) =>
    isIP(name) ? { type: 7 as const, ip: name } : { type: 2 as const, value: name },
  );
  const made = await generate([{ name: 'commonName', value: 'FaceOff' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - DAY_MS),
    notAfterDate: new Date(Date.now() + VALID_MS),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames },
    ],
  });
  return { cert: made.cert, key: made.private };
}
