/**
 * The source faces: those that FaceOff comes with, and those that people added, kept in data/faces/ (storage.dir), which
 * several servers and workers may share. Each face is a folder with its photos, cut to the face, and a face.json; the folder
 * is written under another name and renamed, so that no half-written face is ever read.
 */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { shippedModels } from '../lib/installation.ts';
import { SerialQueue } from '../lib/serial.ts';
import { sharp } from '../lib/sharp.ts';
import { notSaved } from '../lib/system/whole-file.ts';
import type { Portrait } from '../pipeline/engines/engine.ts';
import type { Pool } from '../pipeline/pool/pool.ts';
import { FaceOffError } from '../shared/errors.ts';
import type { BlockedFace, ConsentRecord, FaceInfo, FacePreview, FaceReport } from '../shared/messages.ts';
import type { Frame } from '../shared/types.ts';
import { BlockList } from './block-list.ts';
import { confirmationOf, consentedAt, isConsentDue } from './consent.ts';
import { cut, imageOf } from './face-cut.ts';
import { damagedFace, type FaceEntry, FaceFolder, unknownFace } from './face-files.ts';
import { adviceFor, PhotoReports } from './face-report.ts';
import type { BlockedUpload, Faces, UploadedFace } from './face-service.ts';
import { FaceWatch, type LibraryParts } from './face-watch.ts';
import { adviceOn } from './photo-advice.ts';
import { decodeApart } from './pictures/decode-apart.ts';
import { chooseFace, decodePicture, type PictureLimits } from './portrait.ts';
import { FileSeal } from './sealed-files.ts';
import { isPainted, SHIPPED_FACES } from './shipped-faces.ts';

/** How often changes by other processes are looked for. */
const LOOK_MS = 2000;
const MOST_PHOTOS = 8;
const THUMBNAIL = 160;

/** Errors of photos that no face can be enrolled from. */
const UNWEARABLE: ReadonlySet<string> = new Set(['face_damaged', 'no_face']);

/** Whether a face comes with FaceOff, or is on disk; its photos may still be damaged. */
export const isStoredFace = ({ storage }: Pick<Config, 'storage'>, id: string): boolean =>
  SHIPPED_FACES.some((face) => face.id === id) || existsSync(path.join(storage.dir, 'faces', id, 'face.json'));

/** The faces on disk. Runs on the main thread; lanes analyse the photos. */
export class FaceLibrary implements Faces {
  readonly #folder: FaceFolder;
  readonly #watch: FaceWatch;
  #timer: NodeJS.Timeout | undefined;
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
  #onGone: (wearers: readonly string[]) => void = () => undefined;
  /** One upload is decoded at a time, so that they do not take the streams' cores. */
  readonly #decodings = new SerialQueue();

