/** The record of choices to leave the visible mark off. */

import { readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Config } from '../../config.ts';
import type { Logger } from '../../lib/log.ts';
import { SerialQueue } from '../../lib/serial.ts';
import { makeFolder } from '../../lib/system/make-folder.ts';
import { notSaved, writeWhole } from '../../lib/system/whole-file.ts';
import { DISCLOSURE_DUTY } from '../../shared/duties/disclosure-duty.ts';
import type { UnmarkedChoice } from '../../shared/messages.ts';

/** The newest choices that are kept. */
const MOST_KEPT = 1000;

const Choices = z.array(z.looseObject({ at: z.string(), by: z.string(), session: z.string().nullable() }));

/**
 * The choices in disclosure.json in `storage.dir`, the newest last, each with the sentence that was acknowledged. The file
 * is read before each change, because the server and the commands share it. It holds no addresses.
 */
export class DisclosureRecord {
  readonly #file: string;
  readonly #changes = new SerialQueue();

  constructor({ storage }: Pick<Config, 'storage'>) {
    this.#file = path.join(storage.dir, 'disclosure.json');
  }

  /** Writes a choice that is made now. @throws FaceOffError `not_saved` (507). */
  async add(by: UnmarkedChoice['by'], session: string | null = null): Promise<UnmarkedChoice> {
    const choice: UnmarkedChoice = { at: new Date().toISOString(), by, session };
    await this.#append(choice);
    return choice;
  }

  /** As `add`, without waiting for the disk: a live session goes on, and a record that cannot be written is a warning. */
  note(by: UnmarkedChoice['by'], session: string | null, log: Logger): UnmarkedChoice {
    const choice: UnmarkedChoice = { at: new Date().toISOString(), by, session };
    log.info({ session, by }, 'the visible mark is off');
    this.#append(choice).catch((error: unknown) =>
      log.warn(
        { session, by, error: String(error).slice(0, 300) },
        'the choice to leave the mark off was not recorded',
      ),
    );
    return choice;
  }

  /** Resolves when every choice noted up to now is on disk, or could not be written. */
  idle(): Promise<void> {
    return this.#changes.idle();
  }

  #append(choice: UnmarkedChoice): Promise<void> {
    return this.#changes.run(async () => {
      try {
        const before = await this.#read();
        const all = [...before, { ...choice, acknowledged: DISCLOSURE_DUTY }].slice(-MOST_KEPT);
        await makeFolder(path.dirname(this.#file));
        await writeWhole(this.#file, `${JSON.stringify(all, null, 2)}\n`);
      } catch (cause) {
        throw notSaved('The choice to leave the mark off', cause);
      }
    });
  }

  /**
   * What is there; nothing where there is no file, or a damaged one, which is put aside under another name.
   * @throws Error of the file system.
   */
  async #read(): Promise<z.infer<typeof Choices>> {
    const text = await readFile(this.#file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '[]';
      throw error;
    });
    try {
      return Choices.parse(JSON.parse(text));
    } catch {
      await rename(this.#file, `${this.#file}.unread`);
      return [];
    }
  }
}
