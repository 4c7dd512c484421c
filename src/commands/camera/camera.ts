/**
 * `faceoff camera`: the live pipeline without a browser, from a camera, a file or a stream of a running server into a
 * virtual camera (v4l2loopback), a file, a pipe, or a stream to another program or service. Goes on by itself when a lost
 * input, server or output comes back.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import type { Config } from '../../config.ts';
import { FaceLibrary } from '../../faces/face-library.ts';
import { isLocal, urlOf } from '../../lib/address.ts';
import { checkInput, checkOutput, isFile } from '../../media/camera/camera-errors.ts';
import { readInput } from '../../media/camera/camera-input.ts';
import { CameraOutput } from '../../media/camera/camera-output.ts';
import { waitsForSender } from '../../media/camera/camera-source.ts';
import { checkLiveAddress, shownName } from '../../media/camera/live-output.ts';
import { ContentCheck } from '../../pipeline/content/content-check.ts';
import { ContentGuard } from '../../pipeline/content/content-guard.ts';
import { Pool } from '../../pipeline/pool/pool.ts';
import { Intake } from '../../server/session/intake.ts';
import { Opening } from '../../server/session/opening.ts';
import { watchStream } from '../../server/webrtc/client/whep-client.ts';
import { WhipOutput } from '../../server/webrtc/client/whip-output.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { shownFor } from '../../shared/missed-swap.ts';
import { wantsSwap } from '../../shared/settings.ts';
import type { Frame } from '../../shared/types.ts';
import { type BackgroundOptions, namedBackground, withBackground } from '../background/background-option.ts';
import { type MarkOptions, markFor, withMark } from '../disclosure/mark-choice.ts';
import { movePersonalData } from '../move-personal-data.ts';
import { type ConfigOptions, configOf, withConfig } from '../options.ts';
import { publishersOf, whipEndpoint } from './whip-endpoint.ts';

interface CameraOptions extends ConfigOptions, MarkOptions, BackgroundOptions {
  input?: string;
  stream?: string;
  server?: string;
  output: string;
  face?: string;
  size?: string | null;
  fps: number;
  loop: boolean;
}

/** Delivers frames until the input ends or `signal` aborts; rejects with a FaceOffError when the input is lost. */
type Source = (onFrame: (frame: Frame) => void, signal: AbortSignal) => Promise<void>;

/** Where frames and sound go. */
type Output = CameraOutput | WhipOutput;

/** Takes frames from the source to the output. */
interface FramePath {
  show(frame: Frame): void;
  close(): Promise<void>;
}

const ID = 'camera';
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5000;
/** An input that breaks off sooner than this does not work yet. */
const STEADY_MS = 10_000;
/** Error codes that end the command: trying again does not help. */
const FINAL = new Set(['no_ffmpeg', 'wrong_token', 'unknown_stream', 'not_a_camera', 'device_denied']);
/** Error codes after which the command waits, even where no frame has come yet. */
const WAITED_FOR = new Set(['no_publisher', 'viewers_full']);

const size = (value: string): string => {
  if (!/^[1-9]\d{1,3}x[1-9]\d{1,3}$/.test(value)) throw new InvalidArgumentError('must be like 1280x720');
  return value;
};
const rate = (value: string): number => {
  const fps = Number(value);
  if (!(fps >= 1 && fps <= 120)) throw new InvalidArgumentError('must be 1 to 120');
  return fps;
};

/** `faceoff camera`. Runs one lane and one session, without the HTTP server. */
export function cameraCommand(defaultConfig: string): Command {
  const command = new Command('camera')
    .description(
      'swap the face of a camera, without a browser, into a virtual camera (Linux, v4l2loopback) or a stream; needs ffmpeg',
    )
    .option('--input <source>', 'a camera (/dev/video0), or a file or address that ffmpeg reads')
    .option('--stream <name>', 'instead of an input: what a running server shows under this name')
    .option('--server <address>', 'that server (default: the one on this machine)')
    .requiredOption(
      '--output <sink>',
      'a virtual camera (/dev/video10), a file, - for y4m, srt://, rtmp://, rtmps://, ndi://, or WHIP: whip+https://',
    )
    .option('--face <id>', 'the face to put on, as the studio lists them, or none (default: swap.face)')
    .option('--size <size>', 'size of the pictures, 1280x720 (default: that of the input)', size)
    .option('--fps <number>', 'pictures a second', rate, 30)
    .option('--loop', 'begin a file again at its end', false);
  return withConfig(withMark(withBackground(command)), defaultConfig).action(camera);
}

async function camera(options: CameraOptions): Promise<void> {
  const { input, stream, output: name, fps } = options;
  if ((input === undefined) === (stream === undefined))
    throw new FaceOffError('bad_arguments', 'Give one of --input and --stream.');
  if (input !== undefined) checkInput(input);
  const whip = whipEndpoint(name);
  if (whip === null) {
    checkOutput(name);
    await checkLiveAddress(name);
  }
  const config = configOf(options, ['pipeline.lanes=1']);
  const ending = new AbortController();
  let failed: FaceOffError | null = null;
  const onError = (error: FaceOffError): void => {
    failed ??= error;
    ending.abort();
  };
  const output =
    whip === null
      ? new CameraOutput({ name, size: options.size ?? null, fps, hasSound: stream !== undefined, say, onError })
      : new WhipOutput({ endpoint: whip, peers: await publishersOf(config), say, onError });
  let isStarting = true;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => {
      // There is nothing to end in order yet.
      if (isStarting) process.exit(0);
      ending.abort();
    });
  // A terminal that was closed takes no more lines.
  process.stderr.on('error', () => undefined);
  const framePath = input === undefined ? passing(output) : await swapping(config, options, output);
  isStarting = false;
  if (input !== undefined && waitsForSender(input)) say(`waiting for ${shownName(input)}`);
  try {
    await keepReading(
      sourceOf(options, config, output),
      (frame) => framePath.show(frame),
      ending.signal,
      input !== undefined && isFile(input),
    );
  } finally {
    await framePath.close();
    await output.end();
    say(`${output.frames} pictures written, ${output.dropped} left out`);
  }
  if (failed !== null) throw failed;
  // WebRTC's threads outlive their peers.
  process.exit(0);
}

