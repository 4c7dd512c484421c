/** Numbers, names and boxes as the pages show them. Free of the DOM, for tests. */

import { showNumber, t } from '../language/translate.ts';

const NOTHING = '–';

/** Milliseconds without the unit: one decimal below ten, a dash where there is no value. */
export function showMs(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  return value < 9.95 ? showNumber(value, 1) : showNumber(Math.round(value));
}

/** A rate per second, rounded; a dash where there is no value. */
export function showRate(perSecond: number | null | undefined): string {
  return perSecond === null || perSecond === undefined ? NOTHING : showNumber(Math.round(perSecond));
}

/** The size of a picture, `640 × 480`; a dash before the first one. */
export function showSize(width: number, height: number): string {
  return width > 0 && height > 0 ? `${width} × ${height}` : NOTHING;
}

/** Memory in binary units; a dash where there is no value. */
export function showBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return NOTHING;
  if (bytes >= 2 ** 30) return t('{{number}} GB', { number: showNumber(bytes / 2 ** 30, 1) });
  return bytes >= 2 ** 20
    ? t('{{number}} MB', { number: Math.round(bytes / 2 ** 20) })
    : t('{{number}} kB', { number: Math.round(bytes / 1024) });
}

/** Processor use, `0.45 cores`: 1 is one core, busy all the time. */
export const showCores = (cores: number): string => t('{{number}} cores', { number: showNumber(cores, 2) });

/** A duration: `0:07`, `12:34`, `1:02:03`. */
export function showTime(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const two = (n: number): string => String(n).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const start = hours > 0 ? `${hours}:${two(minutes)}` : String(minutes);
  return `${start}:${two(seconds % 60)}`;
}

/** A share from 0 to 1 as a whole percentage. */
export const showPercent = (share: number): string => t('{{number}} %', { number: Math.round(share * 100) });

/**
 * A person's name out of a file's: without extension and underscores, at most the 80 characters that the server takes.
 */
export function nameFromFile(file: string): string {
  const name = file
    .replace(/\.\w{1,5}$/, '')
    .replace(/[_\s]+/g, ' ')
    .trim();
  return name.slice(0, 80);
}

/** Whether a host name is that of the machine which the browser runs on. */
export const isThisMachine = (host: string): boolean => /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(host);

/** A rectangle in pixels of a picture. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A rectangle as CSS properties, in percent. */
export interface BoxPlacement {
  left: string;
  top: string;
  width: string;
  height: string;
}

/** Converts a box from pixels of a picture to percent of it, so that it holds at every size of the element. */
export function placeOf(box: Box, picture: { width: number; height: number }, mirrored = false): BoxPlacement {
  const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(2)}%`;
  return {
    left: percent(mirrored ? picture.width - box.x - box.width : box.x, picture.width),
    top: percent(box.y, picture.height),
    width: percent(box.width, picture.width),
    height: percent(box.height, picture.height),
  };
}
