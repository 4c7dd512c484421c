/** What files say of where they come from, as programs of others read it. */

import { readFileSync } from 'node:fs';
import { JPEG, PNG } from '@trustnxt/c2pa-ts/asset';
import { SuperBox } from '@trustnxt/c2pa-ts/jumbf';
import { type Action, ManifestStore, type Signature } from '@trustnxt/c2pa-ts/manifest';

export interface ReadManifest {
  isValid: boolean;
  /** Codes of what failed. */
  failures: string[];
  actions: Action[];
  generator: string;
  /** Names and serial number in the certificate. */
  subject: string;
  serial: string;
}

/** The C2PA manifest of a JPEG or PNG; null where it has none. */
export async function manifestOf(given: Uint8Array): Promise<ReadManifest | null> {
  const file = new Uint8Array(given);
  const asset = PNG.canRead(file) ? new PNG(file) : new JPEG(file);
  const jumbf = asset.getManifestJUMBF();
  if (jumbf === undefined) return null;
  const store = ManifestStore.read(SuperBox.fromBuffer(new Uint8Array(jumbf)));
  const { isValid, statusEntries } = await store.validate(asset);
  const { claim, assertions, signature } = store.getActiveManifest()!;
  const { certificate } = (signature as Signature).signatureData;
  return {
    isValid,
    failures: statusEntries.filter(({ success }) => success === false).map(({ code }) => code),
    actions: assertions!.getActionAssertions().flatMap(({ actions }) => actions),
    generator: `${claim!.claimGeneratorName} ${claim!.claimGeneratorVersion}`,
    subject: certificate!.subject,
    serial: certificate!.serialNumber,
  };
}

/** Types of a file's boxes at the top level, with the bytes of each. @throws where a box is not whole. */
export function boxesOf(file: string): { type: string; data: Buffer }[] {
  const bytes = readFileSync(file);
  const boxes: { type: string; data: Buffer }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readUInt32BE(at);
    if (size < 8 || at + size > bytes.length) throw new Error(`the box at ${at} is not whole`);
    boxes.push({ type: bytes.toString('latin1', at + 4, at + 8), data: bytes.subarray(at + 8, at + size) });
    at += size;
  }
  return boxes;
}

/** The XMP packet of an MP4 or QuickTime file; null where it has none. */
export function xmpBoxOf(file: string): string | null {
  const uuid = Buffer.from('BE7ACFCB97A942E89C71999491E3AFAC', 'hex');
  const box = boxesOf(file).find(({ type, data }) => type === 'uuid' && data.subarray(0, 16).equals(uuid));
  return box?.data.toString('utf8', 16) ?? null;
}
