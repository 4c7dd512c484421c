/** The files of pictures for backgrounds. */

import { existsSync } from 'node:fs';
import path from 'node:path';

/** Ending of a picture's file. */
const ENDING = '.webp';
/** What an id looks like: it becomes part of a path. */
const ID = /^[a-z0-9-]{1,64}$/;

/** The file of a picture. @returns null for what can be no id. */
export const pictureFile = (folder: string, id: string): string | null =>
  ID.test(id) ? path.join(folder, id + ENDING) : null;

/** The id of the picture in a file of that name; null where it is none. */
export function pictureId(name: string): string | null {
  const id = name.slice(0, -ENDING.length);
  return name.endsWith(ENDING) && ID.test(id) ? id : null;
}

/** Whether there is a picture of that id. */
export function isStoredPicture(folder: string, id: string): boolean {
  const file = pictureFile(folder, id);
  return file !== null && existsSync(file);
}
