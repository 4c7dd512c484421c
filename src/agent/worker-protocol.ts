/**
 * LiveKit's protocol of workers, version 1, in its JSON form (text messages; ProtoJSON of livekit_agent.proto). The server
 * answers in the form in which a worker speaks.
 */

import { z } from 'zod';

/** Version of the protocol, a parameter of the socket's address. */
export const WORKER_PROTOCOL = 1;

const Job = z.object({
  id: z.string(),
  dispatchId: z.string().default(''),
  room: z.object({ name: z.string().default('') }).default({ name: '' }),
  participant: z
    .object({ identity: z.string().default(''), attributes: z.record(z.string(), z.string()).default({}) })
    .nullish(),
});

/** A job: a publisher in a room that wants a worker. */
export type WorkerJob = z.infer<typeof Job>;

/** What the server says; each message has one of the fields. */
export const ServerMessageSchema = z.object({
  register: z.object({ workerId: z.string().default('') }).optional(),
  availability: z.object({ job: Job }).optional(),
  assignment: z.object({ job: Job, url: z.string().nullish(), token: z.string() }).optional(),
  termination: z.object({ jobId: z.string() }).optional(),
});

/** What the server says, parsed. */
export type WorkerServerMessage = z.infer<typeof ServerMessageSchema>;

/** A job that the server gave to this worker, with the token for its room. */
export interface WorkerAssignment {
  job: WorkerJob;
  token: string;
  url?: string | null | undefined;
}

/** How a job ended. */
export type JobEnd = 'JS_SUCCESS' | 'JS_FAILED';

/** What a worker says; each message has one of the fields. */
export type WorkerClientMessage =
  | {
      register: {
        type: 'JT_PUBLISHER';
        agentName: string;
        version: string;
        allowedPermissions: {
          canSubscribe: boolean;
          canPublish: boolean;
          canPublishData: boolean;
          canUpdateMetadata: boolean;
        };
      };
    }
  | { updateWorker: { status: 'WS_AVAILABLE' | 'WS_FULL'; load: number; jobCount: number } }
  | { availability: { jobId: string; available: boolean; participantIdentity?: string } }
  | { updateJob: { jobId: string; status: JobEnd; error: string } };
