/** The GPU by NVIDIA's management library. Queries that repeat run off the event loop, as the driver may block them. */

import { Nvml } from '../../pipeline/inference/native/nvml.ts';
import type { Gpu, GpuState } from '../../shared/gpu.ts';

/**
 * @param library name or path of NVML.
 * @param device index, or id as `nvidia-smi -L` lists it.
 * @returns null where the library is not on this machine, or koffi has no build for the platform.
 * @throws Error saying why the library that is there cannot be used.
 */
export async function openNvmlSensor(library: string, device: string): Promise<Gpu | null> {
  const nvml = load(library);
  if (nvml === null) return null;
  await nvml.startAsync();
  try {
    const handle = nvml.device(/^\d+$/.test(device) ? Number(device) : device);
    let closed = false;
    let reading: Promise<unknown> = Promise.resolve();
    return {
      name: nvml.name(handle),
      driver: nvml.driver(),
      computeCapability: orNull(() => nvml.capability(handle)),
      async read() {
        if (closed) return null;
        const state = readState(nvml, handle);
        reading = state;
        return await state;
      },
      close() {
        if (closed) return;
        closed = true;
        // NVML must not be shut down during a query.
        void reading.finally(() => nvml.stop());
      },
    };
  } catch (error) {
    nvml.stop();
    throw error;
  }
}

const load = (library: string): Nvml | null => orNull(() => new Nvml(library));

function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** Null where the memory cannot be read; a MIG slice reports its memory but no utilisation. */
async function readState(nvml: Nvml, device: bigint): Promise<GpuState | null> {
  const [memory, utilisation] = await Promise.all([
    nvml.memoryAsync(device).catch(() => null),
    nvml.utilisationAsync(device).catch(() => null),
  ]);
  return memory === null ? null : { ...memory, utilisation };
}
