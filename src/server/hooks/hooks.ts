import type { HookSettings } from '../../config/hook-settings.ts';
import type { Logger } from '../../lib/log.ts';
import { Semaphore } from '../../lib/semaphore.ts';
import type { Metrics } from '../../metrics.ts';
import { DeliveryQueue, type DeliveryResult, type Hook } from './delivery-queue.ts';
import type { ServerEvent } from './event-schemas.ts';
import { HookCommand } from './hook-command.ts';
import type { ServerEvents } from './server-events.ts';
import { Webhook } from './webhook.ts';

/** What the hooks of a server need. */
export interface HooksParts {
  settings: HookSettings;
  events: ServerEvents;
  metrics: Metrics;
  log: Logger;
}

/** How long a hook that was taken out may take for what waits. */
const LEAVING_MS = 30_000;

/** Tells webhooks and commands of the server's events, each in a queue of its own. Main thread. */
export class Hooks {
  readonly #parts: HooksParts;
  /** The queue of each hook, by all of its settings. */
  #queues: ReadonlyMap<string, DeliveryQueue> = new Map();
  /** Limits the commands of all hooks together. */
  #places: { most: number; semaphore: Semaphore } | null = null;
  /** Queues of hooks that were taken out, while they make their last attempts. */
  readonly #leaving = new Set<DeliveryQueue>();
  /** Deliveries dropped since `close` was called; null before. */
  #droppedAtEnd: number | null = null;
  #isOverflowLogged = false;

  constructor(parts: HooksParts) {
    this.#parts = parts;
    this.#queues = this.#queuesOf(parts.settings);
    parts.events.listen((event) => {
      for (const queue of this.#queues.values()) queue.add(event);
    });
  }

  /**
   * Takes changed settings over, for events from now on. Hooks that are set as before go on; what waits for another one is
   * attempted once more, as it was set, for half a minute at most.
   */
  configure(settings: HookSettings): void {
    const before = this.#queues;
    this.#queues = this.#queuesOf(settings);
    const kept = new Set(this.#queues.values());
    for (const queue of before.values()) {
      if (kept.has(queue)) continue;
      this.#leaving.add(queue);
      void queue.close(LEAVING_MS).finally(() => this.#leaving.delete(queue));
    }
  }

  /** Lets deliveries under way end for so long, then ends commands, and drops the rest with one line in the log. */
  async close(graceMs: number): Promise<void> {
    this.#droppedAtEnd ??= 0;
    const all = [...this.#queues.values(), ...this.#leaving];
    await Promise.all(all.map((queue) => queue.close(graceMs)));
    const dropped = this.#droppedAtEnd;
    this.#droppedAtEnd = 0;
    if (dropped > 0) this.#parts.log.warn({ dropped }, 'hooks were not told of every event before the server ended');
  }

  /** The queues of hooks: those that there are where nothing of their settings has changed, else new ones. */
  #queuesOf(settings: HookSettings): Map<string, DeliveryQueue> {
    const before = this.#queues;
    const { queue: most, commandsAtOnce } = settings;
    if (this.#places?.most !== commandsAtOnce)
      this.#places = { most: commandsAtOnce, semaphore: new Semaphore(commandsAtOnce) };
    const { semaphore } = this.#places;
    return new Map(
      hooksOf({ ...this.#parts, settings }, semaphore).map(({ hook, key }) => [
        key,
        before.get(key) ?? new DeliveryQueue(hook, most, (event, result) => this.#count(hook, event, result)),
      ]),
    );
  }

  #count({ name }: Hook, { type }: ServerEvent, result: DeliveryResult): void {
    this.#parts.metrics.hook(type, result);
    if (result !== 'dropped') {
      this.#isOverflowLogged = false;
      return;
    }
    if (this.#droppedAtEnd !== null) {
      this.#droppedAtEnd++;
      return;
    }
    if (this.#isOverflowLogged) return;
    this.#isOverflowLogged = true;
    this.#parts.log.warn(
      { hook: name, event: type },
      'too many events wait for a hook: the oldest are dropped (hooks.queue)',
    );
  }
}

/** Each hook, with a key that tells all of its settings. */
function hooksOf({ settings, metrics, log }: HooksParts, places: Semaphore): { hook: Hook; key: string }[] {
  const { webhooks, commands, queue, retryForMs, secret: common, commandsAtOnce } = settings;
  return [
    ...webhooks.map((webhook, at) => {
      const name = `webhooks.${at}`;
      // The configuration is refused where neither is set.
      const secret = webhook.secret ?? common!;
      const onRetry = ({ type }: ServerEvent): void => metrics.hook(type, 'retried');
      const hook = new Webhook(webhook, { name, secret, retryForMs, log, onRetry });
      return { hook, key: JSON.stringify([name, webhook, secret, retryForMs, queue]) };
    }),
    ...commands.map((command, at) => {
      const name = `commands.${at}`;
      const hook = new HookCommand(command, { name, places, log });
      return { hook, key: JSON.stringify([name, command, commandsAtOnce, queue]) };
    }),
  ];
}
