/**
 * The interface of swap engines. `mesh` is the built-in default; others implement the same two steps: a source face is
 * enrolled once, from pictures, into plain data that can be sent to any lane; a swapper then puts it on one tracked
 * face, frame after frame.
 */

import type { Frame } from '../../shared/types.ts';
import type { FaceSight } from '../face/landmarks.ts';

/** A picture of a person with the landmarks of the source face. */
export interface Portrait {
  picture: Frame;
  /** 478 points, x, y, z in pixels of the picture. */
  points: Float32Array;
}

/** A live face in one frame. */
export interface LiveFace extends FaceSight {
  /** 478 points, x, y, z in pixels of the frame, smoothed over time. */
  points: Float32Array;
}

/** How the swap looks, each 0..1 or a switch; see SwapSettings and the `swap` section of config.yaml. */
export interface Looks {
  strength: number;
  shape: number;
  keepEyes: boolean;
  keepMouth: boolean;
  colour: number;
  sharpness: number;
}

/** Puts a source face on one tracked face; keeps state from frame to frame. Runs in the lane worker. */
export interface Swapper {
  /**
   * Called once before each swap: true if `swap` awaits the device. The lane then overlaps the swap with the frame's
   * other faces, and does not keep the face's region loaded in its kernels.
   */
  waits?(): boolean;
  /**
   * Swaps the face in place, while the lane's mutex is held. `face.region` is loaded in the lane's kernels, except for a
   * swapper whose `waits` returned true: its face's region and crop are stale. A swapper that throws has not changed the
   * frame.
   */
  swap(frame: Frame, face: LiveFace, looks: Looks): void | Promise<void>;
  /** Idempotent; returns the swapper's textures to the engine. */
  close(): void;
}

/**
 * A swap engine.
 * @typeParam Enrolled a source face as the engine needs it: structured-cloneable data.
 */
export interface Engine<Enrolled> {
  /** @param portraits one to several of the same person. @throws FaceOffError `no_face` (422) for unusable photos. */
  enrol(portraits: Portrait[]): Enrolled | Promise<Enrolled>;
  /** A swapper for one tracked face. */
  swapper(enrolled: Enrolled): Swapper;
}
