/**
 * The pictures for backgrounds, in data/backgrounds/ (storage.dir): one WebP a picture, written whole under its id and never
 * changed. Lanes read them from there.
 */

import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import type { Config } from '../../config.ts';
import { decodeApart } from '../../faces/pictures/decode-apart.ts';
import { frameToRgb } from '../../faces/portrait.ts';
import { SerialQueue } from '../../lib/serial.ts';
import { sharp } from '../../lib/sharp.ts';
import { makeFolder } from '../../lib/system/make-folder.ts';
import { notSaved, writeWhole } from '../../lib/system/whole-file.ts';
import { pictureFile, pictureId } from '../../pipeline/background/picture-file.ts';
import { backgroundsDir } from '../../pipeline/pool/lane-options.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { BackgroundInfo } from '../../shared/messages.ts';

/** Longest side of what is kept, in pixels. */
const LONGEST = 1920;
/** Size of thumbnails, in pixels. */
const THUMBNAIL = { width: 160, height: 90 };

/**
 * A picture as it is kept: WebP, at most LONGEST pixels a side, without metadata.
 * @throws FaceOffError `bad_picture` (415), `picture_too_large` (413), `picture_too_slow` (422).
 */
export async function encodeBackground(data: Uint8Array, limits: Config['limits']): Promise<Buffer> {
  const picture = await decodeApart(data, {
    bytes: limits.uploadBytes,
    pixels: limits.picturePixels,
    side: limits.pictureSide,
    longest: LONGEST,
    memory: limits.pictureMemoryMb * 2 ** 20,
    timeMs: limits.pictureTimeoutMs,
  });
  const { width, height } = picture;
  return sharp(frameToRgb(picture), { raw: { width, height, channels: 3 } })
    .webp({ quality: 90 })
    .toBuffer();
}

/** Runs on the main thread; pictures are decoded and written on sharp's. */
export class BackgroundLibrary {
  readonly #config: Pick<Config, 'limits' | 'storage'>;
  /** One picture is decoded, added or removed at a time. */
  readonly #changes = new SerialQueue();

  /** @param config read at each call. */
  constructor(config: Pick<Config, 'limits' | 'storage'>) {
    this.#config = config;
  }

  get #folder(): string {
    return backgroundsDir(this.#config);
  }

  /** In the order in which they were added. */
  async list(): Promise<BackgroundInfo[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const known = names.flatMap((name) => pictureId(name) ?? []);
    const found = await Promise.all(known.map((id) => this.#infoOf(id)));
    return found
      .filter((info) => info !== null)
      .sort((a, b) => a.addedAt.localeCompare(b.addedAt) || a.id.localeCompare(b.id));
  }

  /**
   * Keeps a picture.
   * @throws FaceOffError `bad_picture` (415), `picture_too_large` (413), `picture_too_slow` (422), `too_many_backgrounds`,
   *   `not_saved` (507).
   */
  add(data: Uint8Array): Promise<BackgroundInfo> {
    return this.#changes.run(async () => {
      const { backgrounds } = this.#config.limits;
      if ((await this.list()).length >= backgrounds)
        throw new FaceOffError(
          'too_many_backgrounds',
          `There are already ${backgrounds} backgrounds. Delete one first, or raise limits.backgrounds.`,
        );
      const file = await encodeBackground(data, this.#config.limits);
      const id = randomBytes(6).toString('hex');
      try {
        await makeFolder(this.#folder);
        await writeWhole(pictureFile(this.#folder, id)!, file);
      } catch (cause) {
        throw notSaved('The background', cause);
      }
      return (await this.#infoOf(id)) ?? { id, addedAt: new Date().toISOString() };
    });
  }

  /** @throws FaceOffError `unknown_background` (404), `not_saved` (507). */
  remove(id: string): Promise<void> {
    return this.#changes.run(async () => {
      await rm(this.#file(id)).catch((cause: NodeJS.ErrnoException) => {
        throw cause.code === 'ENOENT' ? unknownBackground(id) : notSaved('The removal of the background', cause);
      });
    });
  }

  /** WebP, 160 x 90. @throws FaceOffError `unknown_background` (404), `background_damaged` (410). */
  async thumbnail(id: string): Promise<Uint8Array> {
    const data = await readFile(this.#file(id)).catch(() => {
      throw unknownBackground(id);
    });
    const { width, height } = THUMBNAIL;
    return sharp(data)
      .resize(width, height, { fit: 'cover' })
      .webp({ quality: 85 })
      .toBuffer()
      .catch((cause: unknown) => {
        throw new FaceOffError(
          'background_damaged',
          'The picture of this background is damaged on disk. Delete it, and add it again.',
          { cause },
        );
      });
  }

  /** Null where the picture is gone. */
  async #infoOf(id: string): Promise<BackgroundInfo | null> {
    const info = await stat(this.#file(id)).catch(() => null);
    return info === null ? null : { id, addedAt: info.mtime.toISOString() };
  }

  #file(id: string): string {
    const file = pictureFile(this.#folder, id);
    if (file === null) throw unknownBackground(id);
    return file;
  }
}

const unknownBackground = (id: string): FaceOffError =>
  new FaceOffError(
    'unknown_background',
    `There is no background with the id "${id.slice(0, 64)}". GET /api/backgrounds lists those there are.`,
  );
