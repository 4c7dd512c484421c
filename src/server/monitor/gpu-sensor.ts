/** The GPU as this machine tells of it: by NVIDIA's library, else by its program, else there is none that we know of. */

import { openSmi } from './nvidia-smi.ts';
import { openNvmlSensor } from './nvml-sensor.ts';

/** What does not change while the program runs. */
export interface GpuInfo {
  name: string;
  /** Version of the driver, such as 580.65.06. */
  driver: string;
  /** Major and minor, such as 9.0; null where it is not told. */
  computeCapability: string | null;
}

export interface GpuState {
  /** Of all programs together. */
  usedBytes: number;
  totalBytes: number;
  /** Share of the last moments in which a kernel ran, 0..1; null where it is not told, for instance in a MIG slice. */
  utilisation: number | null;
}

export interface Gpu extends GpuInfo {
  /** Null while the GPU does not answer. */
  read(): Promise<GpuState | null>;
  /** Idempotent. */
  close(): void;
}

export interface GpuOptions {
  env?: Record<string, string | undefined>;
  /** The library, by name or path; null for none. */
  library?: string | null;
  /** The program, by name or path; null for none. */
  program?: string | null;
  /** Told why something that is there cannot be used; what is not there is no problem. */
  onProblem?: (why: string) => void;
}

const LIBRARY = process.platform === 'win32' ? 'nvml.dll' : 'libnvidia-ml.so.1';

/** Null on a machine without an NVIDIA GPU. */
export async function openGpu(options: GpuOptions = {}): Promise<Gpu | null> {
  const { env = process.env, library = LIBRARY, program = 'nvidia-smi', onProblem = () => undefined } = options;
  const device = firstVisible(env.CUDA_VISIBLE_DEVICES);
  if (device === null) return null;
  for (const open of [
    () => (library === null ? null : openNvmlSensor(library, device)),
    () => (program === null ? null : openSmi(program, device)),
  ]) {
    try {
      const gpu = await open();
      if (gpu !== null) return gpu;
    } catch (error) {
      onProblem(error instanceof Error ? error.message : String(error));
    }
  }
  return null;
}

/**
 * The GPU that CUDA takes as its first, as an index or an id (GPU-…, MIG-…); null where the variable hides them all.
 * An index means the same to NVML only in the order of the bus, which CUDA_DEVICE_ORDER=PCI_BUS_ID makes CUDA's too.
 */
export function firstVisible(variable: string | undefined): string | null {
  if (variable === undefined) return '0';
  const first = variable.split(',')[0]!.trim();
  return first === '' || first === '-1' ? null : first;
}
