import type { Rect } from '../../../../shared/geometry.ts';
import { BROW_LEFT, BROW_RIGHT } from '../../../face/topology.ts';
import { type FaceMap, MAP_SIDE, MAP_TEXELS } from './face-map.ts';

/** Tuning of what is worn in front of a face. Hand-tuned. */
export const WORN_TUNING = {
  /** Frames of a face from one segmentation to the next while nothing is worn; 1 or more. Set by cost. */
  everyFrames: 15,
  /** The same while something is worn. */
  everyFramesWorn: 5,
  /** The same while what is worn moves over the face: strands swing. */
  everyFramesMoving: 2,
  /** Share of the marked texels that changed from which it moves; 0..1. */
  movingFrom: 0.12,
  /** Share of the way that the certainty moves; 0..1 a segmentation. */
  follow: 0.8,
  /** Certainty from which a texel shows an occluder, 0..1. */
  from: 0.5,
  /** Certainty down to which one that did still does; below `from`: what flickers is worse than what stays. */
  until: 0.2,
  /** Least texels of a connected component beside the brows: a spot is a mole, and a dark brow the face's own. */
  componentLeast: 20,
  /** Least cosine to the camera of the middle of the face: beyond it the map shows too little. */
  seenLeast: 0.7,
};

/** Values of what is worn that an experiment may set anew; see `WORN_TUNING` for units and ranges. */
export type WornTuning = Readonly<typeof WORN_TUNING>;

/** Texels from a point of a brow that may still show it. */
const BROW_REACH = 2;
/** The point of the mesh on the bridge of the nose: the middle of the face. */
const MIDDLE = 6;

/** What is worn in front of one live face, over time. Its mask is as that of `OcclusionMask`. */
export class WornOccluders {
  readonly #map: FaceMap;
  readonly #tuning: WornTuning;
  readonly #certainty = new Float32Array(MAP_TEXELS);
  readonly #marks = new Uint8Array(MAP_TEXELS);
  /** Texels of eyes and mouth, each with two texels of skin on opposite sides of the opening: three numbers each. */
  readonly #openings: readonly number[];
  /** 1 for each texel of a brow and beside it. */
  readonly #isBrow: Uint8Array;
  #isFirst = true;
  #isMoving = true;
  #frames = 0;
  /** 0 the face, 255 an occluder: one for each texel of the map. */
  readonly values = new Uint8Array(MAP_TEXELS);
  /** Whether anything is worn. */
  any = false;
  /** The box around it on the map. */
  area: Rect = { x: 0, y: 0, width: 0, height: 0 };

  constructor(map: FaceMap, tuning: WornTuning = WORN_TUNING) {
    this.#map = map;
    this.#tuning = tuning;
    this.#openings = openingsOf(map);
    this.#isBrow = browsOf(map);
  }

  /** Counts a frame. @param seen cosine of 468 points. @returns whether the face is to be segmented in it. */
  isDue(seen: Float32Array): boolean {
    const { everyFrames, everyFramesWorn, everyFramesMoving, seenLeast } = this.#tuning;
    const every = this.#isMoving ? everyFramesMoving : this.any ? everyFramesWorn : everyFrames;
    return this.#frames++ % every === 0 && seen[MIDDLE]! >= seenLeast;
  }

  /** Takes a segmentation. @param certainty how surely each texel shows an occluder, 0..1. */
  follow(certainty: Float32Array): void {
    const { follow, from, until } = this.#tuning;
    const share = this.#isFirst ? 1 : follow;
    this.#isFirst = false;
    const { isListed } = this.#map;
    const marks = this.#marks;
    let [marked, changed] = [0, 0];
    for (let t = 0; t < MAP_TEXELS; t++) {
      if (isListed[t] === 0) continue;
      const now = this.#certainty[t]! + share * (certainty[t]! - this.#certainty[t]!);
      this.#certainty[t] = now;
      const mark = now > (marks[t] ? until : from) ? 1 : 0;
      marked += mark;
      if (mark !== marks[t]) changed++;
      marks[t] = mark;
    }
    this.#crossOpenings();
    this.#setMask();
    this.#isMoving = this.any && changed > this.#tuning.movingFrom * marked;
  }

