/** The containers that recordings are written in; also their file extensions. */
export const RECORDING_FORMATS = ['webm', 'mp4'] as const;
/** One of RECORDING_FORMATS. */
export type RecordingFormat = (typeof RECORDING_FORMATS)[number];
