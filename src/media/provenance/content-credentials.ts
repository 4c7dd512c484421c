/** C2PA manifests (Content Credentials) in JPEG and PNG: what was done to a picture, signed. */

import { randomUUID, sign } from 'node:crypto';
import { type Asset, JPEG, PNG } from '@trustnxt/c2pa-ts/asset';
import { CoseAlgorithmIdentifier, type Signer } from '@trustnxt/c2pa-ts/cose';
import {
  ActionAssertion,
  ActionType,
  ClaimVersion,
  DataHashAssertion,
  DigitalSourceType,
  IngredientAssertion,
  type Manifest,
  ManifestStore,
  RelationshipType,
} from '@trustnxt/c2pa-ts/manifest';
import type { SigningKey } from './signing-key.ts';

/** How a picture came to be: as a picture of a live stream, or from a picture that a person had. */
export type PictureOrigin = 'created' | 'edited';

/** Stands in each manifest: what the signature shows, and what it does not. */
export const WHAT_IT_PROVES =
  'A face in this picture was swapped by FaceOff. A key of one machine signed it: that shows that the file has not changed since, not who made it.';

const ALGORITHM = 'SHA-256';
/** Room for the signature, in bytes; that of ES256 takes 64 and its CBOR. */
const SIGNATURE_ROOM = 200;

/**
 * Adds a signed manifest to a picture. Takes milliseconds of the thread and a copy of the picture.
 * @param picture a whole JPEG or PNG file; a manifest that it has is replaced.
 * @param version FaceOff's version.
 * @returns the file with the manifest, about 2 kB longer. @throws Error where the file is neither.
 */
export async function withManifest(
  picture: Uint8Array,
  { origin, version, key }: { origin: PictureOrigin; version: string; key: SigningKey },
): Promise<Uint8Array> {
  const asset: Asset = PNG.canRead(picture) ? new PNG(picture) : new JPEG(picture);
  const signer = signerOf(key);
  const store = new ManifestStore();
  const manifest = store.createManifest({
    claimVersion: ClaimVersion.V2,
    assetFormat: asset.mimeType,
    instanceID: newInstance(),
    defaultHashAlgorithm: ALGORITHM,
    signer,
  });
  manifest.claim!.claimGeneratorName = 'FaceOff';
  manifest.claim!.claimGeneratorVersion = version;
  manifest.signature!.signatureData.paddingLength = SIGNATURE_ROOM;
  const hash = DataHashAssertion.create(ALGORITHM);
  manifest.addAssertion(hash);
  addActions(manifest, origin, version);
  await asset.ensureManifestSpace(store.measureSize());
  await hash.updateWithAsset(asset);
  await manifest.sign(signer);
  await asset.writeManifestJUMBF(store.getBytes());
  return asset.getDataRange();
}

/** What was done. A picture that existed before is an ingredient, of which no name is told. */
function addActions(manifest: Manifest, origin: PictureOrigin, version: string): void {
  const swap = {
    digitalSourceType: DigitalSourceType.CompositeWithTrainedAlgorithmicMedia,
    softwareAgent: { name: 'FaceOff', version },
    parameters: { description: WHAT_IT_PROVES },
  };
  const actions = new ActionAssertion();
  if (origin === 'created') actions.actions = [{ action: ActionType.C2paCreated, ...swap }];
  else {
    const before = IngredientAssertion.createV3(RelationshipType.ParentOf);
    before.instanceID = newInstance();
    manifest.addAssertion(before);
    const ingredients = [manifest.createAssertionReference(before)];
    actions.actions = [
      { action: ActionType.C2paOpened, parameters: { ingredients } },
      { action: ActionType.C2paEdited, ...swap },
    ];
  }
  manifest.addAssertion(actions);
}

const newInstance = (): string => `xmp:iid:${randomUUID()}`;

/** Not the library's own signer, whose ECDSA signatures are in DER form: COSE (RFC 9053, 2.1) asks for r and s alone. */
const signerOf = ({ privateKey, certificate }: SigningKey): Signer => ({
  certificate,
  chainCertificates: [],
  algorithm: CoseAlgorithmIdentifier.ES256,
  sign: async (data) => new Uint8Array(sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' })),
});