function sourceOf(
  { input, stream = '', server, size = null, fps, loop }: CameraOptions,
  config: Config,
  output: Output,
): Source {
  const { host, port, token, certificate } = config.server;
  const address = server ?? urlOf('127.0.0.1', port, certificate !== null || !isLocal(host));
  return input === undefined
    ? (onFrame, signal) =>
        watchStream({ server: address, stream, token, onFrame, onSound: (sound) => output.hear(sound), signal })
    : (onFrame, signal) => readInput({ name: input, size, fps, loop }, onFrame, signal);
}

/** Reads the source, and again after a pause when it is lost. @param ends whether the source has an end, as a file has. */
async function keepReading(
  source: Source,
  onFrame: FramePath['show'],
  signal: AbortSignal,
  ends: boolean,
): Promise<void> {
  let hasWorked = false;
  let waitMs = FIRST_WAIT_MS;
  let lastSaid = '';
  let isOpen = false;
  let openedAtMs = Number.NEGATIVE_INFINITY;
  // An input that breaks off again and again is told of once.
  let hasBeenLost = false;
  let isUnsteady = false;
  const receive = (frame: Frame): void => {
    if (!isOpen) {
      if (!isUnsteady) say(`reading ${frame.width}x${frame.height}`);
      isOpen = true;
      openedAtMs = performance.now();
    }
    if (isUnsteady && performance.now() - openedAtMs > STEADY_MS) {
      say(`reading ${frame.width}x${frame.height}`);
      isUnsteady = false;
    }
    hasWorked = true;
    waitMs = FIRST_WAIT_MS;
    onFrame(frame);
  };
  while (!signal.aborted) {
    try {
      await source(receive, signal);
      if (ends || signal.aborted) return;
      throw new FaceOffError('input_ended', 'The input ended.');
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof FaceOffError) || FINAL.has(error.code)) throw error;
      if (!hasWorked && !WAITED_FOR.has(error.code)) throw error;
      if (isOpen) {
        isUnsteady = hasBeenLost && performance.now() - openedAtMs < STEADY_MS;
        hasBeenLost = true;
        if (!isUnsteady) lastSaid = '';
      }
      isOpen = false;
      if (error.message !== lastSaid) say(`${error.message} Trying again.`);
      lastSaid = error.message;
    }
    await pause(waitMs, undefined, { signal }).catch(() => undefined);
    waitMs = Math.min(LONGEST_WAIT_MS, 2 * waitMs);
  }
}

/** Frames of a running server, which swapped them already. */
const passing = (output: Output): FramePath => ({
  show: (frame) => output.show(frame),
  close: async () => undefined,
});

/** Frames of an input, swapped by a lane of this process, and marked while a face is chosen. */
async function swapping(config: Config, options: CameraOptions, output: Output): Promise<FramePath> {
  const { face: wanted } = options;
  const badge = await markFor(config, options, 'camera');
  const log = pino({ level: 'silent' });
  await movePersonalData(config, { info: (_, message) => say(message), warn: (_, message) => say(message) });
  const background = await namedBackground(options, config);
  const pool = await Pool.start(config, log, { backgroundsDir: background.dir });
  await FaceLibrary.open(config, pool, log);
  const face = wanted === undefined ? pool.defaults.face : wanted === 'none' ? null : wanted;
  const check = config.safety.contentCheck
    ? new ContentCheck(config.models.dir, { onLost: ({ message }) => say(message) })
    : null;
  try {
    const session = pool.open(ID, { face, ...background.settings });
    if (face !== null) await pool.preload(face);
    const opening = new Opening();
    const guard =
      check === null
        ? null
        : new ContentGuard(check, config.safety.contentThreshold, {
            onBlocked: (isBlocked) => say(`The content check hides the picture${isBlocked ? '' : ' no more'}.`),
            onFailure: (error) => say(`The content check fails: ${messageOf(error)}`),
          });
    const intake = new Intake(
      async (frame, dropped) => {
        // A lane that is lost takes its frame with it; the next frame finds a new lane.
        const swapped = await session.swap(frame, dropped).catch(() => null);
        const { settings } = session;
        const done = swapped && (guard?.pass(swapped, wantsSwap(settings), settings.guarded) ?? swapped);
        const isShown = done !== null && !opening.holds(done, face !== null);
        if (!isShown || shownFor(done, session.settings.guarded) !== 'frame') return done;
        if (face !== null) badge?.draw(done.frame);
        output.show(done.frame);
        return done;
      },
      () => undefined,
    );
    return {
      show: (frame) => intake.put(frame),
      async close() {
        intake.clear();
        session.close();
        await Promise.all([pool.close(), check?.close(), background.close()]);
      },
    };
  } catch (error) {
    await Promise.all([pool.close(), background.close()]);
    throw error;
  }
}

/** The standard output may carry frames, so messages go to the standard error. */
function say(what: string): void {
  console.error(what);
}
