import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { SerialQueue } from '../../../src/lib/serial.ts';

describe('SerialQueue', () => {
  test('runs jobs one at a time and in order', async () => {
    const queue = new SerialQueue();
    const events: string[] = [];
    const job = (name: string, ms: number) => async () => {
      events.push(`${name} begins`);
      await sleep(ms);
      events.push(`${name} ends`);
    };
    await Promise.all([queue.run(job('slow', 10)), queue.run(job('quick', 0))]);
    expect(events).toEqual(['slow begins', 'slow ends', 'quick begins', 'quick ends']);
  });

  test('settles as the job does', async () => {
    const queue = new SerialQueue();
    expect(await queue.run(() => 1)).toBe(1);
    await expect(queue.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  });

  test('goes on after a job that throws or rejects', async () => {
    const queue = new SerialQueue();
    const thrown = queue.run(() => {
      throw new Error('thrown');
    });
    const rejected = queue.run(async () => Promise.reject(new Error('rejected')));
    const next = queue.run(() => 'next');
    await expect(thrown).rejects.toThrow('thrown');
    await expect(rejected).rejects.toThrow('rejected');
    expect(await next).toBe('next');
  });

  test('is idle once the jobs added so far have settled, even if one failed', async () => {
    const queue = new SerialQueue();
    let done = 0;
    const failed = queue.run(async () => {
      await sleep(5);
      done++;
      throw new Error('no');
    });
    await queue.idle();
    expect(done).toBe(1);
    await expect(failed).rejects.toThrow('no');
  });
});
