/**
 * Logs: the console for people, rotating files for later, each with a least level of its own. error = gave up, warn =
 * recovered, info = one line for each change of state; no line repeats more than about once a second. A log never holds
 * pictures, embeddings, SDP, candidates, addresses or tokens.
 */

import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Logger, multistream, type Level as PinoLevel, pino } from 'pino';
import { PinoPretty } from 'pino-pretty';
import roll from 'pino-roll';
import { FaceOffError, messageOf } from '../shared/errors.ts';
import { makeFolder } from './system/make-folder.ts';

export type { Logger };

/** Keys whose values are replaced in every line, in case a careless one names them. */
const PRIVATE = [
  'sdp',
  'candidate',
  'embedding',
  'address',
  'ip',
  'remoteAddress',
  'token',
  'credential',
  'secret',
  'cookie',
  'authorization',
  'data',
  'picture',
];

/** The section `logging` of the configuration. */
export interface LogOptions {
  /** Least level on the console. */
  level: PinoLevel | 'silent';
  /** Least level in the files. */
  fileLevel: PinoLevel | 'silent';
  /** Folder of the files; it is created. */
  dir: string;
  /** Size of a file in MiB at which the next one is begun. */
  fileSizeMb: number;
  /** Number of files kept, the one being written included. */
  files: number;
  /** Whether the console shows coloured lines instead of JSON; `auto`: when it is a terminal. */
  pretty: 'auto' | 'always' | 'never';
}

/** An open log. */
export interface Log {
  logger: Logger;
  /** Changes the least levels of console and files. */
  setLevels(levels: Pick<LogOptions, 'level' | 'fileLevel'>): void;
  /** Resolves when every line is on disk, or cannot be written. */
  close(): Promise<void>;
}

/** The number by which pino compares a level. */
const rankOf = (level: LogOptions['level']): number =>
  level === 'silent' ? Number.POSITIVE_INFINITY : pino.levels.values[level]!;

/** @throws FaceOffError `bad_config` where the folder cannot be made or written. */
async function requireFolder(dir: string): Promise<void> {
  try {
    await makeFolder(dir);
    const probe = path.join(dir, `.writable-${process.pid}`);
    writeFileSync(probe, '');
    rmSync(probe);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOSPC') return;
    throw new FaceOffError(
      'bad_config',
      `logging.dir: ${dir} is no folder that logs can be written to (${messageOf(cause)}). Name another one.`,
      { cause },
    );
  }
}

/**
 * Opens a log. Files are `faceoff.N.log` in the configured folder, UTF-8, one JSON object a line. A console that goes away,
 * as in `faceoff serve | head -1`, and a full disk cost lines, never the program.
 * @throws FaceOffError `bad_config` where the folder cannot be written.
 */
export async function openLog(
  { level, fileLevel, dir, fileSizeMb, files, pretty }: LogOptions,
  console: NodeJS.WritableStream & { isTTY?: boolean } = process.stdout,
): Promise<Log> {
  await requireFolder(dir);
  console.on('error', () => undefined);
  const file = await roll({
    file: path.join(dir, 'faceoff'),
    extension: '.log',
    size: `${Math.max(1, Math.round(fileSizeMb * 1024))}k`,
    // pino-roll counts the files kept beside the one being written.
    limit: { count: files - 1, removeOtherLogFiles: true },
    mkdir: true,
  });
  let isTold = false;
  file.on('error', (error: Error) => {
    if (isTold) return;
    isTold = true;
    console.write(`The log files cannot be written (${error.message}); everything else goes on.\n`);
  });
  const isPretty = pretty === 'always' || (pretty === 'auto' && console.isTTY === true);
  const shown = isPretty
    ? PinoPretty({ destination: console, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' })
    : console;
  const streams = multistream([
    { level: rankOf(level), stream: shown },
    { level: rankOf(fileLevel), stream: file },
  ]);
  const paths = PRIVATE.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);
  const logger = pino({ level: 'trace', base: null, redact: { paths, censor: '[private]' } }, streams);
  return {
    logger,
    setLevels(levels) {
      for (const entry of streams.streams)
        entry.level = rankOf(entry.stream === file ? levels.fileLevel : levels.level);
      // Lines go to the streams in this order, until one wants a higher level.
      streams.streams.sort((a, b) => Number(a.level) - Number(b.level));
    },
    close: () =>
      new Promise((resolve) => {
        file.once('close', resolve);
        // Lines for a full disk would wait there without end.
        file.once('error', () => file.destroy());
        file.end();
      }),
  };
}
