import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { CommandSettings } from '../../config/hook-settings.ts';
import type { Logger } from '../../lib/log.ts';
import type { Semaphore } from '../../lib/semaphore.ts';
import { messageOf } from '../../shared/errors.ts';
import type { DeliveryResult, Ending, Hook } from './delivery-queue.ts';
import type { ServerEvent } from './event-schemas.ts';
import { environmentFor } from './hook-environment.ts';

/** What a command needs besides its settings. */
export interface HookCommandParts {
  /** Where it is in config.yaml, below `hooks`. */
  name: string;
  /** Limits how many commands run at once. */
  places: Semaphore;
  log: Logger;
}

/** What of a command's output is logged, in characters. */
const MOST_OUTPUT = 2000;
/** Between SIGTERM and SIGKILL, for a command that takes too long. */
const KILL_AFTER_MS = 1000;
/** How long output is awaited after the exit: a program that the command left behind may hold it open. */
const OUTPUT_MS = 200;

/** Commands under way. A server that is ended by a second signal, without the grace, takes them along. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) killGroup(child, 'SIGKILL');
});

/** How a command ended. */
interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Why it could not be started, where it could not. */
  error?: string;
  said: string;
}

/**
 * Runs a program at events, without a shell. It is in a process group of its own, which is ended after the time-out, and with
 * the server.
 */
export class HookCommand implements Hook {
  readonly name: string;
  readonly events: readonly string[];
  readonly #settings: CommandSettings;
  readonly #parts: HookCommandParts;

  constructor(settings: CommandSettings, parts: HookCommandParts) {
    this.name = parts.name;
    this.events = settings.events;
    this.#settings = settings;
    this.#parts = parts;
  }

  async deliver(event: ServerEvent, { over }: Ending): Promise<DeliveryResult> {
    const leave = await this.#parts.places.take();
    try {
      return over.aborted ? 'dropped' : await this.#run(event, over);
    } catch (error) {
      // The system has no more processes or descriptors, or an argument is too long.
      this.#note(event, { code: null, signal: null, said: '' }, messageOf(error));
      return 'failed';
    } finally {
      leave();
    }
  }

  async #run(event: ServerEvent, over: AbortSignal): Promise<DeliveryResult> {
    const { timeoutMs, run } = this.#settings;
    const [program, ...args] = run;
    const child = spawn(program!, args, {
      env: environmentFor(event),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    const end = (signal: NodeJS.Signals) => (): void => killGroup(child, signal);
    const timers = [setTimeout(end('SIGTERM'), timeoutMs), setTimeout(end('SIGKILL'), timeoutMs + KILL_AFTER_MS)];
    const kill = end('SIGKILL');
    over.addEventListener('abort', kill);
    running.add(child);
    try {
      const beganMs = performance.now();
      const exit = await exitOf(child);
      const isLate = performance.now() - beganMs >= timeoutMs;
      this.#note(event, exit, over.aborted ? 'killed with the server' : isLate ? `killed after ${timeoutMs} ms` : null);
      return over.aborted ? 'dropped' : exit.code === 0 ? 'delivered' : 'failed';
    } finally {
      for (const timer of timers) clearTimeout(timer);
      over.removeEventListener('abort', kill);
      running.delete(child);
    }
  }

  #note({ type, data }: ServerEvent, { code, signal, error, said }: Exit, cause: string | null): void {
    const { log, name } = this.#parts;
    const session = 'session' in data && data.session !== null ? { session: data.session } : {};
    const facts = { ...session, hook: name, event: type, ...(said !== '' && { said }) };
    if (code === 0) log.debug(facts, 'command of a hook ended');
    else log.warn({ ...facts, code, why: cause ?? error ?? signal ?? 'its exit code' }, 'command of a hook failed');
  }
}

/** Ends the command and what it started. */
function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    if (process.platform === 'win32') child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch {
    // It ended meanwhile.
  }
}

/** Resolves when the command has ended, or could not be started; keeps the beginning of its output. */
async function exitOf(child: ChildProcess): Promise<Exit> {
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => {
      if (said.length < MOST_OUTPUT) said = `${said}${data}`.slice(0, MOST_OUTPUT);
    });
  const closed = once(child, 'close').catch(() => undefined);
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    await Promise.race([closed, delay(OUTPUT_MS)]);
    return { code, signal, said: said.trim() };
  } catch (error) {
    return { code: null, signal: null, error: (error as NodeJS.ErrnoException).code ?? String(error), said };
  } finally {
    for (const stream of [child.stdout, child.stderr]) stream?.destroy();
  }
}
