/** ffmpeg as a child process. It is an extra: what needs it says so where there is none. */

import { type ChildProcess, spawn } from 'node:child_process';
import os from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { FaceOffError } from '../shared/errors.ts';

export interface FfmpegExit {
  /** Null where a signal ended it, or where it could not be started. */
  code: number | null;
  /** Its last words. */
  said: string;
  isMissing: boolean;
}

export interface Ffmpeg {
  /** What it reads, where it was started to be written to. */
  stdin: Writable | null;
  /** What it writes, where it was started to be read from. */
  stdout: Readable | null;
  pid: number | undefined;
  /** Resolves when it is gone, however it went. */
  exit: Promise<FfmpegExit>;
  kill(signal?: NodeJS.Signals): void;
}

export interface FfmpegOptions {
  stdin?: 'pipe' | 'ignore';
  stdout?: 'pipe' | 'inherit' | 'ignore';
  /** Lets live pictures go first where both want the processor. */
  isPatient?: boolean;
}

const MOST_SAID = 2000;
/** Of -20 to 19: a third of the processor against one that is not. */
const PATIENT = 5;

/** Its words are errors only; it never asks anything. */
export function startFfmpeg(args: readonly string[], options: FfmpegOptions = {}): Ffmpeg {
  const { stdin = 'ignore', stdout = 'ignore', isPatient = false } = options;
  // In a group of its own: Ctrl-C in a terminal is for this process, which then ends its children in order.
  const child = spawn('ffmpeg', ['-hide_banner', '-v', 'error', '-nostdin', ...args], {
    stdio: [stdin, stdout, 'pipe'],
    detached: true,
  });
  let said = '';
  child.stderr?.on('data', (text: Buffer) => {
    said = (said + text.toString()).slice(-MOST_SAID);
  });
  // Why a pipe broke is known when the child is gone.
  child.stdin?.on('error', () => undefined);
  child.stdout?.on('error', () => undefined);
  const exit = new Promise<FfmpegExit>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve({ code: null, said: error.message, isMissing: error.code === 'ENOENT' }),
    );
    child.once('close', (code) => resolve({ code, said: said.trim(), isMissing: false }));
  });
  if (isPatient) stepBack(child);
  return { stdin: child.stdin, stdout: child.stdout, pid: child.pid, exit, kill: (signal) => void child.kill(signal) };
}

export const noFfmpeg = (what: string): FaceOffError =>
  new FaceOffError(
    'no_ffmpeg',
    `${what} needs ffmpeg, which is not on the PATH. Install it (for instance apt install ffmpeg) and try again.`,
    { status: 503 },
  );

let encoders: Promise<string> | null = null;

/**
 * @param encoder by ffmpeg's own name, `libvpx`.
 * @throws FaceOffError `no_ffmpeg`, `no_encoder` (503).
 */
export async function requireEncoder(encoder: string, what: string): Promise<void> {
  encoders ??= listEncoders(what);
  // One that was not there may be installed by the next time.
  const known = await encoders.catch((error: unknown) => {
    encoders = null;
    throw error;
  });
  if (known.includes(` ${encoder} `)) return;
  encoders = null;
  throw new FaceOffError('no_encoder', `This ffmpeg has no ${encoder}, which ${what} needs. Choose another format.`, {
    status: 503,
  });
}

async function listEncoders(what: string): Promise<string> {
  const ffmpeg = startFfmpeg(['-encoders'], { stdout: 'pipe' });
  let list = '';
  ffmpeg.stdout?.on('data', (text: Buffer) => {
    list += text.toString();
  });
  const { isMissing } = await ffmpeg.exit;
  if (isMissing) throw noFfmpeg(what);
  return list;
}

function stepBack({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) os.setPriority(pid, PATIENT);
  } catch {
    // It is a favour to the others, no more.
  }
}
