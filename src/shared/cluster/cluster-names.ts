/** Names that workers, server and pages of a LiveKit cluster agree on. */

/** Identities of jobs begin so; no identity that is given out does. */
export const JOB_PREFIX = 'faceoff-';
/** Name of the track that viewers see. */
export const SWAPPED_TRACK = 'swapped';
/** The attribute of publishers that holds their settings, as JSON: each job reads it, at its beginning and at each change. */
export const SETTINGS_ATTRIBUTE = 'faceoff.settings';
/** Attribute of a job in the camera's room: its settings, or what was wrong with those that were asked for; a JobState. */
export const STATE_ATTRIBUTE = 'faceoff.state';
/** The attribute of a job, in the stream's room, that tells whether its pictures are modified: the data channel's message. */
export const DISCLOSURE_ATTRIBUTE = 'faceoff.disclosure';
/** Attribute of a job, in the stream's room: identity of the publisher whose camera it shows. LiveKit's clients know it. */
export const ON_BEHALF_ATTRIBUTE = 'lk.publish_on_behalf';
/** Attribute of a publisher, in the stream's room: its person in a call, as JSON. */
export const PERSON_ATTRIBUTE = 'faceoff.person';
/** Topic of a job's statistics, which go to its publisher alone, once a second: SessionStats as JSON. */
export const STATS_TOPIC = 'faceoff.stats';

/** What the identities of a publisher's jobs begin with. */
export const jobsOf = (publisher: string): string => `${JOB_PREFIX}${publisher}-`;

/** Whether a participant is a job. */
export const isJob = (identity: string): boolean => identity.startsWith(JOB_PREFIX);
