/** The library of source faces as routes and packs use it. */

import type { BlockedFace, ConsentRecord, FaceInfo, FacePreview, FaceReport } from '../shared/messages.ts';

/** A photo that a person adds. */
export interface UploadedFace {
  /** The picture file. */
  data: Uint8Array;
  name: string;
  /** Index of the face to take, where the picture shows several. */
  pick?: number;
  /** Id of an existing face that this is a further photo of. */
  to?: string;
  /** Name of the person who confirmed that the face may be used. */
  confirmedBy?: string;
  /** Licence of the photo, where one is known. */
  licence?: string;
}

/** A picture of a face that is to be blocked. */
export interface BlockedUpload {
  /** The picture file. It is not kept. */
  data: Uint8Array;
  /** For people: the source of the request, for instance. */
  note: string;
  /** Index of the face to take, where the picture shows several. */
  pick?: number;
}

/** The library as the server uses it. */
export interface Faces {
  list(): FaceInfo[];
  /**
   * @throws FaceOffError `bad_picture` (415), `picture_too_large` (413), `picture_too_slow`, `no_face`, `face_too_small`,
   *   `face_turned` (422), `several_faces` (409, details SeveralFaces), `unknown_face` (404), `face_blocked` (403),
   *   `too_many_faces`, `not_saved` (507).
   */
  add(upload: UploadedFace): Promise<FaceInfo>;
  /** How the face would look if it were added; nothing is kept. @throws FaceOffError as `add` does. */
  preview(upload: UploadedFace): Promise<FacePreview>;
  /** Removes the face with its photos and its consent. @throws FaceOffError `unknown_face` (404), `built_in_face` (403), `not_saved` (507). */
  remove(id: string): Promise<void>;
  /** The consent for a face. @throws FaceOffError `unknown_face` (404), `built_in_face` (403). */
  consent(id: string): ConsentRecord;
  /**
   * Records that the face may be used, for all its photos.
   * @param by name of the person who confirms; null if none was given.
   * @throws FaceOffError `unknown_face` (404), `built_in_face` (403), `face_damaged` (410), `not_saved` (507).
   */
  confirm(id: string, by: string | null): Promise<FaceInfo>;
  /** WebP, 160 x 160. @throws FaceOffError `unknown_face` (404), `face_damaged` (410). */
  thumbnail(id: string): Promise<Uint8Array>;
  /** How well a face will do. @throws FaceOffError `unknown_face` (404), `face_damaged` (410). */
  report(id: string): Promise<FaceReport>;
  /** A photo as it is kept, WebP. @param index from 0. @throws FaceOffError `unknown_face`, `unknown_photo` (404), `face_damaged` (410). */
  photo(id: string, index: number): Promise<Uint8Array>;
  /** The faces that are not taken. */
  blocked(): BlockedFace[];
  /**
   * Takes the face of this picture no more. Faces of the library that look like it are withheld: they are not listed, and
   * sessions that wear them go on without a face.
   * @throws FaceOffError those of `add` about the picture, `too_many_blocked_faces`, `not_saved` (507), `block_list_damaged` (500).
   */
  block(upload: BlockedUpload): Promise<BlockedFace>;
  /** @throws FaceOffError `unknown_blocked_face` (404), `not_saved` (507), `block_list_damaged` (500). */
  unblock(id: string): Promise<void>;
  /**
   * Tells of faces that are gone: removed, blocked, or unblocked, also by another process.
   * @param onGone called with the ids of the sessions that wore such a face; the list is changed by then.
   */
  follow(onGone: (wearers: readonly string[]) => void): void;
}
