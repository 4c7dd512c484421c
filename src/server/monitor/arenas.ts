import { openLibrary } from '../../pipeline/inference/native/ffi.ts';

/** `M_ARENA_MAX` of glibc's malloc.h. */
const M_ARENA_MAX = -8;
const MOST_ARENAS = 4;

/**
 * Has all threads share four arenas of glibc's `malloc`. By itself it makes eight a core, WebRTC's threads come and go with
 * sessions, and each arena keeps what its threads freed: resident memory grew by a seventh in an hour of sessions that came
 * and went, though no more was in use. Must be called before other threads have made arenas. Does nothing outside Linux,
 * with another C library, or where the environment sets `MALLOC_ARENA_MAX`.
 */
export function limitArenas(): void {
  if (process.platform !== 'linux' || process.env.MALLOC_ARENA_MAX !== undefined) return;
  try {
    openLibrary(null).func('mallopt', 'int', ['int', 'int'])(M_ARENA_MAX, MOST_ARENAS);
  } catch {
    // musl has no arenas.
  }
}
