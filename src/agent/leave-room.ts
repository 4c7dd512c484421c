import type { RtcHandle, RtcRoom } from './rtc-library.ts';

/**
 * Leaves a room and frees what the library keeps of it: leaving alone frees nothing, and a megabyte a room would wait for a
 * garbage collection of the small JavaScript heap. Never rejects.
 */
export async function leaveRoom(room: RtcRoom): Promise<void> {
  const { localParticipant, remoteParticipants, ffiHandle } = room;
  const participants = [...remoteParticipants.values(), localParticipant];
  const publications = participants.flatMap((one) => [...(one?.trackPublications?.values() ?? [])]);
  const remoteTracks = [...remoteParticipants.values()].flatMap(({ trackPublications }) =>
    [...(trackPublications?.values() ?? [])].map(({ track }) => track?.ffi_handle),
  );
  await room.disconnect().catch(() => undefined);
  for (const handle of [
    ...remoteTracks,
    ...publications.map((one) => one.ffiHandle),
    ...participants.map((one) => one?.ffi_handle),
    ffiHandle,
  ])
    release(handle);
}

/** The library may have freed it already. */
function release(handle: RtcHandle | undefined): void {
  try {
    handle?.dispose();
  } catch {
    // Then nothing is left to free.
  }
}
