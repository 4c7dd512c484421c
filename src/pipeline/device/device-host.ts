/** Starts the device process, keeps it alive and hears what it reports. The main thread's end of the device. */

import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Logger } from 'pino';
import { root } from '../../lib/package-root.ts';
import type { DeviceNews, DeviceOptions, DeviceReport } from './device-protocol.ts';

/** A process that dies again and again is started ever later. */
const PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** How often the log tells that a build goes on. */
const LOG_BUILD_MS = 30_000;
/** One that lived so long was well. */
const WELL_MS = 30_000;

export class DeviceHost {
  readonly #options: Omit<DeviceOptions, 'address'>;
  readonly #folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-device-'));
  readonly #log: Logger;
  readonly #onReport: (report: DeviceReport) => void;
  #child: ChildProcess | null = null;
  #startedAtMs = 0;
  #pauseMs = PAUSE_MS;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Memory of the process, when it last told. */
  rssBytes = 0;
  /** Processor time of all processes there were, as far as they told, in milliseconds. */
  #cpuMs = { lost: 0, told: 0 };
  /** Times the process had to be started again. */
  restarts = 0;

  constructor(options: Omit<DeviceOptions, 'address'>, log: Logger, onReport: (report: DeviceReport) => void) {
    this.#options = options;
    this.#log = log;
    this.#onReport = onReport;
  }

  /** Where lanes find the device, whether it runs yet or not. The folder is this user's alone. */
  get address(): string {
    const name = `${path.basename(this.#folder)}-${process.pid}`;
    return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : path.join(this.#folder, 'device.sock');
  }

  /** Memory is short: what nobody wants is closed. */
  release(): void {
    if (this.#child?.connected === true) this.#child.send('release');
  }

  get cpuMs(): number {
    return this.#cpuMs.lost + this.#cpuMs.told;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Idempotent. */
  start(): void {
    if (this.#closed || this.#child !== null || this.#timer !== undefined) return;
    rmSync(this.address, { force: true });
    this.#startedAtMs = performance.now();
    try {
      this.#child = this.#fork();
    } catch (error) {
      this.#onNone(error);
    }
  }

  #fork(): ChildProcess {
    const options: DeviceOptions = { ...this.#options, address: this.address };
    const child = fork(path.join(root, 'dist/pipeline/device.js'), [JSON.stringify(options)], {
      execArgv: [],
      // The CUDA provider keeps handles and workspaces for each thread that ever ran it.
      env: { ...process.env, UV_THREADPOOL_SIZE: '2' },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    // ONNX Runtime's and the drivers' own words.
    child.stderr?.on('data', (text: Buffer) => this.#log.debug({ said: String(text).trim() }, 'device'));
    child.on('message', (message) => {
      if (message !== 'ready') this.#hear(message as DeviceReport);
    });
    // One that was started ends with an exit, whatever its errors.
    child.on('error', (error) => {
      if (child.pid === undefined) this.#onNone(error);
    });
    child.once('exit', (code, signal) => this.#onEnd(code, signal));
    return child;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child?.pid !== undefined) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      if (child.connected) child.disconnect();
      const patience = setTimeout(() => child.kill('SIGKILL'), 5000);
      await gone;
      clearTimeout(patience);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #hear(report: DeviceReport): void {
    for (const { model, from, to, why } of report.steps)
      this.#log.warn({ model, from, to, why }, `${model ?? 'added models'} cannot run on ${from}, trying ${to}`);
    this.rssBytes = report.rssBytes;
    this.#cpuMs.told = report.cpuMs;
    for (const news of report.news) this.#tell(news);
    this.#onReport(report);
  }

  /** Builders say every second that they are still at it; the log need not. */
  #tell(news: DeviceNews): void {
    if ('provider' in news) this.#log.info(news, `${news.model} runs on ${news.provider} now`);
    else if ('failed' in news) this.#log.warn(news, `nothing better was made for ${news.model}`);
    else if (news.building !== null && news.building.elapsedMs % LOG_BUILD_MS < 1000)
      this.#log.info(news, `something better is being made for ${news.model}`);
  }

  #onEnd(code: number | null, signal: NodeJS.Signals | null): void {
    this.#child = null;
    this.rssBytes = 0;
    this.#cpuMs = { lost: this.cpuMs, told: 0 };
    if (this.#closed) return;
    this.restarts++;
    this.#log.warn({ code, signal, restarts: this.restarts }, 'device process lost, starting it again');
    this.#startAgain();
  }

  /** There was no memory for another process, say. */
  #onNone(error: unknown): void {
    this.#child = null;
    if (this.#closed) return;
    const why = error instanceof Error ? error.message : String(error);
    this.#log.error({ error: why }, 'device process cannot be started, trying again');
    this.#startAgain();
  }

  #startAgain(): void {
    const livedMs = performance.now() - this.#startedAtMs;
    this.#pauseMs = livedMs > WELL_MS ? PAUSE_MS : Math.min(LONGEST_PAUSE_MS, 2 * this.#pauseMs);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.start();
    }, this.#pauseMs / 2);
  }
}
