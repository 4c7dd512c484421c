/** The main thread's end of the device: starts the device process, restarts it, and receives its reports. */

import { type ChildProcess, fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import type { Logger } from 'pino';
import { root } from '../../lib/package-root.ts';
import { messageOf } from '../../shared/errors.ts';
import type { DeviceNews, DeviceOptions, DeviceReport } from './device-protocol.ts';
import { makeSocketFolder, socketIn } from './socket-folder.ts';

/** Exponential backoff between restarts. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** Interval of the log lines about a build in progress. */
const LOG_BUILD_MS = 30_000;
/** A process that lived longer than this resets the backoff. */
const HEALTHY_MS = 30_000;
/** Time for the process to end by itself when the host is closed. */
const EXIT_MS = 5000;

/** Receives what the device process reports, and that it was lost. Called on the main thread. */
export interface DeviceListener {
  onReport(report: DeviceReport): void;
  /** The process ended by itself, and is started again. @param cause one sentence. */
  onLost?(cause: string): void;
}

/** Supervises the device process. Runs on the main thread. */
export class DeviceHost {
  readonly #options: Omit<DeviceOptions, 'address'>;
  readonly #folder: string;
  readonly #log: Logger;
  readonly #listener: DeviceListener;
  #child: ChildProcess | null = null;
  #startedAtMs = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Resident memory of the process at its last report; 0 while there is none. */
  rssBytes = 0;
  /** Processor time in milliseconds: of the processes that ended, and of the current one as last reported. */
  #cpuMs = { ended: 0, current: 0 };
  /** How many times the process was lost and restarted. */
  restarts = 0;

  constructor(options: Omit<DeviceOptions, 'address'>, log: Logger, listener: DeviceListener) {
    this.#folder = makeSocketFolder(options.cacheDir);
    this.#options = options;
    this.#log = log;
    this.#listener = listener;
  }

  /** Address that lanes connect to, whether the process runs yet or not. The folder belongs to this user alone. */
  get address(): string {
    const name = `${path.basename(this.#folder)}-${process.pid}`;
    return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : socketIn(this.#folder);
  }

  /** Asks the process to close its unused models, as memory is short. */
  release(): void {
    if (this.#child?.connected === true) this.#child.send('release');
  }

  /** Processor time of all device processes so far, as reported, in milliseconds. */
  get cpuMs(): number {
    return this.#cpuMs.ended + this.#cpuMs.current;
  }

  /** Starts the process. Idempotent; after `close` it does nothing. */
  start(): void {
    if (this.#closed || this.#child !== null || this.#timer !== undefined) return;
    rmSync(this.address, { force: true });
    this.#startedAtMs = performance.now();
    try {
      this.#child = this.#fork();
    } catch (error) {
      this.#onStartFailed(error);
    }
  }

  #fork(): ChildProcess {
    const options: DeviceOptions = { ...this.#options, address: this.address };
    const child = fork(path.join(root, 'dist/pipeline/device.js'), [JSON.stringify(options)], {
      execArgv: [],
      // The CUDA provider keeps handles and workspaces for each thread that has ever run it.
      env: { ...process.env, UV_THREADPOOL_SIZE: '2' },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    // Output of ONNX Runtime and of the drivers.
    child.stderr?.on('data', (text: Buffer) => this.#log.debug({ said: String(text).trim() }, 'device'));
    child.on('message', (message) => {
      if (message !== 'ready') this.#receive(message as DeviceReport);
    });
    // A process that did start ends with `exit`, whatever its errors.
    child.on('error', (error) => {
      if (child.pid === undefined) this.#onStartFailed(error);
    });
    child.once('exit', (code, signal) => this.#onExit(code, signal));
    return child;
  }

  /** Ends the process and removes its folder. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child?.pid !== undefined) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      if (child.connected) child.disconnect();
      const killing = setTimeout(() => child.kill('SIGKILL'), EXIT_MS);
      await gone;
      clearTimeout(killing);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #receive(report: DeviceReport): void {
    for (const { model, from, to, why } of report.steps)
      this.#log.warn({ model, from, to, why }, `${model ?? 'added models'} cannot run on ${from}, trying ${to}`);
    this.rssBytes = report.rssBytes;
    this.#cpuMs.current = report.cpuMs;
    for (const news of report.news) this.#logNews(news);
    this.#listener.onReport(report);
  }

  /** Builders report every second; the log has a line every LOG_BUILD_MS. */
  #logNews(news: DeviceNews): void {
    if ('provider' in news) this.#log.info(news, `${news.model} runs on ${news.provider} now`);
    else if ('failed' in news) this.#log.warn(news, `nothing better was made for ${news.model}`);
    else if (news.building !== null && news.building.elapsedMs % LOG_BUILD_MS < 1000)
      this.#log.info(news, `something better is being made for ${news.model}`);
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    this.#child = null;
    this.rssBytes = 0;
    this.#cpuMs = { ended: this.cpuMs, current: 0 };
    if (this.#closed) return;
    this.restarts++;
    this.#log.warn({ code, signal, restarts: this.restarts }, 'device process lost, starting it again');
    this.#listener.onLost?.(`The device process ended with ${signal ?? `code ${code}`} and is started again.`);
    this.#restart();
  }

  /** The operating system refused to start a process, for instance because memory is short. */
  #onStartFailed(error: unknown): void {
    this.#child = null;
    if (this.#closed) return;
    this.#log.error({ error: messageOf(error) }, 'device process cannot be started, trying again');
    this.#restart();
  }

  #restart(): void {
    const livedMs = performance.now() - this.#startedAtMs;
    this.#pauseMs = livedMs > HEALTHY_MS ? FIRST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, 2 * this.#pauseMs);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.start();
    }, this.#pauseMs / 2);
  }
}
