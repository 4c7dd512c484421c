/** A models folder whose added models are stand-ins. */

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { writeStandIns } from '../../scripts/stand-ins.mjs';
import { type Catalogue, readCatalogue } from '../../src/pipeline/models/catalogue.ts';
import { modelsDir } from './lane.ts';

export interface StandIns {
  folder: string;
  catalogue: Catalogue;
  remove(): void;
}

/** @param work how much generators do for nothing, see stand-ins.mjs. */
export function standIns(names?: string[], work = 0): StandIns {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-stand-ins-'));
  cpSync(modelsDir, folder, { recursive: true, filter: (file) => path.basename(file) !== 'optional' });
  writeStandIns(folder, names, { work });
  return {
    folder,
    catalogue: readCatalogue(folder),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
