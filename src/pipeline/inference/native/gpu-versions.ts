/** What an engine depends on beside the model: the card, its driver, and the libraries that build and run it. */

import os from 'node:os';
import { addressOf, openLibrary } from './ffi.ts';
import { openNvml } from './nvml.ts';
import { openApi } from './ort-api.ts';

export interface GpuVersions {
  gpu: string;
  capability: string;
  driver: string;
  cuda: string;
  tensorrt: string;
  runtime: string;
}

/**
 * @param folder of the ONNX Runtime library.
 * @throws Error when a library is missing, or there is no such card.
 */
export function gpuVersions(folder: string, deviceId: number): GpuVersions {
  const { driver, devices } = openNvml();
  const device = devices[deviceId];
  if (device === undefined) throw new Error(`there is no NVIDIA card ${deviceId}`);
  const cuda = new Int32Array(1);
  openLibrary('libcudart.so.13').func('cudaRuntimeGetVersion', 'int', ['void *'])(addressOf(cuda));
  const tensorrt = openLibrary('libnvinfer.so.10').func('getInferLibVersion', 'int', [])();
  return {
    ...{ gpu: device.name, capability: device.capability, driver, runtime: openApi(folder).version },
    ...{ cuda: String(cuda[0]), tensorrt: String(tensorrt) },
  };
}

/** What an optimised model depends on: which instructions the processor has decides how its memory is laid out. */
export function cpuVersions(folder: string): { cpu: string; arch: string; runtime: string } {
  return { cpu: os.cpus()[0]?.model ?? 'unknown', arch: process.arch, runtime: openApi(folder).version };
}
