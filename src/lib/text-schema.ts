/**
 * Zod schemas of texts and lists of limited length. Zod's own `min` and `max` look at the length of whatever has one, also
 * of an object whose length cannot be compared, and then throw instead of refusing it.
 */

import { z } from 'zod';

/** A text of so many characters (code points); its JSON Schema says so, too. */
export function textSchema(min: number, max = Number.MAX_SAFE_INTEGER): z.ZodString {
  return z
    .string()
    .refine((text) => isWithin(text.length > 2 * max ? text.length : [...text].length, min, max), {
      error: said(min, max, 'character'),
    })
    .meta({ minLength: min, ...(max !== Number.MAX_SAFE_INTEGER && { maxLength: max }) });
}

/** A list of at least so many items. */
export function listSchema<T extends z.ZodType>(item: T, min: number): z.ZodArray<T> {
  return z.array(item).refine((list) => list.length >= min, { error: said(min, Number.MAX_SAFE_INTEGER, 'item') });
}

const isWithin = (length: number, min: number, max: number): boolean => length >= min && length <= max;

const said = (min: number, max: number, what: string): string =>
  max === Number.MAX_SAFE_INTEGER
    ? `must have at least ${min} ${what}${min === 1 ? '' : 's'}`
    : `must have ${min} to ${max} ${what}s`;
