/** LiveKit's API of rooms, participants and dispatches: Twirp, that is POST requests with JSON. */

import { z } from 'zod';
import { FaceOffError, messageOf } from '../shared/errors.ts';
import { accessToken, type LiveKitCredentials, type VideoGrant } from './access-token.ts';

/** Where LiveKit is, and what opens it. */
export interface LiveKitAddress extends LiveKitCredentials {
  /** ws:, wss:, http: or https:. */
  url: string;
}

// Fields that hold zero or nothing may be absent.
const Room = z.object({
  name: z.string().default(''),
  num_participants: z.number().default(0),
  num_publishers: z.number().default(0),
});
const Track = z.object({
  sid: z.string().default(''),
  source: z.string().default('UNKNOWN'),
  muted: z.boolean().default(false),
});
const Participant = z.object({
  identity: z.string().default(''),
  state: z.string().default('JOINING'),
  /** When it joined, in milliseconds of the clock of the room's node; a 64-bit number, so that JSON has it as text. */
  joined_at_ms: z.coerce.number().default(0),
  attributes: z.record(z.string(), z.string()).default({}),
  tracks: z.array(Track).default([]),
});
const Dispatch = z.object({
  id: z.string().default(''),
  agent_name: z.string().default(''),
  state: z
    .object({
      jobs: z.array(z.object({ state: z.object({ status: z.string().default('JS_PENDING') }).nullish() })).default([]),
    })
    .nullish(),
});

/** A room, with its numbers of participants. */
export type LiveKitRoom = z.infer<typeof Room>;
/** A participant, with its tracks. */
export type LiveKitParticipant = z.infer<typeof Participant>;
/** A dispatch: an order for jobs in a room, one for each publisher. */
export type LiveKitDispatch = z.infer<typeof Dispatch>;

const TIMEOUT_MS = 5000;
const TOKEN_MS = 60_000;

/** The address of the API or of a socket, from any of the forms that people write. */
export const liveKitUrl = (url: string, scheme: 'http' | 'ws'): string =>
  url.replace(/^(?:http|ws)(s?):/, `${scheme}$1:`).replace(/\/+$/, '');

/** The refusal of LiveKit's key, for people. */
export const refusedKey = (cause?: unknown): FaceOffError =>
  new FaceOffError(
    'livekit_refused',
    'LiveKit refused the key or the secret. Set FACEOFF_LIVEKIT_KEY and FACEOFF_LIVEKIT_SECRET to a pair of its `keys`, and compare the clocks of both machines.',
    { cause },
  );

/** LiveKit cannot be reached, for people. */
export const unreachableLiveKit = (url: string, cause: unknown): FaceOffError =>
  new FaceOffError(
    'livekit_unreachable',
    `LiveKit cannot be reached at ${new URL(url).host}: ${messageOf(cause)}. Check livekit.url, and that LiveKit runs.`,
    { cause },
  );

/**
 * A client of the API. Each call rejects with FaceOffError `livekit_refused` or `livekit_unreachable`.
 */
export class LiveKitApi {
  readonly #at: LiveKitAddress;

  constructor(at: LiveKitAddress) {
    this.#at = at;
  }

  /** Asks for nothing, to learn early whether LiveKit is there and takes the key. */
  async check(): Promise<void> {
    await this.#call('RoomService/ListRooms', { names: ['-'] }, { roomList: true });
  }

  /** All rooms. */
  async rooms(): Promise<LiveKitRoom[]> {
    const answer = await this.#call('RoomService/ListRooms', {}, { roomList: true });
    return z.object({ rooms: z.array(Room).default([]) }).parse(answer).rooms;
  }

  /** The participants of a room; none of a room that is gone. */
  async participants(room: string): Promise<LiveKitParticipant[]> {
    const answer = await this.#inRoom('RoomService/ListParticipants', room, {});
    return z.object({ participants: z.array(Participant).default([]) }).parse(answer ?? {}).participants;
  }

  /** Ends a participant's connection; one that is gone already is none to end. */
  async removeParticipant(room: string, identity: string): Promise<void> {
    await this.#inRoom('RoomService/RemoveParticipant', room, { identity });
  }

  /** Sets attributes of a participant; one that is gone has none to set. */
  async setAttributes(room: string, identity: string, attributes: Record<string, string>): Promise<void> {
    await this.#inRoom('RoomService/UpdateParticipant', room, { identity, attributes });
  }

  /** The dispatches of a room; none of a room that is gone. */
  async dispatches(room: string): Promise<LiveKitDispatch[]> {
    const answer = await this.#inRoom('AgentDispatchService/ListDispatch', room, {});
    return z.object({ agent_dispatches: z.array(Dispatch).default([]) }).parse(answer ?? {}).agent_dispatches;
  }

  /** Orders jobs for the publishers of a room, those that are there and those that come. */
  async dispatch(room: string, agentName: string): Promise<LiveKitDispatch> {
    const answer = await this.#inRoom('AgentDispatchService/CreateDispatch', room, { agent_name: agentName });
    return Dispatch.parse(answer ?? {});
  }

  /** Ends a dispatch with its jobs; one that is gone already is none to end. */
  async removeDispatch(room: string, dispatch: string): Promise<void> {
    await this.#inRoom('AgentDispatchService/DeleteDispatch', room, { dispatch_id: dispatch });
  }

  /** @returns null where the room, or what is asked of in it, is gone. */
  #inRoom(method: string, room: string, body: object): Promise<unknown> {
    return this.#call(method, { room, ...body }, { roomAdmin: true, room });
  }

  async #call(method: string, body: object, grant: VideoGrant): Promise<unknown> {
    const { url } = this.#at;
    const token = accessToken(this.#at, { grant, lifetimeMs: TOKEN_MS });
    let answer: Response;
    try {
      answer = await fetch(`${liveKitUrl(url, 'http')}/twirp/livekit.${method}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (error) {
      const { cause } = error as { cause?: unknown };
      throw unreachableLiveKit(url, cause ?? error);
    }
    const text = await answer.text().catch((cause: unknown) => {
      throw unreachableLiveKit(url, cause);
    });
    if (answer.ok) return JSON.parse(text) as unknown;
    if (answer.status === 404 && text.includes('"not_found"')) return null;
    if (answer.status === 401 || answer.status === 403) throw refusedKey();
    throw unreachableLiveKit(url, new Error(`it answered ${answer.status}`));
  }
}
