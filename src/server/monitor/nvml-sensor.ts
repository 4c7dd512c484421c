/**
 * NVIDIA's management library (NVML), called through koffi. A query takes microseconds, but the driver may keep one
 * waiting, so those that repeat run off the event loop. Signatures are those of nvml.h, whose layout NVIDIA keeps.
 */

import { promisify } from 'node:util';
import type { LibraryHandle } from 'koffi';
import type { Gpu, GpuState } from './gpu-sensor.ts';

/** NVML_SUCCESS; any other answer is an error. */
const SUCCESS = 0;
const TEXT_BYTES = 96;

type Async = (...ask: unknown[]) => Promise<number>;

/**
 * @param device index, or id as `nvidia-smi -L` shows it.
 * @returns null where the library is not on this machine.
 * @throws Error why the library that is there cannot be used.
 */
export async function openNvmlSensor(library: string, device: string): Promise<Gpu | null> {
  // Without a build for this system there is no library to read either.
  const koffi = await import('koffi').catch(() => null);
  if (koffi === null) return null;
  let lib: LibraryHandle;
  try {
    lib = koffi.default.load(library);
  } catch {
    return null;
  }
  const later = (call: ReturnType<LibraryHandle['func']>): Async => promisify(call.async) as Async;
  const errorText = lib.func('const char *nvmlErrorString(int code)');
  const check = (code: number): void => {
    if (code !== SUCCESS) throw new Error(`the NVIDIA driver answers "${String(errorText(code))}"`);
  };
  const text = (read: (buffer: Buffer) => number): string => {
    const buffer = Buffer.alloc(TEXT_BYTES);
    check(read(buffer));
    return buffer.toString('utf8', 0, buffer.indexOf(0));
  };

  // Starting the driver may take seconds where nothing else keeps it awake.
  check(await later(lib.func('int nvmlInit_v2()'))());
  const shutdown = lib.func('int nvmlShutdown()');
  try {
    const handle = handleOf(lib, device, check);
    const name = lib.func('int nvmlDeviceGetName(void *device, uint8_t *name, unsigned int length)');
    const driver = lib.func('int nvmlSystemGetDriverVersion(uint8_t *version, unsigned int length)');
    const capability = lib.func('int nvmlDeviceGetCudaComputeCapability(void *device, int32_t *major, int32_t *minor)');
    const [major, minor] = [new Int32Array(1), new Int32Array(1)];
    const told = capability(handle, major, minor) === SUCCESS;
    const read = reader(
      handle,
      later(lib.func('int nvmlDeviceGetMemoryInfo(void *device, uint64_t *memory)')),
      later(lib.func('int nvmlDeviceGetUtilizationRates(void *device, uint32_t *rates)')),
    );
    let closed = false;
    let reading: Promise<unknown> = Promise.resolve();
    return {
      name: text((buffer) => name(handle, buffer, TEXT_BYTES) as number),
      driver: text((buffer) => driver(buffer, TEXT_BYTES) as number),
      computeCapability: told ? `${major[0]}.${minor[0]}` : null,
      async read() {
        if (closed) return null;
        const state = read();
        reading = state;
        return await state;
      },
      close() {
        if (closed) return;
        closed = true;
        // The library must not go while it is asked.
        void reading.finally(() => shutdown());
      },
    };
  } catch (error) {
    shutdown();
    throw error;
  }
}

function handleOf(lib: LibraryHandle, device: string, check: (code: number) => void): unknown {
  const out: [unknown] = [null];
  if (/^\d+$/.test(device)) {
    check(lib.func('int nvmlDeviceGetHandleByIndex_v2(unsigned int index, _Out_ void **device)')(Number(device), out));
  } else check(lib.func('int nvmlDeviceGetHandleByUUID(const char *uuid, _Out_ void **device)')(device, out));
  return out[0];
}

/** nvmlMemory_t is total, free, used; nvmlUtilization_t is the percent of time in kernels, then in memory. */
function reader(handle: unknown, memoryInfo: Async, rates: Async): () => Promise<GpuState | null> {
  return async () => {
    const [memory, percent] = [new BigUint64Array(3), new Uint32Array(2)];
    const [memoryCode, ratesCode] = await Promise.all([memoryInfo(handle, memory), rates(handle, percent)]);
    if (memoryCode !== SUCCESS) return null;
    return {
      usedBytes: Number(memory[2]),
      totalBytes: Number(memory[0]),
      utilisation: ratesCode === SUCCESS ? percent[0]! / 100 : null,
    };
  };
}
