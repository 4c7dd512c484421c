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

/** Tells webhooks and commands of the server's events, each in a queue of its own. Main thread. */
export class Hooks {
  readonly #parts: HooksParts;
  readonly #queues: readonly DeliveryQueue[];
  /** Deliveries dropped since `close` was called; null before. */
  #droppedAtEnd: number | null = null;
  #isOverflowLogged = false;

  constructor(parts: HooksParts) {
    this.#parts = parts;
    const { queue: most } = parts.settings;
    this.#queues = hooksOf(parts).map(
      (hook) => new DeliveryQueue(hook, most, (event, result) => this.#count(hook, event, result)),
    );
    if (this.#queues.length === 0) return;
    parts.events.listen((event) => {
      for (const queue of this.#queues) queue.add(event);
    });
  }

  /** Lets deliveries under way end for so long, then ends commands, and drops the rest with one line in the log. */
  async close(graceMs: number): Promise<void> {
    this.#droppedAtEnd ??= 0;
    await Promise.all(this.#queues.map((queue) => queue.close(graceMs)));
    const dropped = this.#droppedAtEnd;
    this.#droppedAtEnd = 0;
    if (dropped > 0) this.#parts.log.warn({ dropped }, 'hooks were not told of every event before the server ended');
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

function hooksOf({ settings, metrics, log }: HooksParts): Hook[] {
  const { webhooks, commands, retryForMs, secret: common, commandsAtOnce } = settings;
  const places = new Semaphore(commandsAtOnce);
  return [
    ...webhooks.map((webhook, at) => {
      const name = `webhooks.${at}`;
      // The configuration is refused where neither is set.
      const secret = webhook.secret ?? common!;
      return new Webhook(webhook, {
        name,
        secret,
        retryForMs,
        log,
        onRetry: ({ type }) => metrics.hook(type, 'retried'),
      });
    }),
    ...commands.map((command, at) => new HookCommand(command, { name: `commands.${at}`, places, log })),
  ];
}
