/** ffmpeg as a child process. FaceOff runs without ffmpeg; a function that needs it throws `no_ffmpeg` where it is missing. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { FaceOffError } from '../shared/errors.ts';

/** How an ffmpeg ended. */
export interface FfmpegExit {
  /** Exit code; null where a signal ended it, or where it could not be started. */
  code: number | null;
  /** The end of its standard error, trimmed. */
  said: string;
  /** Whether there is no ffmpeg on the PATH. */
  isMissing: boolean;
}

/** A running ffmpeg. */
export interface Ffmpeg {
  /** Its standard input; null unless it was started with `stdin: 'pipe'`. */
  stdin: Writable | null;
  /** Its standard output; null unless it was started with `stdout: 'pipe'`. */
  stdout: Readable | null;
  /** What it writes to file descriptor 3; null unless it was started with `times`. */
  times: Readable | null;
  pid: number | undefined;
  /** Resolves when it has ended, for whatever reason; never rejects. */
  exit: Promise<FfmpegExit>;
  kill(signal?: NodeJS.Signals): void;
}

/** How an ffmpeg is started. */
export interface FfmpegOptions {
  stdin?: 'pipe' | 'inherit' | 'ignore';
  stdout?: 'pipe' | 'inherit' | 'ignore';
  /** Whether it runs at a lower priority, so that live pictures go first. */
  isPatient?: boolean;
  /** Whether it has a fourth pipe, file descriptor 3, to write the times of frames to. */
  times?: boolean;
  /** Most characters of its standard error that are kept; 2000 where it is left out. */
  mostSaid?: number;
}

const MOST_SAID = 2000;
/** Nice value, of -20 to 19: about a third of the share of a process at 0. */
const PATIENT = 5;

/**
 * Starts an ffmpeg that prints errors only and never asks. It may be missing: `exit` tells.
 * @param args `-fps_mode` is written as this ffmpeg has it.
 */
export function startFfmpeg(args: readonly string[], options: FfmpegOptions = {}): Ffmpeg {
  const { stdin = 'ignore', stdout = 'ignore', isPatient = false, mostSaid = MOST_SAID } = options;
  // In a process group of its own: Ctrl-C in a terminal reaches this process, which then ends its children in order.
  const named = args.map((arg) => (arg === '-fps_mode' ? timingOption() : arg));
  const child = spawn('ffmpeg', ['-hide_banner', '-v', 'error', '-nostdin', ...named], {
    stdio: [stdin, stdout, 'pipe', ...(options.times === true ? (['pipe'] as const) : [])],
    detached: true,
  });
  let said = '';
  child.stderr?.on('data', (text: Buffer) => {
    said = (said + text.toString()).slice(-mostSaid);
  });
  // The exit tells why a pipe broke.
  child.stdin?.on('error', () => undefined);
  child.stdout?.on('error', () => undefined);
  const exit = new Promise<FfmpegExit>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve({ code: null, said: error.message, isMissing: error.code === 'ENOENT' }),
    );
    child.once('close', (code) => resolve({ code, said: said.trim(), isMissing: false }));
  });
  if (isPatient) lowerPriority(child);
  const times = (child.stdio[3] as Readable | undefined) ?? null;
  times?.on('error', () => undefined);
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    times,
    pid: child.pid,
    exit,
    kill: (signal) => void child.kill(signal),
  };
}

/** Runs an ffmpeg to its end, and collects its standard output as text. */
export async function runFfmpeg(
  args: readonly string[],
  options: Pick<FfmpegOptions, 'mostSaid'> = {},
): Promise<FfmpegExit & { output: string }> {
  const ffmpeg = startFfmpeg(args, { ...options, stdout: 'pipe' });
  let output = '';
  ffmpeg.stdout?.on('data', (text: Buffer) => {
    output += text.toString();
  });
  return { ...(await ffmpeg.exit), output };
}

/** A file's name as ffmpeg takes it: one with a colon would be a protocol otherwise, one with a dash an option. */
export const ffmpegArgument = (file: string): string => `file:${path.resolve(file)}`;

let timingName: '-fps_mode' | '-vsync' | null = null;

/**
 * The name of the option that says how frames are timed: ffmpeg before 5.1 (Debian 11, Ubuntu 22.04) has an older one.
 * Asked for once, which takes some tens of milliseconds.
 */
function timingOption(): '-fps_mode' | '-vsync' {
  if (timingName === null) {
    const { stdout } = spawnSync('ffmpeg', ['-version'], { encoding: 'utf8' });
    const [, major, minor] = /^ffmpeg version n?(\d+)\.(\d+)/.exec(stdout ?? '') ?? [];
    timingName = major !== undefined && Number(major) + Number(minor) / 100 < 5.01 ? '-vsync' : '-fps_mode';
  }
  return timingName;
}

/** The version of the ffmpeg on the PATH; null where there is none that runs. */
export async function ffmpegVersion(): Promise<string | null> {
  const { code, output } = await runFfmpeg(['-version']);
  if (code !== 0) return null;
  return /^ffmpeg version (\S+)/.exec(output)?.[1] ?? 'there';
}

/** Everything that ffmpeg prints about the streams of a file; empty where it cannot say. */
export async function describeStreams(file: string): Promise<string> {
  // Without an output ffmpeg prints what the file holds, and then fails.
  const { said, isMissing } = await runFfmpeg(['-v', 'info', '-i', file], { mostSaid: 1 << 20 });
  return isMissing ? '' : said;
}

/** The error `no_ffmpeg` (503). @param what needs it. @param remedy what to do. */
export const noFfmpeg = (
  what: string,
  remedy = 'Install it (for instance apt install ffmpeg) and try again.',
): FaceOffError => new FaceOffError('no_ffmpeg', `${what} needs ffmpeg, which is not on the PATH. ${remedy}`);

let encoders: Promise<string> | null = null;

/**
 * Resolves where the installed ffmpeg has an encoder. Its list is read once, and again after an encoder was missing.
 * @param encoder by ffmpeg's own name, `libvpx`.
 * @throws FaceOffError `no_ffmpeg`, `no_encoder` (503).
 */
export async function requireEncoder(encoder: string, what: string): Promise<void> {
  encoders ??= listEncoders(what);
  // An ffmpeg that is missing now may be installed by the next call.
  const known = await encoders.catch((error: unknown) => {
    encoders = null;
    throw error;
  });
  if (known.includes(` ${encoder} `)) return;
  encoders = null;
  throw new FaceOffError('no_encoder', `This ffmpeg has no ${encoder}, which ${what} needs. Choose another format.`);
}

async function listEncoders(what: string): Promise<string> {
  const { output, isMissing } = await runFfmpeg(['-encoders']);
  if (isMissing) throw noFfmpeg(what);
  return output;
}

/** Best effort: the system may refuse. */
function lowerPriority({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) os.setPriority(pid, PATIENT);
  } catch {
    // It then competes with the live pictures, which is slower and not wrong.
  }
}
