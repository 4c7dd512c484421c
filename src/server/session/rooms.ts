/**
 * Calls: who is in which room. A person is a publisher whose stream the others watch; here is only kept who they are, and
 * everybody in a room is told of every change.
 */

import { randomBytes, randomUUID } from 'node:crypto';
import type { Config } from '../../config.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { CallPerson, ServerMessage } from '../../shared/messages.ts';
import { checkName } from './streams.ts';

export interface Presence {
  muted: boolean;
  camera: boolean;
}

/** Somebody who comes in. */
export interface Guest extends Presence {
  room: string;
  /** As the others see it; no two in a room have the same. */
  name: string;
  say(message: ServerMessage): void;
}

/** Somebody's place in a room. */
export class Member {
  readonly guest: Guest;
  /** The name of their stream: not to be guessed, and not the id of their session, which only their own page knows. */
  readonly stream = randomUUID();
  speaking = false;
  readonly #rooms: Rooms;

  constructor(guest: Guest, rooms: Rooms) {
    this.guest = guest;
    this.#rooms = rooms;
  }

  show(presence: Partial<Presence>): void {
    Object.assign(this.guest, presence);
    this.#rooms.tell(this.guest.room);
  }

  speaks(speaking: boolean): void {
    this.speaking = speaking;
    this.#rooms.tell(this.guest.room);
  }

  /** Idempotent. */
  leave(): void {
    this.#rooms.leave(this);
  }
}

export class Rooms {
  readonly #config: Config;
  readonly #rooms = new Map<string, Set<Member>>();

  constructor(config: Config) {
    this.#config = config;
  }

  /** Rooms with somebody in them. */
  get size(): number {
    return this.#rooms.size;
  }

  /**
   * Takes a place; the others are told once `Member.show` or `tell` is called, when the stream is there to be watched.
   * @throws FaceOffError `unknown_stream` (404) for a name no room can have, `name_taken` (409), `room_full` (503).
   */
  join(guest: Guest): Member {
    checkName(guest.room);
    const people = this.#rooms.get(guest.room) ?? new Set<Member>();
    const name = keyOf(guest.name);
    if ([...people].some((member) => keyOf(member.guest.name) === name))
      throw new FaceOffError(
        'name_taken',
        `Somebody called ${guest.name} is in this call. Choose another name, or wait a moment if that was you.`,
        { status: 409 },
      );
    const { roomPeople } = this.#config.limits;
    if (people.size >= roomPeople)
      throw new FaceOffError('room_full', `All ${roomPeople} places in this call are taken. Try again later.`, {
        status: 503,
      });
    const member = new Member(guest, this);
    this.#rooms.set(guest.room, people.add(member));
    return member;
  }

  leave(member: Member): void {
    const { room } = member.guest;
    const people = this.#rooms.get(room);
    if (people?.delete(member) !== true) return;
    if (people.size === 0) this.#rooms.delete(room);
    else this.tell(room);
  }

  /** Everybody hears who is there; each is told which of them they are. */
  tell(room: string): void {
    const members = [...(this.#rooms.get(room) ?? [])];
    const people = members.map(({ guest: { name, muted, camera }, stream, speaking }): CallPerson => {
      return { name, stream, muted, camera, speaking: speaking && !muted };
    });
    for (const { guest } of members) guest.say({ type: 'room', room, you: guest.name, people });
  }
}

/** A name for a room that nobody guesses, short enough to be read out. */
export const newRoom = (): string => randomBytes(6).toString('base64url');

/** Names that look the same are the same. */
const keyOf = (name: string): string => name.normalize('NFKC').trim().toLowerCase();