  /** What occludes both edges of an eye or a mouth, a strand of hair, occludes it too; the segmentation sees skin alone. */
  #crossOpenings(): void {
    const [marks, openings] = [this.#marks, this.#openings];
    for (let k = 0; k < openings.length; k += 3) marks[openings[k]!] = 0;
    for (let k = 0; k < openings.length; k += 3)
      if (marks[openings[k + 1]!] && marks[openings[k + 2]!]) marks[openings[k]!] = 1;
  }

  /** Forgets what is worn: another scene begins. */
  clear(): void {
    this.#marks.fill(0);
    this.values.fill(0);
    this.any = false;
    this.#isFirst = true;
    this.#isMoving = true;
    this.#frames = 0;
  }

  /** The mask: components that are large enough, a margin of a texel, a soft edge. */
  #setMask(): void {
    const values = this.values.fill(0);
    let [x0, y0, x1, y1] = [MAP_SIDE, MAP_SIDE, 0, 0];
    for (const texel of this.#largeComponents()) {
      const [x, y] = [texel % MAP_SIDE, Math.floor(texel / MAP_SIDE)];
      if (x < 2 || y < 2 || x > MAP_SIDE - 3 || y > MAP_SIDE - 3) continue;
      [x0, y0, x1, y1] = [Math.min(x0, x - 2), Math.min(y0, y - 2), Math.max(x1, x + 3), Math.max(y1, y + 3)];
      for (let dy = -2; dy <= 2; dy++) {
        for (let dx = -2; dx <= 2; dx++) {
          const near = Math.abs(dx) + Math.abs(dy);
          const t = texel + dy * MAP_SIDE + dx;
          if (near <= 2) values[t] = Math.max(values[t]!, near <= 1 ? 255 : 128);
        }
      }
    }
    this.any = x1 > 0;
    this.area = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
  }

  /** Marked texels of connected components that are large enough. */
  #largeComponents(): number[] {
    const visited = new Uint8Array(MAP_TEXELS);
    const found: number[] = [];
    for (let first = 0; first < MAP_TEXELS; first++) {
      if (!this.#marks[first] || visited[first]) continue;
      visited[first] = 1;
      const component = [first];
      for (const texel of component) {
        for (let dy = -MAP_SIDE; dy <= MAP_SIDE; dy += MAP_SIDE) {
          for (let t = texel + dy - 1; t <= texel + dy + 1; t++) {
            if (!this.#marks[t] || visited[t]) continue;
            visited[t] = 1;
            component.push(t);
          }
        }
      }
      const beside = component.filter((texel) => this.#isBrow[texel] === 0).length;
      if (beside >= this.#tuning.componentLeast) found.push(...component);
    }
    return found;
  }
}

/** From each texel of an opening to its edges along a column and both diagonals. */
function openingsOf({ inside, isListed }: FaceMap): number[] {
  const found: number[] = [];
  for (let texel = 0; texel < MAP_TEXELS; texel++) {
    if (inside[texel] === 0 || isListed[texel] === 1) continue;
    for (const step of [MAP_SIDE, MAP_SIDE - 1, MAP_SIDE + 1]) {
      const edge = (direction: number): number => {
        let t = texel;
        while (inside[t] === 1 && isListed[t] === 0) t += direction;
        return t;
      };
      const [a, b] = [edge(-step), edge(step)];
      if (isListed[a] === 1 && isListed[b] === 1) found.push(texel, a, b);
    }
  }
  return found;
}

function browsOf({ texelOfPoint }: FaceMap): Uint8Array {
  const isBrow = new Uint8Array(MAP_TEXELS);
  for (const point of [...BROW_LEFT, ...BROW_RIGHT]) {
    const texel = texelOfPoint[point]!;
    for (let dy = -BROW_REACH; dy <= BROW_REACH; dy++)
      for (let dx = -BROW_REACH; dx <= BROW_REACH; dx++) isBrow[texel + dy * MAP_SIDE + dx] = 1;
  }
  return isBrow;
}
