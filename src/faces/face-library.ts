/**
 * The source faces: those that FaceOff comes with, and those that people added, kept in data/faces/ (storage.dir) on this
 * machine. Each face is a folder with its photos, cut to the face, and a face.json; the folder is written under another
 * name and renamed, so that no half-written face is ever read.
 */

import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { shippedModels } from '../lib/installation.ts';
import { SerialQueue } from '../lib/serial.ts';
import { sharp } from '../lib/sharp.ts';
import { makeFolder } from '../lib/system/make-folder.ts';
import { notSaved, writeWhole } from '../lib/system/whole-file.ts';
import type { Portrait } from '../pipeline/engines/engine.ts';
import type { Pool } from '../pipeline/pool/pool.ts';
import { FaceOffError, messageOf } from '../shared/errors.ts';
import type { BlockedFace, ConsentRecord, FaceInfo, FacePreview, FaceReport } from '../shared/messages.ts';
import type { Frame } from '../shared/types.ts';
import { BlockList } from './block-list.ts';
import { confirmationOf, consentedAt, consentFile, isConsentDue, readConfirmations } from './consent.ts';
import { cut, imageOf } from './face-cut.ts';
import { type FaceEntry, FaceRecord, writeFace, writePhoto } from './face-files.ts';
import { PhotoReports, photosToAdd } from './face-report.ts';
import { adviceOn } from './photo-advice.ts';
import { chooseFace, decodePicture, type PictureLimits } from './portrait.ts';
import { isPainted, SHIPPED_FACES } from './shipped-faces.ts';

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
}

const MOST_PHOTOS = 8;
const THUMBNAIL = 160;

/** Errors of photos that no face can be enrolled from. */
const UNWEARABLE: ReadonlySet<string> = new Set(['face_damaged', 'no_face']);

/** Whether a face comes with FaceOff, or is on disk; its photos may still be damaged. */
export const isStoredFace = ({ storage }: Pick<Config, 'storage'>, id: string): boolean =>
  SHIPPED_FACES.some((face) => face.id === id) || existsSync(path.join(storage.dir, 'faces', id, 'face.json'));

/** The faces on disk. Runs on the main thread; lanes analyse the photos. */
export class FaceLibrary implements Faces {
  readonly #folder: string;
  readonly #config: Config['limits'];
  readonly #faces: Config['faces'];
  readonly #pool: Pool;
  readonly #blockList: BlockList;
  readonly #entries = new Map<string, FaceEntry>();
  /** Ids of entries whose face is blocked. */
  readonly #withheld = new Set<string>();
  /** Embeddings of photos, by the photo's path: photos are never changed. */
  readonly #embeddings = new Map<string, Float32Array>();
  readonly #reports: PhotoReports;
  /** Additions and removals, one at a time. */
  readonly #changes = new SerialQueue();
  /** One upload is decoded at a time, as the whole process shares libuv's few threads. */
  readonly #decodings = new SerialQueue();

  private constructor({ storage, limits, faces }: Config, pool: Pool, blockList: BlockList) {
    this.#faces = faces;
    this.#folder = path.join(storage.dir, 'faces');
    this.#config = limits;
    this.#pool = pool;
    this.#reports = new PhotoReports(pool);
    this.#blockList = blockList;
  }

