import { expect, test } from 'vitest';
import { leaveRoom } from '../../../src/agent/leave-room.ts';
import type { RtcRoom } from '../../../src/agent/rtc-library.ts';

test('everything that the library keeps of a room is freed once it is left, also where leaving or freeing fails', async () => {
  const done: string[] = [];
  const handle = (name: string, fails = false) => ({
    dispose: () => {
      done.push(name);
      if (fails) throw new Error('freed already');
    },
  });
  const publications = (name: string) =>
    new Map([
      [name, { ffiHandle: handle(`publication of ${name}`), track: { ffi_handle: handle(`track of ${name}`) } }],
    ]);
  const room = {
    remoteParticipants: new Map([
      ['ann', { ffi_handle: handle('ann', true), trackPublications: publications('ann') }],
      ['bob', { ffi_handle: handle('bob'), trackPublications: new Map() }],
    ]),
    localParticipant: { ffi_handle: handle('job'), trackPublications: publications('job') },
    ffiHandle: handle('room'),
    disconnect: async () => {
      done.push('left');
      throw new Error('it was not connected');
    },
  } as unknown as RtcRoom;
  await leaveRoom(room);
  expect(done[0]).toBe('left');
  // The job's own track is freed by the one that made it.
  expect(done.slice(1).sort()).toEqual(
    ['ann', 'bob', 'job', 'publication of ann', 'publication of job', 'room', 'track of ann'].sort(),
  );
});

test('a room that was never entered keeps nothing', async () => {
  await leaveRoom({ remoteParticipants: new Map(), disconnect: async () => undefined } as unknown as RtcRoom);
});
