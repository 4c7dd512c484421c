import type { ServerEvent } from './event-schemas.ts';

/** What became of a delivery. `dropped`: it was given up before its last attempt. */
export type DeliveryResult = 'delivered' | 'failed' | 'dropped';

/** One hook: a webhook or a command. */
export interface Hook {
  /** Where it is in config.yaml, below `hooks`: `webhooks.0`. */
  readonly name: string;
  /** Types of the events that it is told of. */
  readonly events: readonly string[];
  /** Delivers an event; never rejects. */
  deliver(event: ServerEvent, ending: Ending): Promise<DeliveryResult>;
}

/** How deliveries end with the server. */
export interface Ending {
  /** Aborted when the server stops: what waits for another attempt makes it at once, as its last. */
  readonly stopping: AbortSignal;
  /** Aborted when the grace is over. */
  readonly over: AbortSignal;
}

/** The deliveries of one hook: one after another, in the order of the events; the oldest is dropped where too many wait. */
export class DeliveryQueue {
  readonly #hook: Hook;
  readonly #most: number;
  readonly #onResult: (event: ServerEvent, result: DeliveryResult) => void;
  readonly #stopping = new AbortController();
  readonly #over = new AbortController();
  readonly #waiting: ServerEvent[] = [];
  #isRunning = false;
  /** Resolves when nothing waits any more. */
  #running: Promise<void> = Promise.resolve();

  /** @param most deliveries that may wait, besides the one under way. @param onResult called once for every event. */
  constructor(hook: Hook, most: number, onResult: (event: ServerEvent, result: DeliveryResult) => void) {
    this.#hook = hook;
    this.#most = most;
    this.#onResult = onResult;
  }

  /** Adds an event if the hook wants its type. Returns at once. */
  add(event: ServerEvent): void {
    if (!this.#hook.events.includes(event.type)) return;
    this.#waiting.push(event);
    if (this.#waiting.length > this.#most) this.#onResult(this.#waiting.shift()!, 'dropped');
    if (!this.#isRunning) this.#running = this.#run();
  }

  /** Makes the last attempts; resolves when all are made, or after `graceMs`. Idempotent. */
  async close(graceMs: number): Promise<void> {
    this.#stopping.abort();
    const timer = setTimeout(() => this.#over.abort(), graceMs);
    await this.#running;
    clearTimeout(timer);
    this.#over.abort();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    const ending = { stopping: this.#stopping.signal, over: this.#over.signal };
    for (let event = this.#waiting.shift(); event !== undefined; event = this.#waiting.shift()) {
      const result = this.#over.signal.aborted ? 'dropped' : await this.#hook.deliver(event, ending);
      this.#onResult(event, result);
    }
    this.#isRunning = false;
  }
}
