/**
 * FaceOff 0.1 kept faces, presets and its own certificate in the cache. At start they are moved to storage.dir, by
 * renaming, or by copying where that is on another disk. An entry is moved whole or not at all, an interrupted move goes
 * on at the next start, several processes may do this at once, and nothing is ever overwritten.
 */

import { randomUUID } from 'node:crypto';
import { cp, link, lstat, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../config.ts';
import { isAlive } from '../lib/process-alive.ts';
import { makeFolder } from '../lib/system/make-folder.ts';
import { FaceOffError } from '../shared/errors.ts';

const FACES = 'faces';
/** Files that are moved together: where one of a group cannot be moved the others stay, too. */
const FILES = [['presets.json'], ['presets.json.unread'], ['https-key.pem', 'https-certificate.pem']];
/** Copies that are not yet whole, in storage.dir: `.moving-PID-…`. */
const MOVING = '.moving-';
/** Names of the copies that this process is making: a stale one may have its id, as ids repeat in containers. */
const copying = new Set<string>();
/** Answers of file systems that cannot rename to another disk, or know no hard links. */
const NEEDS_COPY = new Set(['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);
/** Answers to renaming or linking to a name that exists. */
const EXISTS = new Set(['EEXIST', 'ENOTEMPTY', 'ENOTDIR', 'EISDIR']);

/** `absent`: nothing to move, or another process moved it. `kept`: the target is another one; both stay. */
type Outcome = 'moved' | 'absent' | 'kept';

/** What a move tells: a part of a pino logger. */
export interface MoveLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

/**
 * Moves what an older installation left in models.cacheDir, and logs it once.
 * @throws FaceOffError `not_moved`; what could not be moved is still complete where it was.
 */
export async function movePersonalData(
  { models, storage }: Pick<Config, 'models' | 'storage'>,
  log: MoveLog,
): Promise<void> {
  const { cacheDir } = models;
  const { dir } = storage;
  if (path.resolve(cacheDir) === path.resolve(dir)) return;
  const groups = await groupsIn(cacheDir);
  if (groups.length === 0) return;
  const moved: string[] = [];
  const kept: string[] = [];
  try {
    await makeFolder(path.join(dir, FACES));
    await removeStaleCopies(dir);
    for (const group of groups) {
      for (const [at, outcome] of await moveGroup(cacheDir, dir, group)) {
        if (outcome === 'moved') moved.push(at);
        if (outcome === 'kept') kept.push(at);
      }
    }
    await rmdir(path.join(cacheDir, FACES)).catch(() => undefined);
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new FaceOffError(
      'not_moved',
      `The faces, presets and the certificate in ${cacheDir} cannot be moved to ${dir} (${why}). Make room or give access there, or set storage.dir to another folder.`,
      { cause },
    );
  }
  if (moved.length > 0)
    log.info({ from: cacheDir, to: dir, moved }, 'faces, presets and the certificate moved out of the cache');
  if (kept.length > 0)
    log.warn({ from: cacheDir, to: dir, kept }, 'left in the cache: storage.dir holds others of these names');
}

/** Paths, relative to the cache folder, of everything to move. */
async function groupsIn(cacheDir: string): Promise<string[][]> {
  const faces = await readdir(path.join(cacheDir, FACES)).catch(() => []);
  const names = new Set(await readdir(cacheDir).catch(() => []));
  const files = FILES.map((group) => group.filter((name) => names.has(name)));
  const visible = faces.filter((name) => !name.startsWith('.'));
  return [...visible.map((name) => [`${FACES}/${name}`]), ...files].filter((group) => group.length > 0);
}

async function moveGroup(from: string, to: string, group: readonly string[]): Promise<[string, Outcome][]> {
  const isKept = await Promise.all(group.map((at) => isAnother(path.join(from, at), path.join(to, at))));
  if (isKept.some(Boolean)) return group.map((at) => [at, 'kept']);
  const outcomes: [string, Outcome][] = [];
  for (const at of group) outcomes.push([at, await moveOne(path.join(from, at), path.join(to, at), to)]);
  return outcomes;
}

/** Whether both exist and hold different things. */
const isAnother = async (from: string, to: string): Promise<boolean> =>
  (await exists(from)) && (await exists(to)) && !(await areEqual(from, to));

async function moveOne(from: string, to: string, dir: string): Promise<Outcome> {
  const own = await lstat(from).catch(() => null);
  if (own === null) return 'absent';
  // A face whose removal, or writing, was interrupted.
  if (own.isDirectory() && from.endsWith('.part')) {
    await rm(from, { recursive: true, force: true });
    return 'absent';
  }
  if (await exists(to)) return settle(from, to);
  try {
    await place(from, to, own.isDirectory());
    return 'moved';
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'ENOENT' && !(await exists(from))) return 'absent';
    if (EXISTS.has(code)) return settle(from, to);
    if (!NEEDS_COPY.has(code)) throw error;
    return await moveByCopy(from, to, { dir, isFolder: own.isDirectory() });
  }
}

/** Both exist. Where they are equal the move was done already, and only the deletion here was interrupted. */
async function settle(from: string, to: string): Promise<Outcome> {
  if (!(await exists(from))) return 'absent';
  if (!(await areEqual(from, to))) return 'kept';
  await rm(from, { recursive: true, force: true });
  return 'moved';
}

/** Gives a file or folder another name on the same disk. Fails where the name is taken, also by another process. */
async function place(from: string, to: string, isFolder: boolean): Promise<void> {
  // Renaming a folder fails on one that holds something; renaming a file would replace the other, linking does not.
  if (isFolder) return rename(from, to);
  await link(from, to);
  await rm(from, { force: true });
}

async function moveByCopy(
  from: string,
  to: string,
  { dir, isFolder }: { dir: string; isFolder: boolean },
): Promise<Outcome> {
  const name = `${MOVING}${process.pid}-${randomUUID().slice(0, 8)}`;
  const copy = path.join(dir, name);
  copying.add(name);
  try {
    await cp(from, copy, { recursive: true, preserveTimestamps: true, errorOnExist: true, force: false });
    try {
      await place(copy, to, isFolder);
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (EXISTS.has(code)) return settle(from, to);
      // No hard links on this disk.
      if (isFolder || !NEEDS_COPY.has(code) || (await exists(to))) throw error;
      await rename(copy, to);
    }
    await rm(from, { recursive: true, force: true });
    return 'moved';
  } catch (error) {
    if (!(await exists(from))) return 'absent';
    throw error;
  } finally {
    await rm(copy, { recursive: true, force: true });
    copying.delete(name);
  }
}

/** Copies that processes which have ended did not finish. */
async function removeStaleCopies(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    const pid = name.startsWith(MOVING) ? Number.parseInt(name.slice(MOVING.length), 10) : Number.NaN;
    const isStale = pid === process.pid ? !copying.has(name) : pid > 0 && !isAlive(pid);
    if (isStale) await rm(path.join(dir, name), { recursive: true, force: true });
  }
}

const exists = async (at: string): Promise<boolean> => (await lstat(at).catch(() => null)) !== null;

/** Whether two files, or folders with everything in them, hold the same bytes. False where one goes away meanwhile. */
async function areEqual(a: string, b: string): Promise<boolean> {
  try {
    const [first, second] = await Promise.all([lstat(a), lstat(b)]);
    if (first.isDirectory() !== second.isDirectory()) return false;
    if (!first.isDirectory()) return (await readFile(a)).equals(await readFile(b));
    const [names, others] = [(await readdir(a)).sort(), (await readdir(b)).sort()];
    if (names.join('/') !== others.join('/')) return false;
    for (const name of names) if (!(await areEqual(path.join(a, name), path.join(b, name)))) return false;
    return true;
  } catch {
    return false;
  }
}
