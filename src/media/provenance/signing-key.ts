/**
 * The key that signs pictures: EC P-256, made on this machine at its first use, kept with its certificate in one file of
 * `storage.dir`. C2PA takes no self-signed certificate for signing, so one of a root signs it; the root's key signs
 * nothing else and is forgotten.
 */

import { createPrivateKey, type KeyObject, X509Certificate as NodeCertificate } from 'node:crypto';
import { readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { makeFolder } from '../../lib/system/make-folder.ts';
import { writeWhole } from '../../lib/system/whole-file.ts';

/** A private key and its certificate. */
export interface SigningKey {
  privateKey: KeyObject;
  certificate: X509Certificate;
}

/** Name of the file in `storage.dir`: the key, its certificate and the root's, in PEM form, mode 0600. */
export const SIGNING_KEY_FILE = 'signing-key.pem';

const DAY_MS = 86_400_000;
/** Without a time stamp of a third party, a signature can be checked as long as its certificate is valid. */
const VALID_MS = 20 * 365 * DAY_MS;
const CURVE = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' };
/** They name the program and nothing of the machine. */
const ROOT_NAME = 'O=FaceOff, CN=FaceOff root of one machine';
const NAME = 'O=FaceOff, CN=FaceOff on one machine';

/**
 * The kept key, or a new one that is kept from now on. A file that is damaged is set aside as `signing-key.pem.damaged`.
 * @param folder `storage.dir`. @param onNote receives a sentence where another key was replaced.
 * @throws Error of the file system where the key can be neither read nor kept.
 */
export async function signingKeyIn(folder: string, onNote: (note: string) => void): Promise<SigningKey> {
  const file = path.join(folder, SIGNING_KEY_FILE);
  const before = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  const known = before === null ? null : parsed(before);
  if (known !== null && isValid(known)) return known;
  const made = await make();
  await makeFolder(folder);
  const isDamaged = before !== null && known === null;
  if (isDamaged) await rename(file, `${file}.damaged`);
  await writeWhole(file, made, 0o600);
  if (isDamaged)
    onNote(
      `The key that signs pictures, ${file}, was damaged: it is set aside as ${SIGNING_KEY_FILE}.damaged, and a new key signs from now on. Pictures that the old one signed stay valid.`,
    );
  if (known !== null) onNote('The certificate that signs pictures is not valid now: a new key signs from now on.');
  return parsed(made)!;
}

/** The key of a file's text; null where the text is none, or the certificate is another key's. */
function parsed(pem: string): SigningKey | null {
  try {
    const [own] = PemConverter.decode(pem.slice(pem.indexOf('-----BEGIN CERTIFICATE-----')));
    const privateKey = createPrivateKey(pem);
    if (own === undefined || !new NodeCertificate(Buffer.from(own)).checkPrivateKey(privateKey)) return null;
    return { privateKey, certificate: new X509Certificate(own) };
  } catch {
    return null;
  }
}

/** Also false where the clock was ahead when the certificate was made. */
const isValid = ({ certificate: { notBefore, notAfter } }: SigningKey): boolean =>
  notBefore.getTime() < Date.now() && notAfter.getTime() > Date.now();

async function make(): Promise<string> {
  const { subtle } = globalThis.crypto;
  const rootKeys = await subtle.generateKey(CURVE, false, ['sign', 'verify']);
  const keys = await subtle.generateKey(CURVE, true, ['sign', 'verify']);
  const validity = { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + VALID_MS) };
  const root = await X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: ROOT_NAME,
    keys: rootKeys,
    signingAlgorithm: SIGNATURE,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      await SubjectKeyIdentifierExtension.create(rootKeys.publicKey),
    ],
  });
  const certificate = await X509CertificateGenerator.create({
    ...validity,
    subject: NAME,
    issuer: root.subject,
    publicKey: keys.publicKey,
    signingKey: rootKeys.privateKey,
    signingAlgorithm: SIGNATURE,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      // Of the uses that C2PA allows, the one that every validator knows.
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.emailProtection]),
      await AuthorityKeyIdentifierExtension.create(root),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const secret = PemConverter.encode(await subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return `${[secret, certificate.toString('pem'), root.toString('pem')].join('\n')}\n`;
}
