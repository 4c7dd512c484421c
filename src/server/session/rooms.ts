/**
 * Calls: which members are in which room. A member is a publisher whose stream the other members watch; a room
 * holds only the list of its members, and sends it to all of them at every change.
 */

import { randomBytes, randomUUID } from 'node:crypto';
import type { Config } from '../../config.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { CallPerson, ServerMessage } from '../../shared/messages.ts';
import { checkName } from './streams.ts';

/** What a member's page shows of microphone and camera to the others. */
export interface Presence {
  /** Whether the microphone is off. */
  muted: boolean;
  /** Whether the camera is on. */
  camera: boolean;
}

/** A person who asks to join a room. */
export interface Guest extends Presence {
  /** Name of the room, as in the address of the call. */
  room: string;
  /** The name that the others see; unique in a room. */
  name: string;
  /** Sends a message to the person's page. */
  send(message: ServerMessage): void;
}

/** A place in a room; `Rooms.join` creates it. */
export class Member {
  readonly guest: Guest;
  /**
   * Name of the member's stream: a random one, and not the id of the session, which only the member's own page
   * knows.
   */
  readonly stream = randomUUID();
  speaking = false;
  readonly #rooms: Rooms;

  constructor(guest: Guest, rooms: Rooms) {
    this.guest = guest;
    this.#rooms = rooms;
  }

  /** Changes what the others see of this member and announces it; an empty change announces the member as it is. */
  update(presence: Partial<Presence>): void {
    Object.assign(this.guest, presence);
    this.#rooms.announce(this.guest.room);
  }

  /** Announces that the member began or stopped to speak. */
  setSpeaking(speaking: boolean): void {
    this.speaking = speaking;
    this.#rooms.announce(this.guest.room);
  }

  /** Idempotent. */
  leave(): void {
    this.#rooms.leave(this);
  }
}

/** All rooms that have members; a room exists from its first member's arrival to its last member's departure. */
export class Rooms {
  readonly #config: Config;
  readonly #rooms = new Map<string, Set<Member>>();

  constructor(config: Config) {
    this.#config = config;
  }

  /** Number of rooms that have members. */
  get size(): number {
    return this.#rooms.size;
  }

  /**
   * Adds a member. The other members learn of it with the next `Member.update` or `announce`, when the new member's
   * stream can be watched.
   * @throws FaceOffError `unknown_stream` (404) for a malformed room name, `name_taken` (409), `room_full` (503).
   */
  join(guest: Guest): Member {
    checkName(guest.room);
    const members = this.#rooms.get(guest.room) ?? new Set<Member>();
    const name = comparable(guest.name);
    if ([...members].some((member) => comparable(member.guest.name) === name))
      throw new FaceOffError(
        'name_taken',
        `Somebody called ${guest.name} is in this call. Choose another name, or wait a moment if that was you.`,
      );
    const { roomPeople } = this.#config.limits;
    if (members.size >= roomPeople)
      throw new FaceOffError('room_full', `All ${roomPeople} places in this call are taken. Try again later.`);
    const member = new Member(guest, this);
    this.#rooms.set(guest.room, members.add(member));
    return member;
  }

  /** Removes a member and announces it to the others. Idempotent. */
  leave(member: Member): void {
    const { room } = member.guest;
    const members = this.#rooms.get(room);
    if (members?.delete(member) !== true) return;
    if (members.size === 0) this.#rooms.delete(room);
    else this.announce(room);
  }

  /** Sends the list of members to each member, with the name by which the list holds that member. */
  announce(room: string): void {
    const members = [...(this.#rooms.get(room) ?? [])];
    const people = members.map(({ guest: { name, muted, camera }, stream, speaking }): CallPerson => {
      return { name, stream, muted, camera, speaking: speaking && !muted };
    });
    for (const { guest } of members) guest.send({ type: 'room', room, you: guest.name, people });
  }
}

/** A random room name (48 bits), short enough to be read out. */
export const newRoom = (): string => randomBytes(6).toString('base64url');

/** Names that look the same compare as equal. */
const comparable = (name: string): string => name.normalize('NFKC').trim().toLowerCase();
