import { beforeEach, describe, expect, test } from 'vitest';
import { type Guest, newRoom, Rooms } from '../../../../src/server/session/rooms.ts';
import { STREAM_NAME } from '../../../../src/server/session/streams.ts';
import type { ServerMessage } from '../../../../src/shared/messages.ts';
import { patchedConfig } from '../../../support/server.ts';

type Told = Extract<ServerMessage, { type: 'room' }>;
let rooms: Rooms;
beforeEach(() => {
  rooms = new Rooms(patchedConfig({ limits: { roomPeople: 2 } }));
});

function guest(name: string, room = 'kitchen'): Guest & { told: Told[] } {
  const told: Told[] = [];
  return { name, room, muted: false, camera: true, told, send: (message) => told.push(message as Told) };
}

describe('a room', () => {
  test('tells each person the people in it, and which of them is the own entry', () => {
    const [ann, bob] = [guest('Ann'), guest('Bob')];
    const first = rooms.join(ann);
    first.update({});
    const second = rooms.join(bob);
    second.update({ muted: true });
    expect(ann.told.at(-1)).toMatchObject({ type: 'room', room: 'kitchen', you: 'Ann' });
    expect(bob.told.at(-1)!.you).toBe('Bob');
    expect(bob.told.at(-1)!.people).toEqual([
      { name: 'Ann', stream: first.stream, muted: false, camera: true, speaking: false },
      { name: 'Bob', stream: second.stream, muted: true, camera: true, speaking: false },
    ]);
    first.setSpeaking(true);
    second.setSpeaking(true);
    // A muted person is never marked as speaking.
    expect(ann.told.at(-1)!.people.map(({ speaking }) => speaking)).toEqual([true, false]);
    first.leave();
    first.leave();
    expect(bob.told.at(-1)!.people.map(({ name }) => name)).toEqual(['Bob']);
    const told = ann.told.length;
    second.leave();
    expect([ann.told.length, rooms.size]).toEqual([told, 0]);
  });

  test('is full at its own limit, whatever other rooms hold', () => {
    rooms.join(guest('Ann'));
    const bob = rooms.join(guest('Bob'));
    expect(() => rooms.join(guest('Cora'))).toThrow(expect.objectContaining({ code: 'room_full', status: 503 }));
    rooms.join(guest('Cora', 'garden'));
    bob.leave();
    rooms.join(guest('Cora'));
    expect(rooms.size).toBe(2);
  });

  test('has each name once, whatever its case and spaces', () => {
    rooms.join(guest('Ann'));
    for (const name of ['Ann', ' ann ', 'ＡＮＮ'])
      expect(() => rooms.join(guest(name))).toThrow(expect.objectContaining({ code: 'name_taken', status: 409 }));
    expect(rooms.size).toBe(1);
  });

  test('has a name of letters, digits, - and _', () => {
    for (const room of ['', 'a b', '../x', 'x'.repeat(65)])
      expect(() => rooms.join(guest('Ann', room))).toThrow(expect.objectContaining({ status: 404 }));
    expect(rooms.size).toBe(0);
    expect(newRoom()).toMatch(STREAM_NAME);
    expect(newRoom()).not.toBe(newRoom());
  });
});
