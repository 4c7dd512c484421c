import { POINTS } from '../../../face/topology.ts';
import { BLACK, GREY } from '../source/atlas-layout.ts';

/** Luma between black and white. */
const RANGE = 219;
/** Added to luma, 0..1, before the logarithm, so that noise in the dark is not light. */
const FLOOR = 0.04;

/** Natural log of a luma of limited range; light multiplies, so in the logarithm it adds. */
export const logOfLuma = (luma: number): number => Math.log(Math.max(0, luma - BLACK) / RANGE + FLOOR);

/** The luma, limited range, of which `logOfLuma` gives this; not below black. */
export const lumaOfLog = (log: number): number => BLACK + RANGE * Math.max(0, Math.exp(log) - FLOOR);

/**
 * Log luma, and U and V off grey per luma, of each of 468 points: a grey light changes only the first.
 * @param colours mean Y, U, V at each point, [468, 3].
 * @param out is written to and returned.
 */
export function relativeColours(colours: Float32Array, out = new Float32Array(POINTS * 3)): Float32Array {
  for (let at = 0; at < out.length; at += 3) {
    const luma = Math.max(0, colours[at]! - BLACK) + FLOOR * RANGE;
    out[at] = Math.log(luma / RANGE);
    out[at + 1] = (colours[at + 1]! - GREY) / luma;
    out[at + 2] = (colours[at + 2]! - GREY) / luma;
  }
  return out;
}
