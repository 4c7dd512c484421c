import type { z } from 'zod';

/**
 * Marks a setting that a running server takes over from a changed file; every other one needs a restart. What uses it
 * reads it from the configuration whenever it is needed, or is told by `faceoff serve` of the change.
 */
export const live = <T extends z.ZodType>(schema: T): T => schema.meta({ live: true });
