/** Turns pictures that a phone sends lying: the codec carries them as the sensor saw them, with a rotation beside. */

import type { Frame } from '../../shared/types.ts';

/** @param rotation degrees clockwise that make the picture upright: 0, 90, 180 or 270. */
export function upright(frame: Frame, rotation: number): Frame {
  if (rotation % 360 === 0) return frame;
  const { width, height, data } = frame;
  const [cw, ch] = [(width + 1) >> 1, (height + 1) >> 1];
  const out = new Uint8Array(data.length);
  const luma = width * height;
  turn(data.subarray(0, luma), width, height, rotation, out.subarray(0, luma));
  turn(data.subarray(luma, luma + cw * ch), cw, ch, rotation, out.subarray(luma, luma + cw * ch));
  turn(data.subarray(luma + cw * ch), cw, ch, rotation, out.subarray(luma + cw * ch));
  const lying = rotation % 180 !== 0;
  return { ...frame, width: lying ? height : width, height: lying ? width : height, data: out };
}

function turn(from: Uint8Array, width: number, height: number, rotation: number, to: Uint8Array): void {
  const last = width * height - 1;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (rotation === 180) to[last - i] = from[i]!;
      else if (rotation === 90) to[x * height + height - 1 - y] = from[i]!;
      else to[(width - 1 - x) * height + y] = from[i]!;
    }
  }
}
