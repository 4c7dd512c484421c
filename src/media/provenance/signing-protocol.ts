import type { PictureOrigin } from './content-credentials.ts';

/** What the signing thread is started with. */
export interface SigningOptions {
  /** `storage.dir`, where the key is. */
  folder: string;
}

/** A picture to sign. */
export interface SigningRequest {
  id: number;
  picture: Uint8Array;
  origin: PictureOrigin;
}

/** The signed picture, or why there is none; and what has to be said of the key, if anything. */
export interface SigningReply {
  id: number;
  picture: Uint8Array | null;
  error: string | null;
  note: string | null;
}
