/** What crosses between the main thread and the process of the content check, by structured clone. */

import type { WireError } from '../../shared/errors.ts';

/** A check: interleaved RGB, 0..255, 224 x 224. */
export interface ContentRequest {
  id: number;
  sample: Uint8Array<ArrayBuffer>;
}

/** The answer to the check with that id: how surely the picture is pornographic, 0..1, or an error. */
export type ContentReply = { id: number; score: number } | { id: number; error: WireError };

/** The process's first message: the name of its model, or the error that prevents it. */
export type ContentStarted = { model: string } | { error: WireError };
