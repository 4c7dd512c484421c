/** Versions that a built artefact depends on beside the model: GPU, driver, and the libraries that build and run it. */

import os from 'node:os';
import { addressOf, openLibrary } from './ffi.ts';
import { readNvidiaDriver } from './nvml.ts';
import { openApi } from './ort-api.ts';

/** Parts of the key of a TensorRT engine; each is text as its source reports it. */
export interface GpuVersions {
  gpu: string;
  capability: string;
  driver: string;
  cuda: string;
  tensorrt: string;
  runtime: string;
}

/**
 * Reads the versions by loading the libraries.
 * @param folder of the ONNX Runtime library.
 * @param deviceId index of the GPU, from 0.
 * @throws Error when a library is missing, or there is no such GPU.
 */
export function gpuVersions(folder: string, deviceId: number): GpuVersions {
  const { version: driver, devices } = readNvidiaDriver();
  const device = devices[deviceId];
  if (device === undefined) throw new Error(`there is no NVIDIA card ${deviceId}`);
  const cuda = new Int32Array(1);
  openLibrary('libcudart.so.13').func('cudaRuntimeGetVersion', 'int', ['void *'])(addressOf(cuda));
  const tensorrt = openLibrary('libnvinfer.so.10').func('getInferLibVersion', 'int', [])();
  return {
    gpu: device.name,
    capability: device.capability,
    driver,
    cuda: String(cuda[0]),
    tensorrt: String(tensorrt),
    runtime: openApi(folder).version,
  };
}

/**
 * Parts of the key of an optimised model: the processor's instruction set decides how ONNX Runtime lays out weights.
 */
export function cpuVersions(folder: string): { cpu: string; arch: string; runtime: string } {
  return { cpu: os.cpus()[0]?.model ?? 'unknown', arch: process.arch, runtime: openApi(folder).version };
}
