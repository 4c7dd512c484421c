/** Numbers as people read them. No DOM, so it is tested as it is. */

const NOTHING = '–';

/** Milliseconds: one decimal below ten. */
export function showMs(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  return value < 9.95 ? value.toFixed(1) : String(Math.round(value));
}

export function showRate(perSecond: number | null | undefined): string {
  return perSecond === null || perSecond === undefined ? NOTHING : String(Math.round(perSecond));
}

export function showSize(width: number, height: number): string {
  return width > 0 && height > 0 ? `${width} × ${height}` : NOTHING;
}

/** Memory, in binary units. */
export function showBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return NOTHING;
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(1)} GB`;
  return bytes >= 2 ** 20 ? `${Math.round(bytes / 2 ** 20)} MB` : `${Math.round(bytes / 1024)} kB`;
}

export const showCores = (cores: number): string => `${cores.toFixed(2)} cores`;

/** `0:07`, `12:34`, `1:02:03`. */
export function showTime(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const two = (n: number): string => String(n).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const start = hours > 0 ? `${hours}:${two(minutes)}` : String(minutes);
  return `${start}:${two(seconds % 60)}`;
}

export const showPercent = (share: number): string => `${Math.round(share * 100)} %`;

/** A file's name as the name of a person: no ending, no underscores, not longer than the server takes. */
export function nameFromFile(file: string): string {
  const name = file
    .replace(/\.\w{1,5}$/, '')
    .replace(/[_\s]+/g, ' ')
    .trim();
  return name.slice(0, 80);
}

/** Whether a host name of the address bar is the machine in front of the person. */
export const isThisMachine = (host: string): boolean => /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(host);

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface BoxPlacement {
  left: string;
  top: string;
  width: string;
  height: string;
}

/** Where a box given in pixels of a picture lies on that picture, in percent, so that it holds at every size. */
export function placeOf(box: Box, picture: { width: number; height: number }, mirrored = false): BoxPlacement {
  const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(2)}%`;
  return {
    left: percent(mirrored ? picture.width - box.x - box.width : box.x, picture.width),
    top: percent(box.y, picture.height),
    width: percent(box.width, picture.width),
    height: percent(box.height, picture.height),
  };
}
