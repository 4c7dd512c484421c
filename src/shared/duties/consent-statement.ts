/** The sentence that a person confirms before a face is added or used again; for pages, server and record. */
export const CONSENT_STATEMENT = 'I may use this face: it is mine, or the person agreed.';
