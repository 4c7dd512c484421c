/**
 * The binding of NVIDIA's management library (NVML): which GPUs there are, their memory and utilisation. Signatures are
 * those of nvml.h, whose layout NVIDIA keeps. A query takes microseconds, but the driver may block for longer, so
 * queries that repeat have an asynchronous form.
 */

import { addressOf, type ForeignFunction, type Library, openLibrary, type Pointer } from './ffi.ts';

/** An NVIDIA GPU as NVML describes it. */
export interface NvidiaDevice {
  name: string;
  /** Compute capability, for instance 8.9. */
  capability: string;
  memoryBytes: number;
}

/** The NVIDIA driver and its GPUs, in the order of the bus. */
export interface NvidiaDriver {
  /** Version of the driver, for instance 580.65.06. */
  version: string;
  /** The newest CUDA version the driver supports, for instance 13.0. */
  cuda: string;
  devices: NvidiaDevice[];
}

/** Name of the library, as the driver installs it. */
export const NVML_LIBRARY = process.platform === 'win32' ? 'nvml.dll' : 'libnvidia-ml.so.1';

/** NVML_SUCCESS; any other code is an error. */
const SUCCESS = 0;
const TEXT_BYTES = 96;

type Arguments = Parameters<ForeignFunction>;

/**
 * NVML's functions with checked return codes. `start` or `startAsync` comes first, `stop` last. Every method throws
 * Error with NVML's own text for the code.
 */
export class Nvml {
  readonly #library: Library;
  readonly #functions = new Map<string, ForeignFunction>();

  /** @throws Error when the library cannot be loaded. */
  constructor(file: string = NVML_LIBRARY) {
    this.#library = openLibrary(file);
  }

  /** Initialises NVML; counted, so each start needs its own stop. */
  start(): void {
    this.#call('nvmlInit_v2', []);
  }

  /** Same as `start`, on another thread: it may take seconds where nothing else keeps the driver awake. */
  async startAsync(): Promise<void> {
    await this.#callAsync('nvmlInit_v2', []);
  }

  stop(): void {
    this.#call('nvmlShutdown', []);
  }

  /** Version of the driver, for instance 580.65.06. */
  driver(): string {
    return text((at) => this.#call('nvmlSystemGetDriverVersion', ['void *', 'uint'], at, TEXT_BYTES));
  }

  /** The newest CUDA version the driver supports, for instance 13.0. */
  cuda(): string {
    const version = new Int32Array(1);
    this.#call('nvmlSystemGetCudaDriverVersion_v2', ['void *'], addressOf(version));
    return `${Math.trunc(version[0]! / 1000)}.${Math.trunc((version[0]! % 1000) / 10)}`;
  }

  /** Number of GPUs. */
  count(): number {
    const count = new Uint32Array(1);
    this.#call('nvmlDeviceGetCount_v2', ['void *'], addressOf(count));
    return count[0]!;
  }

  /** The handle of a GPU. @param device index in the order of the bus, or id as `nvidia-smi -L` lists it. */
  device(device: number | string): Pointer {
    const handle = new BigUint64Array(1);
    if (typeof device === 'number')
      this.#call('nvmlDeviceGetHandleByIndex_v2', ['uint', 'void *'], device, addressOf(handle));
    else this.#call('nvmlDeviceGetHandleByUUID', ['str', 'void *'], device, addressOf(handle));
    return handle[0]!;
  }

  /** Name of a GPU. */
  name(device: Pointer): string {
    return text((at) => this.#call('nvmlDeviceGetName', ['void *', 'void *', 'uint'], device, at, TEXT_BYTES));
  }

  /** Compute capability, for instance 8.9. */
  capability(device: Pointer): string {
    const [major, minor] = [new Int32Array(1), new Int32Array(1)];
    const parameters = ['void *', 'void *', 'void *'];
    this.#call('nvmlDeviceGetCudaComputeCapability', parameters, device, addressOf(major), addressOf(minor));
    return `${major[0]}.${minor[0]}`;
  }

  /** Memory of a GPU, in bytes. */
  totalBytes(device: Pointer): number {
    const memory = new BigUint64Array(3);
    this.#call('nvmlDeviceGetMemoryInfo', ['void *', 'void *'], device, addressOf(memory));
    return Number(memory[0]);
  }

  /** Memory of a GPU and how much all programs use of it, in bytes. Runs off the event loop. */
  async memoryAsync(device: Pointer): Promise<{ totalBytes: number; usedBytes: number }> {
    // nvmlMemory_t: total, free, used.
    const memory = new BigUint64Array(3);
    await this.#callAsync('nvmlDeviceGetMemoryInfo', ['void *', 'void *'], device, addressOf(memory));
    return { totalBytes: Number(memory[0]), usedBytes: Number(memory[2]) };
  }

  /** Share of the last sampling period in which a kernel ran, 0..1. Runs off the event loop. */
  async utilisationAsync(device: Pointer): Promise<number> {
    // nvmlUtilization_t: percent of time in kernels, percent of time in memory transfers.
    const percent = new Uint32Array(2);
    await this.#callAsync('nvmlDeviceGetUtilizationRates', ['void *', 'void *'], device, addressOf(percent));
    return percent[0]! / 100;
  }

  #call(name: string, parameters: readonly string[], ...values: Arguments): void {
    this.#check(this.#function(name, parameters)(...values));
  }

  #callAsync(name: string, parameters: readonly string[], ...values: Arguments): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#function(name, parameters).async(...values, (error, code) => {
        try {
          if (error) throw error;
          this.#check(code);
          resolve();
        } catch (failure) {
          reject(failure);
        }
      });
    });
  }

  #check(code: unknown): void {
    if (code === SUCCESS) return;
    const answer = this.#library.func('nvmlErrorString', 'str', ['int'])(code as number);
    throw new Error(`the NVIDIA driver answers "${String(answer)}"`);
  }

  #function(name: string, parameters: readonly string[]): ForeignFunction {
    const bound = this.#functions.get(name) ?? this.#library.func(name, 'int', parameters);
    this.#functions.set(name, bound);
    return bound;
  }
}

/** Reads driver and GPUs; blocks its thread. @throws Error when there is no NVIDIA driver, or it does not answer. */
export function readNvidiaDriver(): NvidiaDriver {
  const nvml = new Nvml();
  nvml.start();
  try {
    const devices = Array.from({ length: nvml.count() }, (_, i) => {
      const device = nvml.device(i);
      return { name: nvml.name(device), capability: nvml.capability(device), memoryBytes: nvml.totalBytes(device) };
    });
    return { version: nvml.driver(), cuda: nvml.cuda(), devices };
  } finally {
    nvml.stop();
  }
}

function text(fill: (at: Pointer) => void): string {
  const bytes = Buffer.alloc(TEXT_BYTES);
  fill(addressOf(bytes));
  return bytes.toString('utf8').replace(/\0.*$/s, '');
}