  /**
   * Reads the folder and offers every face to the pool. A face that cannot be read is left out with a warning; so are all
   * where the folder cannot be read.
   * @param onBlocked called after the list of blocked faces was changed by another process.
   * @throws FaceOffError `block_list_damaged` (500).
   */
  static async open(
    config: Config,
    pool: Pool,
    log: Logger,
    onBlocked: () => void = () => undefined,
  ): Promise<FaceLibrary> {
    const library = new FaceLibrary(config, pool, await BlockList.open(config.storage.dir));
    for (const { id, name } of SHIPPED_FACES) {
      library.#register({
        id,
        name,
        builtIn: true,
        folder: shippedModels(config.models.dir),
        addedAt: '2026-01-01T00:00:00.000Z',
        photos: [`portraits/${id}.webp`],
        licence: 'public domain',
        confirmations: [],
      });
    }
    for (const id of await library.#names(log)) {
      const folder = path.join(library.#folder, id);
      if (id.endsWith('.part')) {
        await rm(folder, { recursive: true, force: true }).catch(() => undefined);
        continue;
      }
      try {
        const record = FaceRecord.parse(JSON.parse(await readFile(path.join(folder, 'face.json'), 'utf8')));
        // A record that cannot be read is none: the consent is asked again.
        const confirmations = await readConfirmations(folder).catch((error: unknown) => {
          log.warn({ face: id, error: messageOf(error) }, 'the consent for a face cannot be read');
          return [];
        });
        library.#register({ ...record, id, builtIn: false, folder, confirmations });
      } catch (error) {
        log.warn({ face: id, error: messageOf(error) }, 'face cannot be read, left out');
      }
    }
    const due = library.list().filter(({ consentDue }) => consentDue).length;
    if (due > 0) log.warn({ due }, 'faces wait until the consent for them is confirmed again, in the gallery');
    if (!library.#blockList.isEmpty) await library.#withholdBlocked();
    library.#blockList.watch(() => void library.#changes.run(() => library.#withholdBlocked()).then(onBlocked), log);
    return library;
  }

  /** Follows the list of blocked faces no more. Idempotent. */
  close(): void {
    this.#blockList.close();
  }

  list(): FaceInfo[] {
    return [...this.#entries.values()]
      .filter(({ id }) => !this.#withheld.has(id))
      .sort((a, b) => a.addedAt.localeCompare(b.addedAt))
      .map((entry) => this.#infoOf(entry));
  }

  blocked(): BlockedFace[] {
    return this.#blockList.list();
  }

  async block({ data, note, pick }: BlockedUpload): Promise<BlockedFace> {
    const picture = await this.#decodings.run(() => decodePicture(data, this.#limits));
    const { embedding } = chooseFace(picture, await this.#pool.analyse(copyOf(picture)), pick);
    return this.#changes.run(async () => {
      const blocked = await this.#blockList.add(embedding, note);
      await this.#withholdBlocked();
      return blocked;
    });
  }

  unblock(id: string): Promise<void> {
    return this.#changes.run(async () => {
      await this.#blockList.remove(id);
      await this.#withholdBlocked();
    });
  }

  async add(upload: UploadedFace): Promise<FaceInfo> {
    this.#checkRoom(upload);
    const picture = await this.#decodings.run(() => decodePicture(upload.data, this.#limits));
    return this.#changes.run(async () => {
      const known = this.#checkRoom(upload);
      const chosen = chooseFace(picture, await this.#pool.analyse(copyOf(picture)), upload.pick);
      this.#blockList.check(chosen.embedding);
      const photo = await cut(picture, chosen);
      const entry = await this.#write(known, upload, photo);
      this.#register(entry);
      return this.#infoOf(entry);
    });
  }

  async preview(upload: UploadedFace): Promise<FacePreview> {
    const known = this.#checkRoom(upload);
    const picture = await this.#decodings.run(() => decodePicture(upload.data, this.#limits));
    const { points, embedding } = chooseFace(picture, await this.#pool.analyse(copyOf(picture)), upload.pick);
    this.#blockList.check(embedding);
    const others = known === null ? [] : await this.portraits(known.id);
    const { picture: shown, flaws } = await this.#pool.preview([...others, { picture, points }]);
    const image = await imageOf(shown).webp({ quality: 90 }).toBuffer();
    return { picture: `data:image/webp;base64,${image.toString('base64')}`, findings: adviceOn(flaws) };
  }

  get #limits(): PictureLimits {
    const { uploadBytes, picturePixels, pictureSide, pictureMemoryMb, pictureTimeoutMs } = this.#config;
    return {
      bytes: uploadBytes,
      pixels: picturePixels,
      side: pictureSide,
      memory: pictureMemoryMb * 2 ** 20,
      timeMs: pictureTimeoutMs,
    };
  }

  /** @returns the face that the upload is a further photo of, or null. @throws FaceOffError when there is no room. */
  #checkRoom(upload: UploadedFace): FaceEntry | null {
    const known = upload.to === undefined ? null : this.#ownEntry(upload.to);
    if (known !== null && this.#withheld.has(known.id)) throw unknown(known.id);
    const most = this.#config.faces;
    if (known === null && [...this.#entries.values()].filter(({ builtIn }) => !builtIn).length >= most)
      throw new FaceOffError('too_many_faces', `There are already ${most} faces. Delete one, or raise limits.faces.`);
    if (known !== null && known.photos.length >= MOST_PHOTOS) {
      throw new FaceOffError(
        'too_many_photos',
        `This face already has ${MOST_PHOTOS} photos, which is as many as help.`,
      );
    }
    return known;
  }

  remove(id: string): Promise<void> {
    return this.#changes.run(async () => {
      const { folder } = this.#ownEntry(id);
      // Renamed first: an interrupted removal is finished at the next start.
      const aside = `${folder}.part`;
      await rename(folder, aside).catch((cause: unknown) => {
        throw notSaved('The removal of the face', cause);
      });
      this.#entries.delete(id);
      this.#withheld.delete(id);
      this.#pool.withdraw(id);
      await rm(aside, { recursive: true, force: true }).catch(() => undefined);
    });
  }

  consent(id: string): ConsentRecord {
    const { name, confirmations } = this.#ownEntry(id);
    return { face: id, name, due: this.#infoOf(this.#entry(id)).consentDue, confirmations };
  }

  confirm(id: string, by: string | null): Promise<FaceInfo> {
    return this.#changes.run(async () => {
      const { folder, photos, confirmations } = this.#ownEntry(id);
      const kept = photos.map(async (photo) => ({
        photo,
        data: await readFile(path.join(folder, photo)),
        upload: null,
      }));
      const confirmed = await Promise.all(kept).catch((cause: unknown) => {
        throw damaged(id, cause);
      });
      const all = [...confirmations, confirmationOf(confirmed, by)];
      await writeWhole(...consentFile(folder, all)).catch((cause: unknown) => {
        throw notSaved('The consent', cause);
      });
      const entry = { ...this.#entry(id), confirmations: all };
      // The face is as it was: lanes keep what they enrolled.
      this.#entries.set(id, entry);
      return this.#infoOf(entry);
    });
  }

  async thumbnail(id: string): Promise<Uint8Array> {
    const { folder, photos } = this.#offered(id);
    const image = sharp(path.join(folder, photos[0]!)).resize(THUMBNAIL, THUMBNAIL, { fit: 'cover', position: 'top' });
    return image
      .webp({ quality: 85 })
      .toBuffer()
      .catch((cause: unknown) => {
        throw damaged(id, cause);
      });
  }

  async photo(id: string, index: number): Promise<Uint8Array> {
    const { folder, photos } = this.#offered(id);
    const photo = photos[index];
    if (photo === undefined) throw new FaceOffError('unknown_photo', `This face has ${photos.length} photos, from 0.`);
    return readFile(path.join(folder, photo)).catch((cause: unknown) => Promise.reject(damaged(id, cause)));
  }

  async report(id: string): Promise<FaceReport> {
    const entry = this.#offered(id);
    const photos = await this.#reports.of(entry, (file) => this.#decodedPhoto(id, file));
    return { face: this.#infoOf(entry), photos, advice: photosToAdd(photos) };
  }

  async #decodedPhoto(id: string, file: string): Promise<Frame> {
    try {
      return await decodePicture(await readFile(file), this.#limits);
    } catch (cause) {
      throw damaged(id, cause);
    }
  }

  /**
   * The photos of a source face with its landmarks, to enrol it from.
   * @throws FaceOffError `unknown_face` (404), `face_blocked` (403), `face_damaged` (410), `no_face` (422).
   */
  async portraits(id: string): Promise<Portrait[]> {
    const { folder, photos } = this.#entry(id);
    const portraits = [];
    for (const photo of photos) {
      const file = path.join(folder, photo);
      const picture = await this.#decodedPhoto(id, file);
      const [face] = await this.#pool.analyse(copyOf(picture));
      if (face === undefined) continue;
      this.#embeddings.set(file, face.embedding);
      if (!isPainted(id)) this.#blockList.check(face.embedding);
      portraits.push({ picture, points: face.points });
    }
    if (portraits.length === 0)
      throw new FaceOffError('no_face', `The photos of the face ${id} show no face any more.`);
    return portraits;
  }

  /** Withholds the faces that are blocked, and offers those again that are not any more. */
  async #withholdBlocked(): Promise<void> {
    for (const entry of this.#entries.values()) {
      const isBlocked = await this.#isBlocked(entry);
      if (isBlocked === this.#withheld.has(entry.id)) continue;
      if (isBlocked) {
        this.#withheld.add(entry.id);
        this.#pool.withdraw(entry.id);
      } else {
        this.#withheld.delete(entry.id);
        this.#register(entry);
      }
    }
  }

  /**
   * Whether a photo of the face shows a blocked one, or that cannot be told. A face whose photos cannot be read, or show
   * no face, is listed: it cannot be worn either.
   */
  async #isBlocked({ id, folder, photos }: FaceEntry): Promise<boolean> {
    if (this.#blockList.isEmpty || isPainted(id)) return false;
    const files = photos.map((photo) => path.join(folder, photo));
    try {
      if (!files.every((file) => this.#embeddings.has(file))) await this.portraits(id);
      for (const file of files) {
        const embedding = this.#embeddings.get(file);
        if (embedding !== undefined) this.#blockList.check(embedding);
      }
      return false;
    } catch (error) {
      return !(error instanceof FaceOffError && UNWEARABLE.has(error.code));
    }
  }

  /** Names in the folder, which is made where it is missing; none, with a warning, where that cannot be. */
  async #names(log: Logger): Promise<string[]> {
    try {
      await makeFolder(this.#folder);
      return await readdir(this.#folder);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      log.warn(
        { folder: this.#folder, code },
        'storage.dir cannot be used: there are no own faces, and none can be kept',
      );
      return [];
    }
  }

  #register(entry: FaceEntry): void {
    this.#entries.set(entry.id, entry);
    this.#pool.offer(
      entry.id,
      () => this.portraits(entry.id),
      () => this.#requireConsent(entry.id),
    );
  }

  /** @throws FaceOffError `consent_due` (409) while the consent for the face is not recorded, or too old. */
  #requireConsent(id: string): void {
    const entry = this.#entry(id);
    if (!this.#infoOf(entry).consentDue) return;
    throw new FaceOffError(
      'consent_due',
      `The consent for the face ${entry.name} is not recorded, or older than faces.consentDays. Confirm in the gallery that it may be used, or POST {"consent": true} to /api/faces/${id}/consent.`,
    );
  }

  #infoOf({ id, name, builtIn, addedAt, photos, licence, confirmations }: FaceEntry): FaceInfo {
    const at = builtIn ? null : consentedAt(confirmations, photos);
    return {
      id,
      name,
      builtIn,
      addedAt,
      photos: photos.length,
      licence: licence ?? null,
      thumbnail: `/api/faces/${id}/thumbnail`,
      consentedAt: at,
      consentDue: !builtIn && isConsentDue(at, this.#faces.consentDays),
    };
  }

  /** @throws FaceOffError `unknown_face` (404). */
  #entry(id: string): FaceEntry {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw unknown(id);
    return entry;
  }

  /** A face that is not withheld. @throws FaceOffError `unknown_face` (404). */
  #offered(id: string): FaceEntry {
    if (this.#withheld.has(id)) throw unknown(id);
    return this.#entry(id);
  }

  /** A face that people added. @throws FaceOffError `unknown_face` (404), `built_in_face` (403). */
  #ownEntry(id: string): FaceEntry {
    const entry = this.#entry(id);
    if (entry.builtIn)
      throw new FaceOffError('built_in_face', 'This face comes with FaceOff and cannot be changed or deleted.');
    return entry;
  }

  /** Writes a new face, or a further photo of one. @throws FaceOffError `not_saved` (507), and leaves nothing behind. */
  async #write(known: FaceEntry | null, upload: UploadedFace, photo: Uint8Array): Promise<FaceEntry> {
    try {
      return await (known === null ? writeFace(this.#folder, upload, photo) : writePhoto(known, upload, photo));
    } catch (cause) {
      throw notSaved('The face', cause);
    }
  }
}

const unknown = (id: string): FaceOffError => new FaceOffError('unknown_face', `There is no face with the id "${id}".`);

/** The error for a face whose photos were damaged on disk, or are gone: `face_damaged` (410). */
const damaged = (id: string, cause: unknown): FaceOffError =>
  new FaceOffError(
    'face_damaged',
    `The photos of the face ${id} cannot be read any more: ${messageOf(cause)}. Delete the face, and add it again.`,
    { cause },
  );

/** A copy to move to a lane, as the picture is still needed here. */
const copyOf = (frame: Frame): Frame => ({ ...frame, data: frame.data.slice() });
