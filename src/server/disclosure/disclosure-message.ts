/**
 * How the server tells programs that pictures are modified: by messages on a data channel while the session runs,
 * and by the header AI-Disclosure (draft-abaris-aicdh) of the HTTP reply that opens the session.
 */

import type { Disclosure } from '../../shared/messages.ts';

/** The data channel message, as JSON text. */
export const disclosureMessage = (aiModified: boolean): string =>
  JSON.stringify({ type: 'disclosure', aiModified } satisfies Disclosure);

/** The HTTP header, by its lower-case name. */
export const disclosureHeader = (aiModified: boolean): Record<string, string> => ({
  'ai-disclosure': `mode=${aiModified ? 'ai-modified' : 'none'}`,
});