  private constructor({ limits, faces }: Config, pool: Pool, { folder, blockList, log }: LibraryParts) {
    this.#faces = faces;
    this.#folder = folder;
    this.#watch = new FaceWatch({
      folder,
      log,
      take: (entry) => this.#take(entry),
      lose: (id) => this.#onGone(this.#forget(id)),
    });
    this.#config = limits;
    this.#pool = pool;
    this.#reports = new PhotoReports(pool);
    this.#blockList = blockList;
  }

  /**
   * Reads the folder and offers every face to the pool. A face that cannot be read is left out with a warning; so are all
   * where the folder cannot be read.
   * @throws FaceOffError `block_list_damaged`, `faces_key_missing`, `faces_key_wrong` (500), `bad_config` for a key that is none.
   */
  static async open(config: Config, pool: Pool, log: Logger): Promise<FaceLibrary> {
    const { dir } = config.storage;
    const folder = new FaceFolder(path.join(dir, 'faces'), await FileSeal.of(config));
    const blockList = await BlockList.open(config);
    const library = new FaceLibrary(config, pool, { folder, blockList, log });
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
    await folder.clean();
    const ids = await folder.ids().catch((error: NodeJS.ErrnoException) => {
      const told = { folder: dir, code: error.code };
      log.warn(told, 'storage.dir cannot be used: there are no own faces, and none can be kept');
      return [];
    });
    await library.#watch.compare(ids, true);
    const due = library.list().filter(({ consentDue }) => consentDue).length;
    if (due > 0) log.warn({ due }, 'faces wait until the consent for them is confirmed again, in the gallery');
    if (!library.#blockList.isEmpty) await library.#withholdBlocked();
    library.#blockList.watch(() => void library.#changes.run(() => library.#withholdBlocked()), log);
    library.#timer = setInterval(() => void library.look(), LOOK_MS).unref();
    return library;
  }

  /** Follows changes by other processes no more. Idempotent. */
  close(): void {
    clearInterval(this.#timer);
    this.#blockList.close();
  }

  /** Takes over now what other processes changed, rather than within two seconds. */
  async look(): Promise<void> {
    await this.#changes.run(async () => {
      // A shared folder that cannot be reached at the moment is no folder without faces.
      const ids = await this.#folder.ids().catch(() => null);
      if (ids !== null && (await this.#watch.compare(ids, false))) this.#onGone([]);
    });
  }

  follow(onGone: (wearers: readonly string[]) => void): void {
    this.#onGone = onGone;
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
    const picture = await this.#decodings.run(() => decodeApart(data, this.#limits));
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
    const picture = await this.#decodings.run(() => decodeApart(upload.data, this.#limits));
    return this.#changes.run(async () => {
      const known = this.#checkRoom(upload);
      const chosen = chooseFace(picture, await this.#pool.analyse(copyOf(picture)), upload.pick);
      this.#blockList.check(chosen.embedding);
      const photo = await cut(picture, chosen);
      const entry = await this.#write(known, upload, photo);
      await this.#watch.own(entry.id);
      this.#register(entry);
      return this.#infoOf(entry);
    });
  }

  async preview(upload: UploadedFace): Promise<FacePreview> {
    const known = this.#checkRoom(upload);
    const picture = await this.#decodings.run(() => decodeApart(upload.data, this.#limits));
    const { points, embedding } = chooseFace(picture, await this.#pool.analyse(copyOf(picture)), upload.pick);
    this.#blockList.check(embedding);
    const others = known === null ? [] : await this.portraits(known.id);
    const { picture: shown, flaws } = await this.#pool.preview([...others, { picture, points }]);
    const image = await imageOf(shown).webp({ quality: 90 }).toBuffer();
    return { picture: `data:image/webp;base64,${image.toString('base64')}`, findings: adviceOn(flaws) };
  }

  get #limits(): Required<Omit<PictureLimits, 'longest'>> {
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
    if (known !== null && this.#withheld.has(known.id)) throw unknownFace(known.id);
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
      await this.#folder.remove(this.#ownEntry(id)).catch((cause: unknown) => {
        throw notSaved('The removal of the face', cause);
      });
      this.#watch.forget(id);
      this.#onGone(this.#forget(id));
    });
  }

  consent(id: string): ConsentRecord {
    const { name, confirmations } = this.#ownEntry(id);
    return { face: id, name, due: this.#infoOf(this.#entry(id)).consentDue, confirmations };
  }

  confirm(id: string, by: string | null): Promise<FaceInfo> {
    return this.#changes.run(async () => {
      const known = this.#ownEntry(id);
      const kept = known.photos.map(async (photo) => ({
        photo,
        data: await this.#folder.photo(known, photo),
        upload: null,
      }));
      const photos = await Promise.all(kept).catch((cause: unknown) => {
        throw damagedFace(id, cause);
      });
      const entry = await this.#folder.confirm(known, confirmationOf(photos, by)).catch((cause: unknown) => {
        throw cause instanceof FaceOffError ? cause : notSaved('The consent', cause);
      });
      // The face is as it was: lanes keep what they enrolled.
      this.#entries.set(id, entry);
      await this.#watch.own(id);
      return this.#infoOf(entry);
    });
  }

  async thumbnail(id: string): Promise<Uint8Array> {
    const entry = this.#offered(id);
    try {
      const photo = await this.#photo(entry, entry.photos[0]!);
      const image = sharp(photo).resize(THUMBNAIL, THUMBNAIL, { fit: 'cover', position: 'top' });
      return await image.webp({ quality: 85 }).toBuffer();
    } catch (cause) {
      throw damagedFace(id, cause);
    }
  }

  async photo(id: string, index: number): Promise<Uint8Array> {
    const entry = this.#offered(id);
    const { length } = entry.photos;
    const photo = entry.photos[index];
    if (photo === undefined) throw new FaceOffError('unknown_photo', `This face has ${length} photos, from 0.`);
    return this.#photo(entry, photo).catch((cause: unknown) => Promise.reject(damagedFace(id, cause)));
  }

  async report(id: string): Promise<FaceReport> {
    const entry = this.#offered(id);
    const photos = await this.#reports.of(entry, (file) => this.#decodedPhoto(entry, file));
    return { face: this.#infoOf(entry), photos, ...adviceFor(photos) };
  }

  /** @param file path of one of the face's photos. */
  async #decodedPhoto(entry: FaceEntry, file: string): Promise<Frame> {
    try {
      return await decodePicture(await this.#photo(entry, path.relative(entry.folder, file)), this.#limits);
    } catch (cause) {
      throw damagedFace(entry.id, cause);
    }
  }

  /**
   * The photos of a source face with its landmarks, to enrol it from.
   * @throws FaceOffError `unknown_face` (404), `face_blocked` (403), `face_damaged` (410), `no_face` (422).
   */
  async portraits(id: string): Promise<Portrait[]> {
    const entry = this.#entry(id);
    const portraits = [];
    for (const photo of entry.photos) {
      const file = path.join(entry.folder, photo);
      const picture = await this.#decodedPhoto(entry, file);
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
        this.#onGone(this.#pool.withdraw(entry.id));
      } else {
        this.#withheld.delete(entry.id);
        this.#register(entry);
        this.#onGone([]);
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

  /** Takes over a face that another process wrote. */
  async #take(entry: FaceEntry): Promise<void> {
    const { id, photos } = entry;
    // With the same photos lanes keep what they enrolled.
    if (this.#entries.get(id)?.photos.join() === photos.join()) this.#entries.set(id, entry);
    else this.#register(entry);
    if (this.#withheld.has(id) || !(await this.#isBlocked(entry))) return;
    this.#withheld.add(id);
    this.#onGone(this.#pool.withdraw(id));
  }

  /** @returns the ids of the sessions that wore the face. */
  #forget(id: string): readonly string[] {
    this.#entries.delete(id);
    this.#withheld.delete(id);
    return this.#pool.withdraw(id);
  }

  #photo(entry: FaceEntry, photo: string): Promise<Buffer> {
    return entry.builtIn ? readFile(path.join(entry.folder, photo)) : this.#folder.photo(entry, photo);
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
    if (entry === undefined) throw unknownFace(id);
    return entry;
  }

  /** A face that is not withheld. @throws FaceOffError `unknown_face` (404). */
  #offered(id: string): FaceEntry {
    if (this.#withheld.has(id)) throw unknownFace(id);
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
      return await (known === null ? this.#folder.write(upload, photo) : this.#folder.addPhoto(known, upload, photo));
    } catch (cause) {
      throw cause instanceof FaceOffError ? cause : notSaved('The face', cause);
    }
  }
}

/** A copy to move to a lane, as the picture is still needed here. */
const copyOf = (frame: Frame): Frame => ({ ...frame, data: frame.data.slice() });
