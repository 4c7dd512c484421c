/** Pause before a room that could not be reached is tried again; it doubles with each attempt. */
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 300_000;

/** Publishers that no worker has, in the order in which they began to wait. */
export class WaitingList {
  /** When each began to wait, in milliseconds, by its camera's room. */
  readonly #sinceMs = new Map<string, number>();
  /** Rooms that could not be reached: when each is tried again, and the pause before that. */
  readonly #postponed = new Map<string, { untilMs: number; pauseMs: number }>();

  /** The rooms, first the one that waits longest. */
  get rooms(): readonly string[] {
    return [...this.#sinceMs].sort(([, a], [, b]) => a - b).map(([room]) => room);
  }

  /** Place of a room, from 1 on; null if it does not wait. */
  placeOf(room: string): number | null {
    const at = this.rooms.indexOf(room);
    return at < 0 ? null : at + 1;
  }

  /** Adds a room. @param sinceMs when it began to wait; the earliest of all that was told counts. */
  add(room: string, sinceMs: number): void {
    this.#sinceMs.set(room, Math.min(sinceMs, this.#sinceMs.get(room) ?? sinceMs));
  }

  /** The room waits no more. */
  remove(room: string): void {
    this.#sinceMs.delete(room);
    this.#postponed.delete(room);
  }

  /** The room could not be reached: others go first for a time that doubles with each attempt. */
  postpone(room: string, nowMs: number): void {
    const before = this.#postponed.get(room)?.pauseMs ?? FIRST_PAUSE_MS / 2;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * before);
    this.#postponed.set(room, { untilMs: nowMs + pauseMs, pauseMs });
  }

  /** Removes the rooms that are not among these. */
  keep(rooms: ReadonlySet<string>): void {
    for (const room of this.rooms) if (!rooms.has(room)) this.remove(room);
  }

  /** The rooms that have waited for so long, but for those that are postponed. */
  waitingFor(ms: number, nowMs: number): readonly string[] {
    const isDue = (room: string): boolean => nowMs >= (this.#postponed.get(room)?.untilMs ?? 0);
    return this.rooms.filter((room) => nowMs - this.#sinceMs.get(room)! >= ms && isDue(room));
  }
}
