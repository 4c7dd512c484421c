/**
 * The faces that this server does not take, because their persons asked for it: an embedding and a note for each, never
 * a picture, in blocked-faces.json in `storage.dir`, which only the user of the server may read.
 */

import { randomUUID } from 'node:crypto';
import { unwatchFile, watchFile } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { Config } from '../config.ts';
import type { Logger } from '../lib/log.ts';
import { SerialQueue } from '../lib/serial.ts';
import { withFolderLock } from '../lib/system/folder-lock.ts';
import { makeFolder } from '../lib/system/make-folder.ts';
import { notSaved, writeWhole } from '../lib/system/whole-file.ts';
import { distance, SAME_PERSON } from '../pipeline/face/embed.ts';
import { FaceOffError, messageOf } from '../shared/errors.ts';
import type { BlockedFace } from '../shared/messages.ts';
import { FileSeal, isKeyError } from './sealed-files.ts';

/** Numbers of an embedding. */
const LENGTH = 128;
/** The most faces that are listed. */
const MOST = 10_000;
/** The most characters of a note. */
const LONGEST_NOTE = 200;
/** How often a change of the file by another process is looked for. */
const WATCH_MS = 2000;

const File = z
  .array(
    z.strictObject({
      id: z.string(),
      note: z.string(),
      addedAt: z.string(),
      embedding: z.array(z.number()).length(LENGTH),
    }),
  )
  .max(MOST);

type Entry = z.infer<typeof File>[number];

/** The list, and its file. Main thread. */
export class BlockList {
  readonly #file: string;
  readonly #seal: FileSeal;
  readonly #changes = new SerialQueue();
  #entries: readonly { info: BlockedFace; embedding: Float32Array }[] = [];

  private constructor(storageDir: string, seal: FileSeal) {
    this.#seal = seal;
    this.#file = path.join(storageDir, 'blocked-faces.json');
  }

  /**
   * Reads the list; where there is no file, it is empty.
   * @throws FaceOffError `block_list_damaged` (500) for a file that cannot be read:
   *   going on without it would take the faces that it lists; `faces_key_missing`, `faces_key_wrong`.
   */
  static async open(config: Pick<Config, 'storage' | 'faces'>): Promise<BlockList> {
    const list = new BlockList(config.storage.dir, await FileSeal.of(config));
    await list.#read();
    return list;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** All entries, in the order in which they were added. */
  list(): BlockedFace[] {
    return this.#entries.map(({ info }) => info);
  }

  /**
   * Adds a face.
   * @param embedding 128 numbers. @param note for people; control characters are left out, and what exceeds 200 characters.
   * @throws FaceOffError `too_many_blocked_faces`, `not_saved` (507), `block_list_damaged` (500), and changes nothing.
   */
  add(embedding: Float32Array, note: string): Promise<BlockedFace> {
    return this.#change(async () => {
      // Another process may have added a face since the file was read.
      const entries = await this.#read();
      if (entries.length >= MOST)
        throw new FaceOffError('too_many_blocked_faces', `${MOST} faces are blocked already. Unblock one first.`);
      const info = {
        id: randomUUID(),
        note: note
          .replace(/\p{Cc}+/gu, ' ')
          .trim()
          .slice(0, LONGEST_NOTE),
        addedAt: new Date().toISOString(),
      };
      await this.#write([...entries, { ...info, embedding: [...embedding] }]);
      return info;
    });
  }

  /** Removes a face from the list. @throws FaceOffError `unknown_blocked_face` (404), `not_saved` (507), `block_list_damaged` (500). */
  remove(id: string): Promise<void> {
    return this.#change(async () => {
      const entries = await this.#read();
      const left = entries.filter((entry) => entry.id !== id);
      if (left.length === entries.length)
        throw new FaceOffError('unknown_blocked_face', `No blocked face has the id "${id.slice(0, 64)}".`);
      await this.#write(left);
    });
  }

  /** Refuses the face of a person who is listed. @param embedding 128 numbers. @throws FaceOffError `face_blocked` (403). */
  check(embedding: Float32Array): void {
    if (this.#entries.some((entry) => distance(entry.embedding, embedding) < SAME_PERSON))
      throw new FaceOffError(
        'face_blocked',
        'This server does not take this face: its person asked for that, or looks much like someone who did. Use another face.',
      );
  }

  /**
   * Follows changes of the file by other processes, until `close`. A file that cannot be read then leaves the list as it
   * is, with a warning.
   * @param onChange called once the list has changed.
   */
  watch(onChange: () => void, log: Logger): void {
    watchFile(this.#file, { interval: WATCH_MS, persistent: false }, () => {
      void this.#changes
        .run(() => this.#read())
        .then(onChange, (error: unknown) =>
          log.warn({ error: messageOf(error) }, 'the old list of blocked faces holds'),
        );
    });
  }

  /** Ends `watch`. Idempotent. */
  close(): void {
    unwatchFile(this.#file);
  }

  /** Runs a change while no other process makes one. */
  #change<T>(change: () => Promise<T>): Promise<T> {
    return this.#changes.run(async () => {
      const folder = path.dirname(this.#file);
      try {
        await makeFolder(folder);
        return await withFolderLock(folder, change);
      } catch (cause) {
        throw cause instanceof FaceOffError ? cause : notSaved('The list of blocked faces', cause);
      }
    });
  }

  async #read(): Promise<Entry[]> {
    try {
      const entries = File.parse(JSON.parse((await this.#seal.read(this.#file)).toString()));
      this.#use(entries);
      return entries;
    } catch (cause) {
      if (isKeyError(cause)) throw cause;
      const { code } = cause as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') {
        this.#entries = [];
        return [];
      }
      const why = code ?? 'it does not have the form of one';
      throw new FaceOffError(
        'block_list_damaged',
        `The list of blocked faces, ${this.#file}, cannot be read (${why}). Restore it, give access to it, or delete it to block no face.`,
        { cause },
      );
    }
  }

  async #write(entries: readonly Entry[]): Promise<void> {
    await writeWhole(this.#file, this.#seal.seal(`${JSON.stringify(entries)}\n`, this.#file), 0o600);
    this.#use(entries);
  }

  #use(entries: readonly Entry[]): void {
    this.#entries = entries.map(({ embedding, ...info }) => ({ info, embedding: Float32Array.from(embedding) }));
  }
}
