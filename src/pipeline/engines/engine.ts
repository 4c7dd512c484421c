/**
 * What a swap engine is to the pipeline. `mesh` is the embedded default; others plug in behind the same two steps:
 * a source face is enrolled once, from pictures, into plain data that can be moved to any lane; a swapper then puts it
 * on one tracked face, frame after frame.
 */

import type { Frame } from '../../shared/types.ts';
import type { FaceSight } from '../face/landmarks.ts';

/** A picture of a person with the landmarks of the face to take. */
export interface Portrait {
  picture: Frame;
  /** 478 points, x, y, z in pixels of the picture. */
  points: Float32Array;
}

/** The looks of a live face in one frame. */
export interface LiveFace extends FaceSight {
  /** 478 points, x, y, z in pixels of the frame, steadied. */
  points: Float32Array;
}

/** How a person wants the swap to look; see SwapSettings and the `swap` section of config.yaml. */
export interface Looks {
  strength: number;
  shape: number;
  keepEyes: boolean;
  keepMouth: boolean;
  colour: number;
  sharpness: number;
}

/** A source face on one tracked face; keeps what it learns from frame to frame. */
export interface Swapper {
  /**
   * Asked once before each swap: whether that will wait for something elsewhere. Then the frame's other faces are begun
   * meanwhile, and the lane's kernels hold something else when it is this one's turn.
   */
  waits?(): boolean;
  /**
   * Swaps the face in place, in the lane's turn. `face.region` is loaded, except for a swapper that waits: its face's
   * region and crop are stale. A swapper that throws has not changed the frame.
   */
  swap(frame: Frame, face: LiveFace, looks: Looks): void | Promise<void>;
  /** Idempotent; gives its textures back. */
  close(): void;
}

/** @typeParam Enrolled structured-cloneable data. */
export interface Engine<Enrolled> {
  enrol(portraits: Portrait[]): Enrolled | Promise<Enrolled>;
  swapper(enrolled: Enrolled): Swapper;
}
