import type { HookEvent } from '../../config/hook-settings.ts';
import type { EventData, ServerEvent } from './event-schemas.ts';

/** Tells listeners what happens in the server. Main thread. */
export class ServerEvents {
  readonly #listeners = new Set<(event: ServerEvent) => void>();

  /** Calls the listener at every event; it must return at once and throw nothing. */
  listen(listener: (event: ServerEvent) => void): void {
    this.#listeners.add(listener);
  }

  /** Tells the listeners of an event that happens now. */
  tell<T extends HookEvent>(type: T, data: EventData<T>): void {
    const event = { type, timestamp: new Date().toISOString(), data } as ServerEvent;
    for (const listener of this.#listeners) listener(event);
  }
}
