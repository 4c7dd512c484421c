/**
 * Logs: the console for people, rotating files for later, each with its own least level. error = gave up, warn =
 * recovered, info = one line for each turn of events; nothing repeats more than about once a second. Never in a log:
 * pictures, embeddings, SDP, candidates, addresses, tokens.
 */

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { type Logger, multistream, pino, type StreamEntry } from 'pino';
import { PinoPretty } from 'pino-pretty';
import roll from 'pino-roll';
import type { Config } from '../config.ts';

export type { Logger };

/** What must not be logged even if a careless line names it. */
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

export interface Log {
  logger: Logger;
  /** Resolves when every line is on disk. */
  close(): Promise<void>;
}

/** Files are `faceoff.N.log` in the configured folder, UTF-8, one JSON object a line. */
export async function openLog(
  { logging }: Config,
  console: NodeJS.WritableStream & { isTTY?: boolean } = process.stdout,
): Promise<Log> {
  const { level, fileLevel, dir, fileSizeMb, files, pretty } = logging;
  mkdirSync(dir, { recursive: true });
  const file = await roll({
    file: path.join(dir, 'faceoff'),
    extension: '.log',
    size: `${Math.max(1, Math.round(fileSizeMb * 1024))}k`,
    // pino-roll counts the files kept beside the one being written.
    limit: { count: files - 1, removeOtherLogFiles: true },
    mkdir: true,
  });
  const forPeople = pretty === 'always' || (pretty === 'auto' && console.isTTY === true);
  const shown = forPeople
    ? PinoPretty({ destination: console, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' })
    : console;
  const streams: StreamEntry[] = [];
  if (level !== 'silent') streams.push({ level, stream: shown });
  if (fileLevel !== 'silent') streams.push({ level: fileLevel, stream: file });
  const paths = PRIVATE.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);
  const logger = pino({ level: 'trace', base: null, redact: { paths, censor: '[private]' } }, multistream(streams));
  return {
    logger,
    close: () =>
      new Promise((resolve) => {
        file.once('close', resolve);
        file.end();
      }),
  };
}
