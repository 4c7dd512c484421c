/** What each event holds; docs/hooks.md lists the same. Ids, names, times and causes: never pictures or addresses. */

import { z } from 'zod';
import type { HookEvent } from '../../config/hook-settings.ts';

const stream = z.string().describe('Name of the stream; the session’s id where its publisher chose none');
const session = z.string().describe('Id of the publisher’s session, as in the log');
const viewer = z.string().describe('Id of the viewer');

/** The field `data` of each event. */
export const EVENT_DATA = {
  'stream.up': z.object({ stream, session }),
  'stream.down': z.object({ stream, session, cause: z.string().describe('Why the session ended') }),
  'viewer.joined': z.object({ stream, session, viewer }),
  'viewer.left': z.object({
    stream,
    session: session.nullable().describe('Id of the publisher’s session; null while there is no publisher'),
    viewer,
    cause: z.string().describe('Why the viewer was closed'),
  }),
  'recording.finished': z.object({
    stream,
    session,
    file: z.string().describe('Absolute path of the file'),
    part: z.int().min(1).describe('Number of the file in its recording, from 1'),
    parts: z.int().min(1).describe('Number of files in the recording: a larger picture begins another one'),
    lastedMs: z.int().min(0).describe('How long the whole recording lasted, in milliseconds'),
    code: z.string().nullable().describe('Code of docs/errors.md where the recording ended early, else null'),
  }),
  'quality.fallen': z.object({
    stream,
    session,
    from: z.string().describe('The plan before; docs/metrics.md lists the plans'),
    to: z.string().describe('The plan from now on'),
    cause: z.string().describe('What limits the session: a cause of docs/metrics.md'),
  }),
  'quality.restored': z.object({
    stream,
    session,
    from: z.string().describe('The plan before'),
    to: z.string().describe('The plan from now on; `full` is full quality'),
  }),
  'face.added': z.object({ face: z.string().describe('Id of the face'), name: z.string().describe('Its name') }),
  fault: z.object({
    part: z.enum(['lane', 'device', 'content_check', 'memory', 'recording']).describe('What failed, or is short'),
    code: z
      .string()
      .describe('`memory_short`, or a code of docs/errors.md: `lane_lost`, `device_lost`, `disk_full`, …'),
    cause: z.string().describe('One sentence'),
    stream: stream.nullable().describe('Name of the stream, where the fault is of one'),
    session: session.nullable().describe('Id of the session, where the fault is of one'),
  }),
} as const satisfies Record<HookEvent, z.ZodObject>;

/** What an event of a type holds. */
export type EventData<T extends HookEvent> = z.infer<(typeof EVENT_DATA)[T]>;

/** An event as hooks are told of it. */
export interface ServerEvent<T extends HookEvent = HookEvent> {
  type: T;
  /** When it happened, ISO 8601 in UTC. */
  timestamp: string;
  data: EventData<T>;
}
