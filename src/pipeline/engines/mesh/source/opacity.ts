/** How opaque the source is drawn, part by part. */

import { BROW_LEFT, BROW_RIGHT, POINTS, type Topology } from '../../../face/topology.ts';
import type { Portrait } from '../../engine.ts';
import { facing } from '../facing.ts';

/** A little of the live skin everywhere keeps its grain and movement: expression, flicker and seam all measured better. */
const MOST = 0.93;
/** Opacity by rings from the rim inwards. The light meets the live skin there, so on skin little is to be hidden. */
const RIM_FADE = [0.7, 1];
/** What is left of it where the live face shows hair or a headset instead, which are to stay. */
const HAIR_FADE = [0, 0.4, 0.8];
/** Opacity at the edge of an eye and of the mouth's inside, where drawing ends at once: more shows as a jagged line. */
const LID = 0.2;
const LIP = 0.25;
/** What the photos saw this many times less squarely than the camera does fades, from, to, down to the least. */
const WORSE = [0.3, 0.8] as const;
const WORSE_LEAST = 0.3;
/** A mirrored half is not quite what a photo of it would be. */
const MIRRORED = 0.8;
/** Opacity by edges away from eyes or, two further out, lips that are kept. */
const KEPT_FADE = { [-2]: 0, [-1]: 0, 0: 0, 1: 0, 2: 0.5 } as Readonly<Record<number, number>>;
/** Cosines between which a part that turns away fades out. */
const TURNED = [0, 0.25] as const;
/** The same inside the face, where what turns away soon lies behind the nose: its dark side would be drawn as a line. */
const FOLDED = [0.1, 0.35] as const;
/** That far inside, in rings from the rim. */
const FOLDS_FROM = 5;

const BROWS = new Set([...BROW_LEFT, ...BROW_RIGHT]);

const ramp = ([from, to]: readonly [number, number], x: number): number =>
  Math.min(1, Math.max(0, (x - from) / (to - from)));

/** Opacity by place on the face alone, of 468 points. */
export function opacityByPlace({ ring, fromEyes, fromMouth }: Topology): Float32Array {
  return Float32Array.from({ length: POINTS }, (_, i) => {
    const rim = RIM_FADE[ring[i]!] ?? 1;
    return MOST * rim * (fromEyes[i] === 0 ? LID : 1) * (fromMouth[i] === 0 ? LIP : 1);
  });
}

/** What is left of the opacity of each of 468 points where no live skin is. */
export function opacityOverHair({ ring }: Topology): Float32Array {
  return Float32Array.from({ length: POINTS }, (_, i) => HAIR_FADE[ring[i]!] ?? 1);
}

/** What is left of the opacity of each of 468 points where the live person's eyes or mouth are to stay. */
export function opacityOutside({ fromEyes, fromMouth, ring }: Topology, eyes: boolean, mouth: boolean): Float32Array {
  const steps = (count: number): number => KEPT_FADE[count] ?? 1;
  return Float32Array.from(ring, (_, i) => {
    const eye = eyes ? (BROWS.has(i) ? 0 : steps(fromEyes[i]!)) : 1;
    return eye * (mouth ? steps(fromMouth[i]! - 2) : 1);
  });
}

/** How squarely the best photo of each of 468 points saw it, 0..1. */
export function bestViews(portraits: Portrait[], topology: Topology): Float32Array {
  const best = new Float32Array(POINTS);
  for (const { points } of portraits) {
    const seen = facing(points, topology);
    for (let i = 0; i < POINTS; i++) best[i] = Math.max(best[i]!, seen[i]!, MIRRORED * seen[topology.mirror[i]!]!);
  }
  return best;
}

/** Which of 468 points fold behind the nose as the head turns; lids and lips do not, and stay as they are. */
export function foldsOf({ ring, fromEyes, fromMouth }: Topology): Uint8Array {
  return Uint8Array.from({ length: POINTS }, (_, i) =>
    ring[i]! >= FOLDS_FROM && fromEyes[i]! > 1 && fromMouth[i]! > 2 ? 1 : 0,
  );
}

/**
 * Share of a point's opacity that is left.
 * @param live, photo cosines to the camera, live and in the best photo. @param folds as `foldsOf` has it.
 */
export function opacityByView(live: number, photo: number, folds: number): number {
  const worse = WORSE_LEAST + (1 - WORSE_LEAST) * ramp(WORSE, photo / Math.max(0.05, live));
  return worse * ramp(folds ? FOLDED : TURNED, live);
}

/**
 * Eyes, the mouth's inside, and the skin beside them that lets something through: triangles of three points.
 * @param kept with all that shows where the live eyes and mouth are to stay.
 */
export function translucent({ skin, holes, fromEyes, fromMouth }: Topology, kept: boolean): number[] {
  const near = (i: number): boolean =>
    kept ? fromEyes[i]! <= 2 || fromMouth[i]! <= 4 || BROWS.has(i) : fromEyes[i] === 0 || fromMouth[i] === 0;
  const triangles = [...holes];
  for (let t = 0; t < skin.length; t += 3) {
    const corners = [...skin.subarray(t, t + 3)];
    if (corners.some(near)) triangles.push(...corners);
  }
  return triangles;
}
