/**
 * `faceoff render`: the live pipeline on files, every frame, without a deadline. sharp reads and writes pictures and
 * animations, FaceOff itself y4m, and ffmpeg any other video, where it is installed.
 */

import { randomUUID } from 'node:crypto';
import { constants, rmSync } from 'node:fs';
import { access, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { pino } from 'pino';
import type { Config } from '../../config.ts';
import { BlockList } from '../../faces/block-list.ts';
import { chooseFace, decodePicture } from '../../faces/portrait.ts';
import { animationSink, isAnimation, openAnimation, refuseLong } from '../../media/animation.ts';
import type { Clip, ClipSink } from '../../media/clip.ts';
import { openClip } from '../../media/clip-reader.ts';
import { openSink } from '../../media/clip-writer.ts';
import { ffmpegVersion } from '../../media/ffmpeg.ts';
import { PictureSigner } from '../../media/provenance/picture-signer.ts';
import { PORTRAIT_SIDE } from '../../pipeline/pool/lane-protocol.ts';
import { Pool } from '../../pipeline/pool/pool.ts';
import type { Badge } from '../../server/disclosure/badge.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { MESH } from '../../shared/settings.ts';
import type { Frame, SeenFace, SwapSession } from '../../shared/types.ts';
import { messageLayout } from '../../watermark/chips.ts';
import { keptMarkKey, layoutWords } from '../../watermark/mark-key.ts';
import { type BackgroundOptions, namedBackground, withBackground } from '../background/background-option.ts';
import { type MarkOptions, markFor, withMark } from '../disclosure/mark-choice.ts';
import { type ConfigOptions, collect, configOf, wholeNumber, withConfig } from '../options.ts';
import {
  isPictureSequence,
  openPicture,
  type PictureFile,
  renderPicture,
  UNLIMITED,
  WRITTEN_PICTURES,
} from './render-picture.ts';

interface RenderOptions extends ConfigOptions, MarkOptions, BackgroundOptions {
  source: string[];
  pick?: number;
  lossless: boolean;
  quiet: boolean;
}

/** Endings of files that are always one picture. */
const STANDING = /\.(png|jpe?g|jfif|avif|tiff?|bmp|heic|heif|svg)$/i;
const ID = 'render';
/** Signals that end the command: Ctrl-C, `kill`, and a terminal that is closed. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Exit code where no face was found: the output is the input as it was. */
const NO_FACE = 3;
/** Bytes of the longest file name. */
const LONGEST_NAME = 255;
/** Nothing is live here: new faces are looked for in every frame. */
const EVERY_FRAME = 'detection.intervalMs=0';

/** `faceoff render`. Runs one lane and one session, without the HTTP server. */
export function renderCommand(defaultConfig: string): Command {
  const command = new Command('render')
    .description(
      'swap the faces of a picture (png, jpeg, webp, gif), an animation (gif, webp) or a clip (y4m, or any video where ffmpeg is installed)',
    )
    .argument('<in>', 'the file to swap faces in')
    .argument('<out>', 'the file to write; its ending decides the format')
    .requiredOption(
      '--source <picture>',
      'picture of the face to put on; give it several times for several photos of one person',
      collect,
    )
    .option('--pick <n>', 'which face, where the source picture shows several (0 is the largest)', wholeNumber)
    .option('--lossless', 'write a clip without loss (for measuring)', false)
    .option('--quiet', 'no progress bar', false);
  return withConfig(withMark(withBackground(command)), defaultConfig).action(render);
}

async function render(input: string, named: string, options: RenderOptions): Promise<void> {
  // Behind a link, its target is written.
  const output = await realpath(named).catch(() => named);
  const settings = configOf(options, ['pipeline.lanes=1', 'logging.level=warn', EVERY_FRAME]);
  await checkFiles(input, output);
  const picture = await pictureOf(input, output);
  // One that no decoder takes is refused by the decoder's own sentence.
  if (picture === null && STANDING.test(input) && !(await isPictureSequence(input)))
    await decodePicture(await readPicture(input), UNLIMITED);
  if (picture !== null && !WRITTEN_PICTURES.test(output))
    throw new FaceOffError('bad_output', 'A picture can be written as .png, .jpg, .webp, .gif, .avif or .tiff.');
  if (picture === null && WRITTEN_PICTURES.test(output) && !isAnimation(output))
    throw new FaceOffError(
      'bad_output',
      'What moves can be written as .gif, .webp, .y4m or a video, not as one picture. If it is a picture, save it as JPEG, PNG, WebP, AVIF, GIF or TIFF first.',
    );
  if (picture?.hasMore === true) console.error(`${input} has several pictures; the first is written.`);
  const clip = picture !== null ? null : await openMoving(input, output);
  const config = withFrameSize(settings, clip ?? picture ?? { width: PORTRAIT_SIDE, height: PORTRAIT_SIDE });
  const badge = await markFor(config, options, 'render').catch((error) => {
    clip?.close();
    throw error;
  });
  const loaded = new Set<string>();
  const onModelLoad = ({ model }: { model: string }) => loaded.add(model);
  const log = pino({ level: 'silent' });
  const marks = config.disclosure.watermark && picture !== null;
  const watermark = marks ? messageLayout(layoutWords(await keptMarkKey(config.storage.dir, log))) : null;
  const background = await namedBackground(options, config).catch((error) => {
    clip?.close();
    throw error;
  });
  const pool = await Pool.start(watermark === null ? config : withoutMark(config), log, {
    deadline: false,
    backgroundsDir: background.dir,
    onModelLoad,
  }).catch(async (error) => {
    clip?.close();
    await background.close();
    throw error;
  });
  const aside = asideOf(output);
  const signer = new PictureSigner({
    isOn: config.disclosure.sign,
    folder: config.storage.dir,
    onNote: (note) => console.error(note),
  });
  let sink: ClipSink | null = null;
  const onSignal = async (signal: NodeJS.Signals): Promise<void> => {
    clip?.close();
    // An ffmpeg that goes on would write the file that is removed here.
    await sink?.abort();
    rmSync(aside, { force: true });
    process.exit(128 + os.constants.signals[signal]);
  };
  for (const signal of ENDING) process.once(signal, onSignal);
  try {
    requireLoaded(pool, loaded);
    const limits = { bytes: config.limits.uploadBytes, pixels: config.limits.picturePixels };
    const blockList = await BlockList.open(config);
    const portraits = await Promise.all(
      options.source.map(async (file) => {
        const photo = await decodePicture(await readPicture(file), limits);
        const faces = await pool.analyse({ ...photo, data: photo.data.slice() });
        const { points, embedding } = chooseFace(photo, faces, options.pick);
        blockList.check(embedding);
        return { picture: photo, points };
      }),
    );
    pool.offer(ID, async () => portraits);
    await pool.preload(ID);
    const session = pool.open(ID, { face: ID, ...background.settings });
    if (clip !== null) sink = await sinkFor(clip, aside, { input, ...options });
    const found =
      clip === null || sink === null
        ? await renderPicture({ session, badge, signer, watermark }, picture!, aside)
        : await renderClip(session, clip, sink, { ...options, mark: badge });
    await rename(aside, output);
    report(found, input, pool);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  } finally {
    for (const signal of ENDING) process.off(signal, onSignal);
    clip?.close();
    await signer.close();
    await pool.close();
    await background.close();
  }
}

/** Says how many faces were not swapped; where none was found, the exit code says so too. */
function report(faces: readonly SeenFace[], input: string, { defaults }: Pool): void {
  const swapped = faces.filter((face) => face.swapped).length;
  if (swapped === 0) {
    console.error(
      `No face was found in ${input}: it is written without a swap. A face must be about 30 pixels wide or more, lit, and not covered.`,
    );
    process.exitCode = NO_FACE;
  } else if (swapped < faces.length) {
    const why =
      defaults.choice === 'all'
        ? 'the others are too small, turned away or covered'
        : `swap.choice is ${defaults.choice}`;
    console.error(`${swapped} of ${faces.length} faces were swapped: ${why}.`);
  }
}

/** @throws FaceOffError `no_input`, `same_file`, `bad_output`: before anything is worked on. */
async function checkFiles(input: string, output: string): Promise<void> {
  const info = await stat(input).catch(() => null);
  if (info === null) throw new FaceOffError('no_input', `${input} does not exist.`);
  if (info.isDirectory()) throw new FaceOffError('no_input', `${input} is a folder. Name a file.`);
  if (!info.isFile()) throw new FaceOffError('no_input', `${input} is a pipe or a device. Name a file.`);
  const target = await stat(output).catch(() => null);
  if (
    path.resolve(input) === path.resolve(output) ||
    (target !== null && target.ino === info.ino && target.dev === info.dev)
  )
    throw new FaceOffError('same_file', 'The output must be another file than the input.');
  if (target?.isDirectory()) throw new FaceOffError('bad_output', `${output} is a folder. Name a file.`);
  if (target?.isFile() === false) throw new FaceOffError('bad_output', `${output} is a pipe or a device. Name a file.`);
  const folder = path.dirname(output);
  await access(folder, constants.W_OK).catch((cause: unknown) => {
    throw new FaceOffError('bad_output', `Nothing can be written to ${folder}: ${messageOf(cause)}.`, { cause });
  });
  if (Buffer.byteLength(path.basename(output)) > LONGEST_NAME)
    throw new FaceOffError(
      'bad_output',
      `The name of the output has more than ${LONGEST_NAME} bytes. Choose a shorter one.`,
    );
}

/** Opens what is written as one picture; null for what moves. */
async function pictureOf(input: string, output: string): Promise<PictureFile | null> {
  const picture = await openPicture(input);
  const isOne = picture?.moves !== true || (WRITTEN_PICTURES.test(output) && !isAnimation(output));
  // Without ffmpeg, an animated PNG is its first picture.
  return isOne || (await ffmpegVersion()) === null ? picture : null;
}

/** Opens an animation or a clip. @throws FaceOffError `too_long` where an animation could not hold it. */
async function openMoving(input: string, output: string): Promise<Clip> {
  const clip = await (isAnimation(input) ? openAnimation(input) : openClip(input, { asPictures: isAnimation(output) }));
  try {
    if (isAnimation(output)) refuseLong(clip);
    return clip;
  } catch (error) {
    clip.close();
    throw error;
  }
}

/** Where the output is written until it is whole: a short name, as the output's own may be as long as names can be. */
const asideOf = (output: string): string =>
  path.join(path.dirname(output), `.part-${randomUUID().slice(0, 8)}${path.extname(output)}`);

/** Raises the limit of a frame's size, which is meant for cameras, to the size of the file. */
function withFrameSize(config: Config, { width, height }: { width: number; height: number }): Config {
  const { frameWidth, frameHeight } = config.limits;
  if (width * height <= frameWidth * frameHeight) return config;
  return { ...config, limits: { ...config.limits, frameWidth: width, frameHeight: height } };
}

/** A picture gets its mark as it is written, at the full resolution of its colours. */
const withoutMark = (config: Config): Config => ({
  ...config,
  disclosure: { ...config.disclosure, watermark: false },
});

/**
 * Refuses an engine that did not load. A live session falls back to mesh; a file must be made with the engine asked for.
 * @throws FaceOffError `engine_unusable`, and those of `Pool.requireEngine`.
 */
function requireLoaded(pool: Pool, loaded: ReadonlySet<string>): void {
  const { engine } = pool.defaults;
  if (engine === MESH || loaded.has(engine)) return;
  pool.requireEngine(engine);
  throw new FaceOffError(
    'engine_unusable',
    `The engine ${engine} cannot be used. \`faceoff models verify ${engine}\` tells whether its file is the right one.`,
  );
}

async function readPicture(file: string): Promise<Uint8Array> {
  return readFile(file).catch((cause: unknown) => {
    throw new FaceOffError('no_input', `${file} cannot be read: ${messageOf(cause)}`);
  });
}

/** Opens the file that a clip is written to. */
function sinkFor(clip: Clip, file: string, { input, lossless }: RenderOptions & { input: string }): Promise<ClipSink> {
  if (isAnimation(file)) return Promise.resolve(animationSink(file, clip, { lossless }));
  return openSink(file, clip, { lossless, audioFrom: input, onNote: (note) => console.error(note) });
}

/**
 * Swaps and writes a clip. Its pictures are marked from the first on that has a swapped face.
 * @returns a face for each that was ever swapped, and for each that never was.
 */
async function renderClip(
  session: SwapSession,
  clip: Clip,
  sink: ClipSink,
  { quiet, mark }: { quiet: boolean; mark: Badge | null },
): Promise<SeenFace[]> {
  const seen = new Map<number, SeenFace>();
  const bar = quiet ? null : new SingleBar({ format: ' {bar} {value}/{total} frames, {eta} s left', hideCursor: true });
  bar?.start(clip.frames ?? 0, 0);
  try {
    let count = 0;
    let atMs = 0;
    let isModified = false;
    for await (const { data, ...own } of clip) {
      const frame: Frame = { width: clip.width, height: clip.height, data, receivedAtMs: own.atMs ?? atMs };
      const swapped = await session.swap(frame);
      for (const face of swapped.faces) if (face.swapped || !seen.has(face.track)) seen.set(face.track, face);
      isModified ||= swapped.result === 'swapped';
      if (isModified) mark?.draw(swapped.frame);
      if (isModified && own.alpha !== undefined) mark?.drawOpacity(own.alpha, clip.width, clip.height);
      await sink.write({ ...own, data: swapped.frame.data as Uint8Array<ArrayBuffer> });
      atMs += own.delayMs ?? 1000 / clip.fps;
      count++;
      if (count > (clip.frames ?? 0)) bar?.setTotal(count);
      bar?.update(count);
    }
    const faces = [...seen.values()];
    await sink.end(faces.some(({ swapped }) => swapped));
    return faces;
  } catch (error) {
    await sink.abort();
    throw error;
  } finally {
    bar?.stop();
  }
}
