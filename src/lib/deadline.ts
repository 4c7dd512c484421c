/** Deadlines of promises. */

import { FaceOffError } from '../shared/errors.ts';

/** Means no deadline, in milliseconds: a day. JSON has no infinity, and timers end at 2³¹ ms. */
export const LONG_MS = 86_400_000;

/** The error `too_late`. */
export const tooLate = (): FaceOffError =>
  new FaceOffError('too_late', 'The generator did not answer while the frame had time.');

/**
 * Settles as `answer` does, or rejects with `otherwise()` after `leftMs` milliseconds; how `answer` settles after that is
 * ignored, and raises no unhandled rejection.
 */
export async function withinDeadline<T>(
  answer: Promise<T>,
  leftMs: number,
  otherwise: () => Error = tooLate,
): Promise<T> {
  if (leftMs >= LONG_MS) return await answer;
  answer.catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(otherwise()), Math.max(0, leftMs));
  });
  try {
    return await Promise.race([answer, over]);
  } finally {
    clearTimeout(timer);
  }
}
