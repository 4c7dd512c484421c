/** Schemas of requests that no other file owns. */

import { z } from 'zod';
import { textSchema } from '../../lib/text-schema.ts';

/** Longest name by which a person who confirms calls themselves, in characters. */
export const CONFIRMER_LENGTH = 80;

/** A confirmation that a face may be used. */
export const consentRequestSchema = z.strictObject({
  consent: z.literal(true).describe('That you may use this face: it is yours, or the person agreed.'),
  confirmedBy: textSchema(0, CONFIRMER_LENGTH).optional().describe('Who confirms that, as they call themselves.'),
});
