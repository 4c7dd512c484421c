/** What crosses between the main thread and the process that decodes a picture, by structured clone. */

import type { WireError } from '../../shared/errors.ts';
import type { Frame } from '../../shared/types.ts';
import type { PictureLimits } from '../portrait.ts';

/** The picture to decode; the process says `ready` first. */
export interface PictureRequest {
  data: Uint8Array;
  limits: PictureLimits;
}

/** What came of it. */
export type PictureReply = 'ready' | { frame: Frame } | { error: WireError };
