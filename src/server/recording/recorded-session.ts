import type { Recorder } from './recorder.ts';

/** The part of a session that recording needs. */
export interface RecordedSession {
  readonly id: string;
  /** Name of the session's stream; the session's id where the publisher chose no name. */
  readonly stream: string;
  readonly isClosed: boolean;
  /** The current recorder, or the last one. */
  readonly recorder: Recorder | null;
  /** Gives every frame and all sound from now on to this recorder as well. */
  record(recorder: Recorder): void;
}
