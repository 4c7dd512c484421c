/** Turns ffmpeg's errors about cameras, real and virtual, into sentences that say what to do. */

import { existsSync } from 'node:fs';
import { FaceOffError } from '../../shared/errors.ts';
import { type FfmpegExit, noFfmpeg } from '../ffmpeg.ts';
import { shownName } from './live-output.ts';

/** Whether a name is that of a camera under Linux. */
export const isDevice = (name: string): boolean => name.startsWith('/dev/video');

/** Whether a name is that of the standard input. */
export const isStandardInput = (name: string): boolean => /^(-|pipe:0?|\/dev\/stdin|\/dev\/fd\/0)$/.test(name);

/** Whether a name is that of a file or a pipe, which has an end; a camera or an address is expected to come back. */
export const isFile = (name: string): boolean => isStandardInput(name) || (!isDevice(name) && existsSync(name));

/** Checks that an input exists. @throws FaceOffError `no_device`, `no_input`. */
export function checkInput(name: string): void {
  if (isDevice(name) && !existsSync(name))
    throw new FaceOffError('no_device', `There is no camera ${name}. \`ls /dev/video*\` shows those there are.`);
  // ffmpeg opens anything with a scheme.
  if (name !== '-' && !/^[a-z][a-z0-9+.-]*:/i.test(name) && !existsSync(name))
    throw new FaceOffError('no_input', `${name} does not exist.`);
}

/** Checks that a virtual camera exists. @throws FaceOffError `no_loopback`. */
export function checkOutput(name: string): void {
  if (isDevice(name) && !existsSync(name))
    throw new FaceOffError('no_loopback', `There is no virtual camera ${name}. ${howToLoad(name)}`);
}

/** The error for an input whose ffmpeg ended: `no_ffmpeg`, `device_busy`, `device_denied`, `not_a_camera`, `input_failed`. */
export function inputError(name: string, exit: FfmpegExit): FaceOffError {
  const found = commonError(name, exit);
  if (found !== null) return found;
  if (/Inappropriate ioctl|Not a video capture device/i.test(exit.said))
    return new FaceOffError('not_a_camera', `${name} is no camera. \`v4l2-ctl --list-devices\` tells which is which.`);
  if (/does not contain any stream/i.test(exit.said))
    return new FaceOffError('input_failed', `${shownName(name)} has no pictures, only sound or text.`);
  return new FaceOffError('input_failed', `ffmpeg cannot read ${withoutKeys(name, exit)}`);
}

/** The error for an output whose ffmpeg ended: `no_ffmpeg`, `device_busy`, `device_denied`, `not_loopback`, `output_failed`. */
export function outputError(name: string, exit: FfmpegExit): FaceOffError {
  const found = commonError(name, exit);
  if (found !== null) return found;
  if (isDevice(name) && /Inappropriate ioctl|Invalid argument|Not a video output/i.test(exit.said))
    return new FaceOffError('not_loopback', `${name} takes no pictures: it is no virtual camera. ${howToLoad(name)}`);
  return new FaceOffError('output_failed', `ffmpeg cannot write ${withoutKeys(name, exit)}`);
}

/** A name and what ffmpeg said of it, without passwords and keys. */
function withoutKeys(name: string, { said, code }: FfmpegExit): string {
  const shown = shownName(name);
  // ffmpeg names its own contexts by their place in memory, which differs each time.
  const told = said.replaceAll(name, shown).replace(/ @ 0x[0-9a-f]+/g, '');
  return `${shown}: ${told || `code ${code}`}`;
}

function commonError(name: string, { said, isMissing }: FfmpegExit): FaceOffError | null {
  if (isMissing) return noFfmpeg('A camera');
  if (/resource busy/i.test(said))
    return new FaceOffError('device_busy', `${name} is in use by another program. Close that, or choose another one.`);
  if (isDevice(name) && /Permission denied/i.test(said))
    return new FaceOffError(
      'device_denied',
      `You may not use ${name}. A camera is for the group video: \`sudo usermod -aG video $USER\`, then log in again.`,
    );
  return null;
}

function howToLoad(name: string): string {
  const number = name.match(/^\/dev\/video(\d+)$/)?.[1] ?? '10';
  return `It is made by the kernel module v4l2loopback (package v4l2loopback-dkms): \`sudo modprobe v4l2loopback devices=1 video_nr=${number} card_label=FaceOff exclusive_caps=1\``;
}
