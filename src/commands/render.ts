/**
 * `faceoff render`: the live pipeline on files, every frame, without a deadline. sharp reads and writes pictures and
 * animations, FaceOff itself y4m, and ffmpeg any other video, where it is installed.
 */

import { existsSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { pino } from 'pino';
import sharp from 'sharp';
import type { Config } from '../config.ts';
import { chooseFace, decodePicture, frameToRgb } from '../faces/portrait.ts';
import { animationSink, isAnimation, openAnimation, picturesIn } from '../media/animation.ts';
import { type Clip, openClip, openSink } from '../media/clip.ts';
import { PORTRAIT_SIDE } from '../pipeline/pool/lane-protocol.ts';
import { Pool } from '../pipeline/pool/pool.ts';
import { FaceOffError, messageOf } from '../shared/errors.ts';
import { MESH } from '../shared/settings.ts';
import type { Frame, SwapSession } from '../shared/types.ts';
import { type ConfigOptions, collect, configOf, wholeNumber, withConfig } from './options.ts';

interface RenderOptions extends ConfigOptions {
  source: string[];
  pick?: number;
  lossless: boolean;
  quiet: boolean;
}

const PICTURES = /\.(png|jpe?g|webp|gif)$/i;
const ID = 'render';

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
  return withConfig(command, defaultConfig).action(render);
}

async function render(input: string, output: string, options: RenderOptions): Promise<void> {
  const settings = configOf(options, ['pipeline.lanes=1', 'logging.level=warn']);
  if (!existsSync(input)) throw new FaceOffError('no_input', `${input} does not exist.`);
  if (path.resolve(input) === path.resolve(output))
    throw new FaceOffError('same_file', 'The output must be another file than the input.');
  const isPicture = PICTURES.test(input) && (await picturesIn(input)) === 1;
  const kind = { isPicture, toPicture: /\.(png|jpe?g)$/i.test(output), toPictures: PICTURES.test(output) };
  if (isPicture && !kind.toPictures)
    throw new FaceOffError('bad_output', 'A picture can be written as .png, .jpg, .webp or .gif.');
  if (!isPicture && kind.toPicture)
    throw new FaceOffError(
      'bad_output',
      'What moves can be written as .gif, .webp, .y4m or a video, not as one picture.',
    );
  const clip = isPicture ? null : await (isAnimation(input) ? openAnimation(input) : openClip(input));
  const config = withFrameSize(settings, clip ?? { width: PORTRAIT_SIDE, height: PORTRAIT_SIDE });
  const loaded = new Set<string>();
  const onModelLoad = ({ model }: { model: string }) => loaded.add(model);
  const pool = await Pool.start(config, pino({ level: 'silent' }), { deadline: false, onModelLoad }).catch((error) => {
    clip?.close();
    throw error;
  });
  try {
    requireLoaded(pool, loaded);
    const limits = { bytes: config.limits.uploadBytes, pixels: config.limits.picturePixels };
    const portraits = await Promise.all(
      options.source.map(async (file) => {
        const picture = await decodePicture(await readPicture(file), limits);
        const faces = await pool.analyse({ ...picture, data: picture.data.slice() });
        return { picture, points: chooseFace(picture, faces, options.pick).points };
      }),
    );
    pool.offer(ID, async () => portraits);
    await pool.preload(ID);
    const session = pool.open(ID, { face: ID });
    if (clip === null) await renderPicture(session, input, output);
    else await renderClip(session, clip, { input, output, ...options });
  } finally {
    clip?.close();
    await pool.close();
  }
}

/** Raises the limit of a frame's size, which is meant for cameras, to the size of the file. */
function withFrameSize(config: Config, { width, height }: { width: number; height: number }): Config {
  const { frameWidth, frameHeight } = config.limits;
  if (width * height <= frameWidth * frameHeight) return config;
  return { ...config, limits: { ...config.limits, frameWidth: width, frameHeight: height } };
}

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

async function renderPicture(session: SwapSession, input: string, output: string): Promise<void> {
  const { frame } = await session.swap(await decodePicture(await readPicture(input), { bytes: Infinity, pixels: 1e9 }));
  const { width, height } = frame;
  // sharp takes the format from the ending, so the temporary name keeps it.
  const aside = path.join(path.dirname(output), `.part-${path.basename(output)}`);
  await sharp(frameToRgb(frame), { raw: { width, height, channels: 3 } }).toFile(aside);
  await rename(aside, output);
}

async function renderClip(
  session: SwapSession,
  clip: Clip,
  options: RenderOptions & { input: string; output: string },
): Promise<void> {
  const { input, output } = options;
  const aside = path.join(path.dirname(output), `.part-${path.basename(output)}`);
  const sink = isAnimation(output)
    ? animationSink(aside, clip, options)
    : await openSink(aside, clip, { lossless: options.lossless, audioFrom: input });
  const bar = options.quiet
    ? null
    : new SingleBar({ format: ' {bar} {value}/{total} frames, {eta} s left', hideCursor: true });
  bar?.start(clip.frames ?? 0, 0);
  try {
    let count = 0;
    let atMs = 0;
    for await (const { data, ...own } of clip) {
      const frame: Frame = { width: clip.width, height: clip.height, data, receivedAtMs: atMs };
      const swapped = await session.swap(frame);
      await sink.write({ ...own, data: swapped.frame.data });
      atMs += own.delayMs ?? 1000 / clip.fps;
      count++;
      if (count > (clip.frames ?? 0)) bar?.setTotal(count);
      bar?.update(count);
    }
    await sink.end();
    await rename(aside, output);
  } catch (error) {
    await sink.abort();
    await rm(aside, { force: true });
    throw error;
  } finally {
    bar?.stop();
  }
}
