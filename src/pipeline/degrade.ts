/**
 * The ladder of plans, from full quality down to passthrough, and the controller that moves along it. A plan is data:
 * stages read its fields and never ask for a level's number.
 */

export interface Plan {
  name: string;
  /** False lets every frame go out as it came. */
  swap: boolean;
  /** Of every so many frames one is swapped and the others are left out. */
  every: number;
  /** Most faces swapped in one frame. */
  faces: number;
  /** How much longer than configured to wait between looks for new faces. */
  seekPatience: number;
}

export const LADDER: readonly Plan[] = [
  { name: 'full', swap: true, every: 1, faces: Infinity, seekPatience: 1 },
  { name: 'lean', swap: true, every: 1, faces: 1, seekPatience: 4 },
  { name: 'half', swap: true, every: 2, faces: 1, seekPatience: 4 },
  { name: 'third', swap: true, every: 3, faces: 1, seekPatience: 8 },
  { name: 'passthrough', swap: false, every: 1, faces: 0, seekPatience: Infinity },
];
