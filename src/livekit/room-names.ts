/**
 * Names of rooms and identities. The camera of publisher ID goes into the room `NAME.in.ID`, its swapped track into the room
 * NAME. Neither part has a dot, so that the name of a stream is never that of a camera's room.
 */

import { JOB_PREFIX, jobsOf } from '../shared/cluster/cluster-names.ts';
import { FaceOffError } from '../shared/errors.ts';

/** A stream's name and a publisher's identity. */
const PART = /^[A-Za-z0-9_-]{1,64}$/;

/** A publisher of a stream. */
export interface ClusterPublisher {
  /** Name of the stream's room. */
  stream: string;
  /** Identity of the publisher in both rooms. */
  publisher: string;
}

/** Whether a stream of a cluster can have that name. */
export const isStreamName = (stream: string): boolean => PART.test(stream);

/** @throws FaceOffError `bad_name` (400) for a stream's name that cannot be one. */
export function checkStreamName(stream: string): void {
  if (!isStreamName(stream))
    throw new FaceOffError('bad_name', 'A stream’s name has 1 to 64 letters, digits, - and _.');
}

/** @throws FaceOffError `bad_name` (400) for a publisher's identity that cannot be one. */
export function checkPublisher(publisher: string): void {
  if (!PART.test(publisher) || publisher.startsWith(JOB_PREFIX))
    throw new FaceOffError(
      'bad_name',
      `A publisher’s identity has 1 to 64 letters, digits, - and _, and does not begin with ${JOB_PREFIX}.`,
    );
}

/** The room that the camera goes into. */
export const cameraRoom = ({ stream, publisher }: ClusterPublisher): string => `${stream}.in.${publisher}`;

/** The publisher that a room is the camera's room of; null for any other room. */
export function publisherOf(room: string): ClusterPublisher | null {
  const [stream = '', between, publisher = '', ...rest] = room.split('.');
  const isOne = between === 'in' && rest.length === 0 && PART.test(stream) && PART.test(publisher);
  return isOne ? { stream, publisher } : null;
}

/** Identity of a job's connections: one of its own for each job, as a successor stands beside the job before it. */
export const jobIdentity = (publisher: string, job: string): string => `${jobsOf(publisher)}${job}`;
