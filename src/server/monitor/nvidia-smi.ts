/** The GPU by one long-lived `nvidia-smi`, for machines that have the program but not the library. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Gpu, GpuInfo, GpuState } from '../../shared/gpu.ts';

const FIELDS = ['name', 'driver_version', 'compute_cap', 'memory.used', 'memory.total', 'utilization.gpu'];
const EVERY_MS = 1000;
/** A line older than this is no longer used. */
const STALE_MS = 5 * EVERY_MS;
/** How long the first line may take: the driver may have to wake. */
const FIRST_LINE_MS = 10_000;
/** Pause before a program that ended is started again. */
const RESTART_MS = 10_000;

/**
 * @param program name or path of nvidia-smi.
 * @param device index or id.
 * @returns null where the program is not on this machine, or may not be run.
 * @throws Error with the program's last line when it ends or reports nothing.
 */
export async function openSmi(program: string, device: string): Promise<Gpu | null> {
  const smi = new Smi(program, device);
  try {
    return await smi.open();
  } catch (error) {
    smi.close();
    // EACCES: a folder of PATH cannot be searched, and no other has the program.
    if (['ENOENT', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
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
    let timeout: NodeJS.Timeout | undefined;
    const info = await new Promise<GpuInfo>((resolve, reject) => {
      timeout = setTimeout(() => reject(new Error('nvidia-smi says nothing')), FIRST_LINE_MS);
      void this.#run(resolve).then(reject);
    }).finally(() => clearTimeout(timeout));
    return { ...info, read: async () => this.#state(), close: () => this.close() };
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#restart);
    this.#child?.kill();
  }

  #state(): GpuState | null {
    const fresh = this.#last !== null && performance.now() - this.#last.atMs < STALE_MS;
    return fresh && !this.#closed ? this.#last!.state : null;
  }

  /** Runs the program and restarts it whenever it ends; resolves with the reason when it ends for the first time. */
  #run(onInfo: (info: GpuInfo) => void): Promise<Error> {
    const query = [`--query-gpu=${FIELDS}`, '--format=csv,noheader,nounits', '-lms', String(EVERY_MS)];
    const child = spawn(this.#program, ['-i', this.#device, ...query], { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#child = child;
    child.unref();
    let lastLine = '';
    createInterface({ input: child.stdout }).on('line', (line) => {
      lastLine = line;
      const found = readLine(line);
      if (found === null) return;
      this.#last = { state: found.state, atMs: performance.now() };
      onInfo(found.info);
    });
    return new Promise((resolve) => {
      child.once('error', resolve);
      // All of its output has been read at `close`, but not yet at `exit`.
      child.once('close', () => {
        resolve(new Error(`nvidia-smi ended${lastLine === '' ? '' : `: ${lastLine}`}`));
        if (!this.#closed) this.#restart = setTimeout(() => void this.#run(() => undefined), RESTART_MS).unref();
      });
    });
  }
}

/** One line of the program's output: memory in MiB, unknown values in brackets. Null for any other line. */
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
