import { expect, test } from 'vitest';
import {
  DeliveryQueue,
  type DeliveryResult,
  type Ending,
  type Hook,
} from '../../../../src/server/hooks/delivery-queue.ts';
import type { ServerEvent } from '../../../../src/server/hooks/event-schemas.ts';

const event = (stream: string, type: 'stream.up' | 'stream.down' = 'stream.up') =>
  ({ type, timestamp: 'now', data: { stream, session: 's', cause: '' } }) as ServerEvent;
const streamOf = ({ data }: ServerEvent): string => (data as { stream: string }).stream;

/** A hook whose deliveries end when the test says so. */
class HeldHook implements Hook {
  readonly name = 'held';
  readonly events = ['stream.up'];
  readonly begun: string[] = [];
  ending: Ending | null = null;
  #end: ((result: DeliveryResult) => void) | null = null;

  deliver(one: ServerEvent, ending: Ending): Promise<DeliveryResult> {
    this.begun.push(streamOf(one));
    this.ending = ending;
    return new Promise((resolve) => {
      this.#end = resolve;
      ending.over.addEventListener('abort', () => resolve('dropped'));
    });
  }

  async end(result: DeliveryResult): Promise<void> {
    this.#end!(result);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function queueOf(most: number) {
  const hook = new HeldHook();
  const results: string[] = [];
  const queue = new DeliveryQueue(hook, most, (one, result) => results.push(`${streamOf(one)} ${result}`));
  return { hook, results, queue };
}

test('events are delivered one after another, in order, and only those that the hook wants', async () => {
  const { hook, results, queue } = queueOf(10);
  for (const stream of ['a', 'b', 'c']) queue.add(event(stream));
  queue.add(event('d', 'stream.down'));
  expect(hook.begun).toEqual(['a']);
  await hook.end('delivered');
  await hook.end('failed');
  await hook.end('delivered');
  expect(hook.begun).toEqual(['a', 'b', 'c']);
  expect(results).toEqual(['a delivered', 'b failed', 'c delivered']);
  queue.add(event('e'));
  expect(hook.begun.at(-1)).toBe('e');
  await hook.end('delivered');
});

test('a queue that is full drops the oldest that waits, and counts it', async () => {
  const { hook, results, queue } = queueOf(2);
  for (const stream of ['a', 'b', 'c', 'd', 'e']) queue.add(event(stream));
  expect(results).toEqual(['b dropped', 'c dropped']);
  for (let n = 0; n < 3; n++) await hook.end('delivered');
  expect(hook.begun).toEqual(['a', 'd', 'e']);
});

test('a queue that is closed says so at once, and drops what is left when its grace is over', async () => {
  const { hook, results, queue } = queueOf(10);
  for (const stream of ['a', 'b', 'c']) queue.add(event(stream));
  const closing = queue.close(30);
  expect(hook.ending!.stopping.aborted).toBe(true);
  expect(hook.ending!.over.aborted).toBe(false);
  await hook.end('delivered');
  await closing;
  expect(results).toEqual(['a delivered', 'b dropped', 'c dropped']);
  queue.add(event('late'));
  expect(results.at(-1)).toBe('late dropped');
});

test('a queue without work closes at once', async () => {
  const { results, queue } = queueOf(10);
  await queue.close(60_000);
  expect(results).toEqual([]);
});
