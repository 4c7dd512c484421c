/** The GPU by one long-lived `nvidia-smi`, for machines that have the program but not the library beside it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Gpu, GpuInfo, GpuState } from './gpu-sensor.ts';

const FIELDS = ['name', 'driver_version', 'compute_cap', 'memory.used', 'memory.total', 'utilization.gpu'];
const EVERY_MS = 1000;
/** A line older than this says nothing about now. */
const OLD_MS = 5 * EVERY_MS;
/** How long the first line may take: the driver may have to wake. */
const FIRST_LINE_MS = 10_000;
/** A program that ended is started again after so long. */
const PAUSE_MS = 10_000;

/**
 * @param device index or id.
 * @returns null where the program is not on this machine.
 * @throws Error what it says when it is there and tells nothing.
 */
export async function openSmi(program: string, device: string): Promise<Gpu | null> {
  const smi = new Smi(program, device);
  try {
    return await smi.open();
  } catch (error) {
    smi.close();
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

class Smi {
  readonly #program: string;
  readonly #device: string;
  #child: ChildProcess | null = null;
  #last: { state: GpuState; atMs: number } | null = null;
  #restart: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(program: string, device: string) {
    this.#program = program;
    this.#device = device;
  }

  async open(): Promise<Gpu> {
    let patience: NodeJS.Timeout | undefined;
    const info = await new Promise<GpuInfo>((resolve, reject) => {
      patience = setTimeout(() => reject(new Error('nvidia-smi says nothing')), FIRST_LINE_MS);
      void this.#run(resolve).then(reject);
    }).finally(() => clearTimeout(patience));
    return { ...info, read: async () => this.#state(), close: () => this.close() };
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#restart);
    this.#child?.kill();
  }

  #state(): GpuState | null {
    const fresh = this.#last !== null && performance.now() - this.#last.atMs < OLD_MS;
    return fresh && !this.#closed ? this.#last!.state : null;
  }

  /** Runs the program, again and again; resolves when it ended for the first time, with why. */
  #run(onInfo: (info: GpuInfo) => void): Promise<Error> {
    const query = [`--query-gpu=${FIELDS}`, '--format=csv,noheader,nounits', '-lms', String(EVERY_MS)];
    const child = spawn(this.#program, ['-i', this.#device, ...query], { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#child = child;
    child.unref();
    let said = '';
    createInterface({ input: child.stdout }).on('line', (line) => {
      said = line;
      const found = readLine(line);
      if (found === null) return;
      this.#last = { state: found.state, atMs: performance.now() };
      onInfo(found.info);
    });
    return new Promise((resolve) => {
      child.once('error', resolve);
      // Its last words are read before `close`, not before `exit`.
      child.once('close', () => {
        resolve(new Error(`nvidia-smi ended${said === '' ? '' : `: ${said}`}`));
        if (!this.#closed) this.#restart = setTimeout(() => void this.#run(() => undefined), PAUSE_MS).unref();
      });
    });
  }
}

/** One line of its answer; memory is in MiB, what it does not know stands in brackets. Null for any other line. */
export function readLine(line: string): { info: GpuInfo; state: GpuState } | null {
  const [name, driver, capability, used, total, percent] = line.split(',').map((part) => part.trim());
  const number = (text: string | undefined): number | null => (/^\d+(\.\d+)?$/.test(text ?? '') ? Number(text) : null);
  const [usedMb, totalMb, busy] = [number(used), number(total), number(percent)];
  if (name === undefined || driver === undefined || usedMb === null || totalMb === null) return null;
  return {
    info: { name, driver, computeCapability: number(capability) === null ? null : capability! },
    state: {
      usedBytes: usedMb * 2 ** 20,
      totalBytes: totalMb * 2 ** 20,
      utilisation: busy === null ? null : busy / 100,
    },
  };
}
