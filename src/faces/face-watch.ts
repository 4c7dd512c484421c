/** Which faces of a folder that several processes share are new, changed or gone. */

import type { Logger } from '../lib/log.ts';
import { messageOf } from '../shared/errors.ts';
import type { BlockList } from './block-list.ts';
import type { FaceEntry, FaceFolder } from './face-files.ts';
import { isKeyError } from './sealed-files.ts';

/** What a library is made of. */
export interface LibraryParts {
  folder: FaceFolder;
  blockList: BlockList;
  log: Logger;
}

/** What is done with what was found. */
export interface FaceWatchConf {
  folder: FaceFolder;
  log: Logger;
  /** A face is new, or another one than before. */
  take(entry: FaceEntry): Promise<void>;
  /** A face is not there any more. */
  lose(id: string): void;
}

/** Compares the folder with what was read of it before. */
export class FaceWatch {
  readonly #conf: FaceWatchConf;
  /** What each face's files were when they were read, by its id. */
  readonly #states = new Map<string, string | null>();

  constructor(conf: FaceWatchConf) {
    this.#conf = conf;
  }

  /**
   * Takes over what changed.
   * @param ids the faces that are there. @param isStart whether a key that does not fit ends it.
   * @returns whether anything did. @throws FaceOffError `faces_key_missing`, `faces_key_wrong`, at the start alone.
   */
  async compare(ids: readonly string[], isStart: boolean): Promise<boolean> {
    let isChanged = false;
    for (const id of ids) {
      const state = await this.#conf.folder.stateOf(id);
      if (this.#states.has(id) && this.#states.get(id) === state) continue;
      // A face that cannot be read is looked at again when its files change.
      this.#states.set(id, state);
      isChanged = (await this.#read(id, isStart)) || isChanged;
    }
    const there = new Set(ids);
    for (const id of [...this.#states.keys()].filter((known) => !there.has(known))) {
      this.forget(id);
      this.#conf.lose(id);
      isChanged = true;
    }
    return isChanged;
  }

  /** What this process wrote itself is no change. */
  async own(id: string): Promise<void> {
    this.#states.set(id, await this.#conf.folder.stateOf(id));
  }

  /** This process removed the face itself. */
  forget(id: string): void {
    this.#states.delete(id);
  }

  async #read(id: string, isStart: boolean): Promise<boolean> {
    const { folder, log, take } = this.#conf;
    try {
      const entry = await folder.read(id, (error) => {
        if (isKeyError(error)) throw error;
        // A record that cannot be read is none: the consent is asked again.
        log.warn({ face: id, error: messageOf(error) }, 'the consent for a face cannot be read');
      });
      await take(entry);
      return true;
    } catch (error) {
      if (isStart && isKeyError(error)) throw error;
      log.warn({ face: id, error: messageOf(error) }, 'face cannot be read, left out');
      return false;
    }
  }
}
