import { createReadStream } from 'node:fs';
import { readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../../config.ts';
import { isAlive } from '../../lib/process-alive.ts';
import { makeFolder } from '../../lib/system/make-folder.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { RecordingInfo } from '../../shared/messages.ts';
import { RECORDING_FORMATS, type RecordingFormat } from '../../shared/recording-formats.ts';
import { FORMATS } from './recording-format.ts';

const NAME = /^[A-Za-z0-9][\w.-]{0,150}\.(webm|mp4)$/;
const PART = /^\.part-(\d+)-(.+)$/;
const MB = 2 ** 20;

/**
 * The folder of the recordings. A file in progress has a temporary name with its server's process id, and gets its
 * final name when it is finished. The next start gives files that a crash left their final names.
 */
export class RecordingsFolder {
  readonly dir: string;
  readonly #limits: Pick<Config['recording'], 'maxMb' | 'minFreeMb'>;

  constructor(recording: Config['recording']) {
    this.dir = recording.dir;
    this.#limits = recording;
  }

  /**
   * Creates the folder and checks the space.
   * @throws FaceOffError `recordings_unwritable` (500), and as `checkRoom`.
   */
  async prepare(): Promise<void> {
    await makeFolder(this.dir).catch((cause: NodeJS.ErrnoException) => {
      const message = `The folder for recordings, ${this.dir}, cannot be made (${cause.code}). Choose another with recording.dir.`;
      throw new FaceOffError('recordings_unwritable', message, { cause });
    });
    await this.checkRoom();
  }

  /**
   * Compares all recordings and the free disk with the limits.
   * @throws FaceOffError `recordings_full`, `disk_full` (507).
   */
  async checkRoom(): Promise<void> {
    const { maxMb, minFreeMb } = this.#limits;
    const used = (await this.#files()).reduce((sum, { bytes }) => sum + bytes, 0);
    if (used >= maxMb * MB) {
      const message = `The recordings fill the ${maxMb} MB they may have. Delete some, or raise recording.maxMb.`;
      throw new FaceOffError('recordings_full', message);
    }
    const { bavail, bsize } = await statfs(this.dir);
    if (bavail * bsize < minFreeMb * MB) throw diskFull();
  }

  /** Path of a file until it is finished. @param file its final name. */
  partOf(file: string): string {
    return path.join(this.dir, `.part-${process.pid}-${file}`);
  }

  /** Bytes of an unfinished file; 0 if it does not exist. */
  async sizeOf(part: string): Promise<number> {
    return stat(part).then(
      ({ size }) => size,
      () => 0,
    );
  }

  /**
   * Gives a finished file its final name, with a number where that name is taken; removes a file that shows nothing.
   * @returns the name, or null if the file was removed.
   */
  async keep(part: string): Promise<string | null> {
    const file = path.basename(part).match(PART)?.[2];
    if (file === undefined || !(await isPlayable(part))) {
      await rm(part, { force: true });
      return null;
    }
    const taken = new Set((await this.list()).map((info) => info.file));
    let name = file;
    for (let n = 2; taken.has(name); n++) name = file.replace(/(\.\w+)$/, `-${n}$1`);
    await rename(part, path.join(this.dir, name));
    return name;
  }

  /** Keeps the files that servers which no longer run left behind. @returns their names. */
  async recover(): Promise<string[]> {
    const kept: string[] = [];
    for (const entry of await readdir(this.dir).catch(() => [])) {
      const pid = Number(entry.match(PART)?.[1] ?? Number.NaN);
      // This process's own id is that of an earlier process which had the same id.
      if (Number.isNaN(pid) || (pid !== process.pid && isAlive(pid))) continue;
      const name = await this.keep(path.join(this.dir, entry));
      if (name !== null) kept.push(name);
    }
    return kept;
  }

  /** Finished recordings, newest first. */
  async list(): Promise<RecordingInfo[]> {
    const files = (await this.#files()).filter(({ name }) => NAME.test(name));
    return files
      .sort((a, b) => b.mtimeMs - a.mtimeMs)
      .map(({ name, bytes, mtimeMs }) => ({
        file: name,
        bytes,
        finishedAt: new Date(mtimeMs).toISOString(),
        url: `/api/recordings/${name}`,
      }));
  }

  /** Refuses a name that no finished recording has. @throws FaceOffError `unknown_recording` (404). */
  async check(file: string): Promise<void> {
    if (NAME.test(file) && (await stat(path.join(this.dir, file)).catch(() => null))?.isFile()) return;
    throw new FaceOffError(
      'unknown_recording',
      'There is no such recording. GET /api/recordings lists those there are.',
    );
  }

  /** Deletes a finished recording. @throws FaceOffError `unknown_recording` (404). */
  async remove(file: string): Promise<void> {
    await this.check(file);
    await rm(path.join(this.dir, file), { force: true });
  }

  /** All files that count towards the limit: finished, in progress, left behind. */
  async #files(): Promise<{ name: string; bytes: number; mtimeMs: number }[]> {
    const names = (await readdir(this.dir).catch(() => [])).filter((name) => NAME.test(name) || PART.test(name));
    const files = names.map(async (name) => {
      const found = await stat(path.join(this.dir, name)).catch(() => null);
      return found?.isFile() ? [{ name, bytes: found.size, mtimeMs: found.mtimeMs }] : [];
    });
    return (await Promise.all(files)).flat();
  }
}

/** The error for a full disk: `disk_full` (507). */
export const diskFull = (): FaceOffError =>
  new FaceOffError(
    'disk_full',
    'The disk that recordings are written to is full. Make room, or choose another with recording.dir.',
  );

/** Local date and time as part of a file name: 2026-11-28_21-30-05. */
export function stampOf(date: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day}_${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join('-')}`;
}

/** Format of a recording, from its file's extension. */
const formatOf = (file: string): RecordingFormat =>
  RECORDING_FORMATS.find((format) => file.endsWith(`.${format}`)) ?? 'webm';

/** Whether the file holds at least one whole second of pictures. */
async function isPlayable(file: string): Promise<boolean> {
  const { mark } = FORMATS[formatOf(file)];
  let tail = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(file)) {
      const bytes = Buffer.concat([tail, chunk as Buffer]);
      if (bytes.includes(mark)) return true;
      tail = bytes.subarray(1 - mark.length);
    }
  } catch {
    // The file does not exist: ffmpeg had not created it yet.
  }
  return false;
}
