import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** Number in the name of a log file; NaN for other files. */
const numberOf = (name: string): number => Number(/^faceoff\.(\d+)\.log$/.exec(name)?.[1] ?? Number.NaN);

/**
 * The last lines of the log files of a folder, oldest first, together at most so many bytes. Lines that are no JSON object, as
 * one that was cut off, are left out. Empty where there is no log.
 */
export async function readLogTail(dir: string, mostBytes: number): Promise<string> {
  const names = (await readdir(dir).catch(() => [])).filter((name) => !Number.isNaN(numberOf(name)));
  const kept: string[] = [];
  let left = mostBytes;
  for (const name of names.sort((a, b) => numberOf(b) - numberOf(a))) {
    const lines = (await readFile(path.join(dir, name), 'utf8')).split('\n').filter(isEntry);
    for (const line of lines.reverse()) {
      left -= Buffer.byteLength(line) + 1;
      if (left < 0) return asText(kept);
      kept.push(line);
    }
  }
  return asText(kept);
}

const asText = (newestFirst: readonly string[]): string =>
  [...newestFirst]
    .reverse()
    .map((line) => `${line}\n`)
    .join('');

function isEntry(line: string): boolean {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === 'object' && entry !== null;
  } catch {
    return false;
  }
}
