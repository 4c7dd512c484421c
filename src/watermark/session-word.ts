/** The 32 bits that a mark says of its session. */

/** The first eight digits of a session's id; 0 for what has no id of that form, such as a rendered file. */
export function sessionWord(session: string): number {
  return /^[0-9a-f]{8}-/.test(session) ? Number.parseInt(session.slice(0, 8), 16) : 0;
}

/** The first eight digits of the id of the session that a word was made of. */
export const sessionDigits = (word: number): string => word.toString(16).padStart(8, '0');
