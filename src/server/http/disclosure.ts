/**
 * How programs are told that pictures are modified: on a data channel as long as they run, and in the header AI-Disclosure
 * (draft-abaris-aicdh) of the answer that begins them.
 */

import type { Disclosure } from '../../shared/messages.ts';

export const disclosureMessage = (aiModified: boolean): string =>
  JSON.stringify({ type: 'disclosure', aiModified } satisfies Disclosure);

export const disclosureHeader = (aiModified: boolean): Record<string, string> => ({
  'ai-disclosure': `mode=${aiModified ? 'ai-modified' : 'none'}`,
});
