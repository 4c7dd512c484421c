/** NVIDIA's management library (NVML): which cards there are, their memory and how busy they are. A query takes microseconds. */

import { addressOf, type ForeignFunction, openLibrary, type Pointer } from './ffi.ts';

export interface NvidiaDevice {
  name: string;
  /** Compute capability, for instance 8.9. */
  capability: string;
  memoryBytes: number;
}

export interface Nvml {
  driver: string;
  /** The newest CUDA the driver serves, for instance 13.0. */
  cuda: string;
  devices: NvidiaDevice[];
  /** @throws Error when the card does not answer. */
  memory(device: number): { totalBytes: number; freeBytes: number; usedBytes: number };
  /** 0 to 1. @throws Error when the card does not answer. */
  utilisation(device: number): { gpu: number; memory: number };
}

const NAME_BYTES = 96;
const NAMES = process.platform === 'win32' ? 'nvml.dll' : 'libnvidia-ml.so.1';

/** @throws Error when there is no NVIDIA driver. */
export function openNvml(): Nvml {
  const library = openLibrary(NAMES);
  const bind = (name: string, ...parameters: string[]): ((...args: Parameters<ForeignFunction>) => void) => {
    const call = library.func(name, 'int', parameters);
    return (...args) => {
      const status = call(...args);
      if (status !== 0) throw new Error(`NVML: ${name} answers ${String(status)}`);
    };
  };
  bind('nvmlInit_v2')();
  const text = (fill: (at: Pointer) => void): string => {
    const bytes = Buffer.alloc(NAME_BYTES);
    fill(addressOf(bytes));
    return bytes.toString('utf8').replace(/\0.*$/s, '');
  };
  const driverVersion = bind('nvmlSystemGetDriverVersion', 'void *', 'uint');
  const cudaVersion = bind('nvmlSystemGetCudaDriverVersion_v2', 'void *');
  const countOf = bind('nvmlDeviceGetCount_v2', 'void *');
  const handleOf = bind('nvmlDeviceGetHandleByIndex_v2', 'uint', 'void *');
  const nameOf = bind('nvmlDeviceGetName', 'void *', 'void *', 'uint');
  const capabilityOf = bind('nvmlDeviceGetCudaComputeCapability', 'void *', 'void *', 'void *');
  const memoryOf = bind('nvmlDeviceGetMemoryInfo', 'void *', 'void *');
  const ratesOf = bind('nvmlDeviceGetUtilizationRates', 'void *', 'void *');

  const count = new Uint32Array(1);
  countOf(addressOf(count));
  const handles = Array.from({ length: count[0]! }, (_, i) => {
    const out = new BigUint64Array(1);
    handleOf(i, addressOf(out));
    return out[0]!;
  });
  const handle = (device: number): Pointer => {
    const found = handles[device];
    if (found === undefined) throw new Error(`there is no NVIDIA card ${device}`);
    return found;
  };
  const memory = (device: number) => {
    const numbers = new BigUint64Array(3);
    memoryOf(handle(device), addressOf(numbers));
    const [totalBytes, freeBytes, usedBytes] = [...numbers].map(Number) as [number, number, number];
    return { totalBytes, freeBytes, usedBytes };
  };
  const cuda = new Int32Array(1);
  cudaVersion(addressOf(cuda));
  return {
    driver: text((at) => driverVersion(at, NAME_BYTES)),
    cuda: `${Math.trunc(cuda[0]! / 1000)}.${Math.trunc((cuda[0]! % 1000) / 10)}`,
    devices: handles.map((own, i) => {
      const [major, minor] = [new Int32Array(1), new Int32Array(1)];
      capabilityOf(own, addressOf(major), addressOf(minor));
      return {
        name: text((at) => nameOf(own, at, NAME_BYTES)),
        capability: `${major[0]}.${minor[0]}`,
        memoryBytes: memory(i).totalBytes,
      };
    }),
    memory,
    utilisation(device) {
      const rates = new Uint32Array(2);
      ratesOf(handle(device), addressOf(rates));
      return { gpu: rates[0]! / 100, memory: rates[1]! / 100 };
    },
  };
}
