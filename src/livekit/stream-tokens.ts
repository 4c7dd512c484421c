/**
 * Tokens for publishers and viewers of streams. A bare face is kept from viewers by what their tokens allow: the camera's room
 * is entered by its publisher, without leave to subscribe, and by jobs; in the stream's room the publisher may publish a microphone
 * alone, and viewers nothing.
 */

import { ON_BEHALF_ATTRIBUTE, SETTINGS_ATTRIBUTE } from '../shared/cluster/cluster-names.ts';
import { requestOf } from '../shared/duties/disclosure-duty.ts';
import type { SettingsPatch } from '../shared/settings.ts';
import { accessToken, type LiveKitCredentials } from './access-token.ts';
import { type ClusterPublisher, cameraRoom, checkPublisher, checkStreamName } from './room-names.ts';

/** A token, and the room that it opens. */
export interface RoomTicket {
  room: string;
  token: string;
}

/** What a publisher connects with: both rooms under one identity. */
export interface PublisherTickets extends ClusterPublisher {
  camera: RoomTicket;
  /** For the microphone, and to watch. */
  sound: RoomTicket;
}

/** What makes the tokens. */
export interface TicketIssuer extends LiveKitCredentials {
  agentName: string;
  lifetimeMs: number;
}

/** How long a camera's room waits for its publisher to come back, in seconds. */
const DEPARTURE_S = 20;

/**
 * Tickets of a publisher. The first of the room carries the dispatch: LiveKit repeats it when the room's node was lost.
 * @param settings what the publisher's jobs begin with.
 * @throws FaceOffError `bad_name` (400).
 */
export function publisherTickets(
  issuer: TicketIssuer,
  { stream, publisher }: ClusterPublisher,
  settings: SettingsPatch = {},
): PublisherTickets {
  checkStreamName(stream);
  checkPublisher(publisher);
  const { agentName, lifetimeMs } = issuer;
  const identity = publisher;
  const room = cameraRoom({ stream, publisher });
  const camera = accessToken(issuer, {
    identity,
    lifetimeMs,
    grant: {
      roomJoin: true,
      room,
      canPublish: true,
      canPublishSources: ['camera'],
      canPublishData: false,
      canSubscribe: false,
      // The publisher's page changes its settings by its own attribute.
      canUpdateOwnMetadata: true,
    },
    // A mark that is left off was asked about before the token was given out.
    attributes: { [SETTINGS_ATTRIBUTE]: JSON.stringify(requestOf(settings)) },
    roomConfig: { departureTimeout: DEPARTURE_S, agents: [{ agentName }] },
  });
  const sound = accessToken(issuer, {
    identity,
    lifetimeMs,
    grant: {
      roomJoin: true,
      room: stream,
      canPublish: true,
      canPublishSources: ['microphone'],
      canPublishData: false,
      canSubscribe: true,
      // A person in a call says its name by its own attribute.
      canUpdateOwnMetadata: true,
    },
  });
  return { stream, publisher, camera: { room, token: camera }, sound: { room: stream, token: sound } };
}

/** The ticket of a viewer. @param identity unique among the viewers of the stream. @throws FaceOffError `bad_name` (400). */
export function viewerTicket(issuer: TicketIssuer, stream: string, identity: string): RoomTicket {
  checkStreamName(stream);
  checkPublisher(identity);
  const grant = {
    roomJoin: true,
    room: stream,
    canPublish: false,
    canPublishData: false,
    canSubscribe: true,
    canUpdateOwnMetadata: false,
  };
  return { room: stream, token: accessToken(issuer, { identity, lifetimeMs: issuer.lifetimeMs, grant }) };
}

/** The token by which a job enters the stream's room: it publishes the swapped camera, and nothing else. */
export function jobToken(
  credentials: LiveKitCredentials,
  { stream, publisher }: ClusterPublisher,
  identity: string,
): string {
  return accessToken(credentials, {
    identity,
    lifetimeMs: JOB_TOKEN_MS,
    grant: {
      roomJoin: true,
      room: stream,
      canPublish: true,
      canPublishSources: ['camera'],
      canPublishData: false,
      canSubscribe: false,
      canUpdateOwnMetadata: true,
    },
    // LiveKit's clients show the track as the publisher's.
    attributes: { [ON_BEHALF_ATTRIBUTE]: publisher },
  });
}

/** A job connects at once; LiveKit renews the token of one that stays. */
const JOB_TOKEN_MS = 600_000;
