/**
 * Opens the GPU of this machine for reading: by NVIDIA's library, else by its program, else there is none to be read.
 */

import { NVML_LIBRARY } from '../../pipeline/inference/native/nvml.ts';
import { messageOf } from '../../shared/errors.ts';
import type { Gpu } from '../../shared/gpu.ts';
import { openSmi } from './nvidia-smi.ts';
import { openNvmlSensor } from './nvml-sensor.ts';

/** Where to look for the GPU; the defaults are those of an ordinary machine. */
export interface GpuOptions {
  env?: Record<string, string | undefined>;
  /** NVML, by name or path; null skips it. */
  library?: string | null;
  /** nvidia-smi, by name or path; null skips it. */
  program?: string | null;
  /** Called with the reason when a library or program is there but cannot be used; an absent one is no problem. */
  onProblem?: (why: string) => void;
}

/** Null on a machine without an NVIDIA GPU, or where CUDA_VISIBLE_DEVICES hides all of them. */
export async function openGpu(options: GpuOptions = {}): Promise<Gpu | null> {
  const { env = process.env, library = NVML_LIBRARY, program = 'nvidia-smi', onProblem = () => undefined } = options;
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
      onProblem(messageOf(error));
    }
  }
  return null;
}

/**
 * The GPU that CUDA takes as its first, as an index or an id (GPU-…, MIG-…); null where the variable hides all GPUs.
 * An index means the same to NVML only in the order of the bus, which CUDA_DEVICE_ORDER=PCI_BUS_ID makes CUDA's too.
 */
export function firstVisible(variable: string | undefined): string | null {
  if (variable === undefined) return '0';
  const first = variable.split(',')[0]!.trim();
  return first === '' || first === '-1' ? null : first;
}
