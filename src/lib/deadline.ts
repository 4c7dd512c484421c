/** Waiting for something no longer than it is of use. */

import { FaceOffError } from '../shared/errors.ts';

/** Stands for no deadline: a day. JSON has no infinity, and timers know no longer ones. */
export const LONG_MS = 86_400_000;

export const tooLate = (): FaceOffError =>
  new FaceOffError('too_late', 'The generator did not answer while the frame had time.');

/** The answer, or `too_late` after so many milliseconds; what becomes of it after that is nobody's error. */
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
