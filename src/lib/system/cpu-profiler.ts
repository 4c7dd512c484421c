import { Session } from 'node:inspector/promises';
import type { ProfiledThread } from '../../shared/types.ts';

/** Records CPU profiles of the thread that it is used on, by V8's own sampler. One at a time. */
export class CpuProfiler implements ProfiledThread {
  #session: Session | null = null;

  async start(): Promise<void> {
    const session = new Session();
    session.connect();
    this.#session = session;
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
  }

  /** @throws Error where no recording was started. */
  async stop(): Promise<string> {
    const session = this.#session;
    this.#session = null;
    if (session === null) throw new Error('no CPU profile was started');
    try {
      const { profile } = await session.post('Profiler.stop');
      return JSON.stringify(profile);
    } finally {
      session.disconnect();
    }
  }
}
