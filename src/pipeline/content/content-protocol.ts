/** What crosses between the main thread and the worker of the content check. */

import type { WireError } from '../../shared/errors.ts';

/** What the worker is started with. */
export interface ContentWorkerOptions {
  /** Folder of the models. */
  modelsDir: string;
}

/** A check: interleaved RGB, 0..255, 224 x 224, which is moved. */
export interface ContentRequest {
  id: number;
  sample: Uint8Array<ArrayBuffer>;
}

/** The worker's answer to the check with that id: how surely the picture is pornographic, 0..1, or an error. */
export type ContentReply = { id: number; score: number } | { id: number; error: WireError };

/** The worker's first message: the name of its model, or the error that prevents it. */
export type ContentStarted = { model: string } | { error: WireError };
