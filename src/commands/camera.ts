/**
 * `faceoff camera`: the live pipeline without a browser, from a camera, a file or a stream of a running server into a
 * virtual camera (v4l2loopback), a file or a pipe. Comes back by itself when its input or the server does.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { type Config, loadConfig } from '../config.ts';
import { FaceLibrary } from '../faces/face-library.ts';
import { isLocal } from '../lib/address.ts';
import { checkInput, checkOutput, isFile } from '../media/camera-errors.ts';
import { readInput } from '../media/camera-input.ts';
import { CameraOutput } from '../media/camera-output.ts';
import { Pool } from '../pipeline/pool/pool.ts';
import { Intake } from '../server/session/intake.ts';
import { Opening } from '../server/session/opening.ts';
import { watchStream } from '../server/webrtc/whep-client.ts';
import { FaceOffError } from '../shared/errors.ts';
import { shownFor } from '../shared/missed-swap.ts';
import type { Frame } from '../shared/types.ts';
import { urlOf } from './startup-banner.ts';

interface Options {
  input?: string;
  stream?: string;
  server?: string;
  output: string;
  face?: string;
  size?: string | null;
  fps: number;
  loop: boolean;
  config: string;
  set: string[];
}

/** Gives pictures until it ends or is called off; rejects with a FaceOffError when it is lost. */
type Source = (onFrame: (frame: Frame) => void, signal: AbortSignal) => Promise<void>;

/** A way for pictures from the source to the output, and its end. */
interface Way {
  show(frame: Frame): void;
  close(): Promise<void>;
}

const ID = 'camera';
const LONGEST_WAIT_MS = 10_000;
/** Waiting does not help against these. */
const FINAL = new Set(['no_ffmpeg', 'wrong_token', 'unknown_stream', 'not_a_camera', 'device_denied']);
/** Worth waiting for from the first moment on. */
const COMES = new Set(['no_publisher', 'viewers_full']);

const collect = (value: string, all: string[]): string[] => [...all, value];
const size = (value: string): string => {
  if (!/^[1-9]\d{1,3}x[1-9]\d{1,3}$/.test(value)) throw new InvalidArgumentError('must be like 1280x720');
  return value;
};
const rate = (value: string): number => {
  const fps = Number(value);
  if (!(fps >= 1 && fps <= 120)) throw new InvalidArgumentError('must be 1 to 120');
  return fps;
};

export function cameraCommand(defaultConfig: string): Command {
  return new Command('camera')
    .description(
      'swap the face of a camera, without a browser, into a virtual camera (Linux, v4l2loopback); needs ffmpeg',
    )
    .option('--input <source>', 'a camera (/dev/video0), or a file or address that ffmpeg reads')
    .option('--stream <name>', 'instead of an input: what a running server shows under this name')
    .option('--server <address>', 'that server (default: the one on this machine)')
    .requiredOption('--output <sink>', 'a virtual camera (/dev/video10), a file, or - for y4m on the standard output')
    .option('--face <id>', 'the face to put on, as the studio lists them, or none (default: swap.face)')
    .option('--size <size>', 'size of the pictures, 1280x720 (default: that of the input)', size)
    .option('--fps <number>', 'pictures a second', rate, 30)
    .option('--loop', 'begin a file again at its end', false)
    .option('--config <file>', 'configuration file', defaultConfig)
    .option('--set <section.key=value>', 'one setting; may be given several times', collect, [])
    .action(camera);
}

async function camera(options: Options): Promise<void> {
  const { input, stream, output: name, fps } = options;
  if ((input === undefined) === (stream === undefined))
    throw new FaceOffError('bad_arguments', 'Give one of --input and --stream.');
  if (input !== undefined) checkInput(input);
  checkOutput(name);
  const set = ['pipeline.lanes=1', ...options.set];
  const config = loadConfig({ file: options.config, env: process.env, set });
  const over = new AbortController();
  let failed: FaceOffError | null = null;
  const output = new CameraOutput({
    ...{ name, size: options.size ?? null, fps, say },
    onError(error) {
      failed ??= error;
      over.abort();
    },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => over.abort());
  const way = input === undefined ? straight(output) : await swapping(config, options.face, output);
  try {
    await keepReading(
      sourceOf(options, config),
      (frame) => way.show(frame),
      over.signal,
      input !== undefined && isFile(input),
    );
  } finally {
    await way.close();
    await output.end();
    say(`${output.frames} pictures written, ${output.dropped} left out`);
  }
  if (failed !== null) throw failed;
  // WebRTC's threads outlive their peers.
  process.exit(0);
}

function sourceOf({ input, stream = '', server, size = null, fps, loop }: Options, config: Config): Source {
  const { host, port, token, certificate } = config.server;
  const address = server ?? urlOf('127.0.0.1', port, certificate !== null || !isLocal(host));
  return input === undefined
    ? (onFrame, signal) => watchStream({ server: address, stream, token, onFrame, signal })
    : (onFrame, signal) => readInput({ name: input, size, fps, loop }, onFrame, signal);
}

/** @param ends whether the source has an end, as a file has. */
async function keepReading(source: Source, onFrame: Way['show'], signal: AbortSignal, ends: boolean): Promise<void> {
  let hasWorked = false;
  let waitMs = 500;
  let lastSaid = '';
  const meet = (frame: Frame): void => {
    if (!hasWorked || lastSaid !== '') say(`reading ${frame.width}x${frame.height}`);
    [hasWorked, waitMs, lastSaid] = [true, 500, ''];
    onFrame(frame);
  };
  while (!signal.aborted) {
    try {
      await source(meet, signal);
      if (ends || signal.aborted) return;
      throw new FaceOffError('input_ended', 'The input ended.');
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof FaceOffError) || FINAL.has(error.code)) throw error;
      if (!hasWorked && !COMES.has(error.code)) throw error;
      if (error.message !== lastSaid) say(`${error.message} Trying again.`);
      lastSaid = error.message;
    }
    await pause(waitMs, undefined, { signal }).catch(() => undefined);
    waitMs = Math.min(LONGEST_WAIT_MS, 2 * waitMs);
  }
}

/** What a server swapped already. */
const straight = (output: CameraOutput): Way => ({ show: (frame) => output.show(frame), close: async () => undefined });

async function swapping(config: Config, wanted: string | undefined, output: CameraOutput): Promise<Way> {
  const log = pino({ level: 'silent' });
  const pool = await Pool.start(config, log);
  await FaceLibrary.open(config, pool, log);
  const face = wanted === undefined ? pool.defaults.face : wanted === 'none' ? null : wanted;
  try {
    const session = pool.open(ID, { face });
    if (face !== null) await pool.preload(face);
    const opening = new Opening();
    const intake = new Intake(
      async (frame, dropped) => {
        // A lane that is lost takes its picture with it; the next one finds a new lane.
        const done = await session.swap(frame, dropped).catch(() => null);
        const isShown = done !== null && !opening.holds(done, face !== null);
        if (isShown && shownFor(done, session.settings.guarded) === 'frame') output.show(done.frame);
        return done;
      },
      () => undefined,
    );
    return {
      show: (frame) => intake.put(frame),
      async close() {
        intake.clear();
        session.close();
        await pool.close();
      },
    };
  } catch (error) {
    await pool.close();
    throw error;
  }
}

/** Pictures may go to the standard output, so words never do. */
function say(what: string): void {
  console.error(what);
}
